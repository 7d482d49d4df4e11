"""docs/guarantees.md names existing tests, and each hazard has a test."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
GUARANTEES = TESTS.parent / "docs" / "guarantees.md"
HAZARDS = range(1, 34)


def test_tests_named_by_guarantees_exist() -> None:
    listed = set(re.findall(r"`(test_\w+)`", GUARANTEES.read_text(encoding="utf-8")))
    defined = {name for text in sources() for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}
    assert listed
    assert listed - defined == set()


def test_every_guarantee_names_a_test() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.*) \|$", GUARANTEES.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows
    for row in rows:
        *_, evidence = row.split(" | ")
        assert re.search(r"`(test_\w+|make \w+)`", evidence), row


def test_every_hazard_is_named_by_a_test() -> None:
    covered: set[int] = set()
    for text in sources():
        for numbers in re.findall(r"Hazards? ((?:\d+(?:, | and | to |-)?)+)", text):
            covered |= expanded(numbers)
    assert set(HAZARDS) - covered == set()


def expanded(numbers: str) -> set[int]:
    """Return the numbers of a list such as `1, 3 and 5 to 7`."""
    result: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:(?: to |-)(\d+))?", numbers):
        result |= set(range(int(first), int(last or first) + 1))
    return result


def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
