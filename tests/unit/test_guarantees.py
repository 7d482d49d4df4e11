"""What docs/guarantees.md says of the tests is true, and no hazard is without one."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
GUARANTEES = TESTS.parent / "docs" / "guarantees.md"
HAZARDS = range(1, 34)


def test_every_test_that_a_promise_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUARANTEES.read_text(encoding="utf-8")))
    defined = {name for text in sources() for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}
    assert named
    assert named - defined == set()


def test_every_row_of_promises_names_what_shows_it() -> None:
    rows = re.findall(r"^\| (?!promise|---)(.*) \|$", GUARANTEES.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows
    for row in rows:
        *_, shown = row.split(" | ")
        assert re.search(r"`(test_\w+|make \w+)`", shown), row


def test_every_hazard_has_a_test_that_names_it() -> None:
    covered: set[int] = set()
    for text in sources():
        for numbers in re.findall(r"Hazards? ((?:\d+(?:, | and | to |-)?)+)", text):
            covered |= expanded(numbers)
    assert set(HAZARDS) - covered == set()


def expanded(numbers: str) -> set[int]:
    """`1, 3 and 5 to 7` as numbers."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?:(?: to |-)(\d+))?", numbers):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
