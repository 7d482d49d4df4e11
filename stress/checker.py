"""Compares results with expected ones: each exactly once, in order if without an id, in any order otherwise."""

import json
from collections.abc import Sequence

from .model import Expected
from .result_format import Id, Result, shown
from .runner import CheckFailedError

REPLACEMENT = "\ufffd"


def compare(expected: Sequence[Expected], results: Sequence[Result]) -> None:
    """Match the results so far; raises CheckFailedError for wrong, duplicate, misordered or unrequested ones.

    Missing results are no error here.
    """
    refusals = [result for result in results if any(_is_refusal_of(one, result) for one in expected)]
    others = [result for result in results if result not in refusals]
    for name in {one.id for one in expected} | {result.id for result in others}:
        wanted = [one for one in expected if one.id == name]
        received = [result for result in others if result.id == name]
        if name is None:
            _compare_in_order(wanted, received)
        else:
            _compare_in_any_order(name, wanted, received)
            # Last, since each of them matches any rival that has not been run.
            _take_refusals(name, wanted, refusals)


def _take_refusals(name: Id, wanted: list[Expected], refusals: Sequence[Result]) -> None:
    for result in refusals:
        if _names(name, result):
            refused = next((one for one in wanted if one.rival), None)
            if refused is None:
                raise CheckFailedError(f"rejected, though no other request has the id: {result}")
            wanted.remove(refused)


def _is_refusal_of(one: Expected, result: Result) -> bool:
    refused = result.error.startswith("invalid request: ") and (result.id, result.command) == (None, [])
    return refused and one.rival and one.id is not None and _names(one.id, result)


def _names(name: Id, result: Result) -> bool:
    return f"the id {json.dumps(name)} " in result.error


def _compare_in_order(wanted: Sequence[Expected], received: Sequence[Result]) -> None:
    if len(received) > len(wanted):
        raise CheckFailedError(
            f"{len(received)} results of {len(wanted)} requests without an id; surplus: {received[-1]}"
        )
    for one, result in zip(wanted, received, strict=False):
        if not matches(one, result):
            raise CheckFailedError(f"wrong or out of order: {result}\nexpected: {_describe(one)}")


def _compare_in_any_order(name: Id, wanted: list[Expected], received: Sequence[Result]) -> None:
    for result in received:
        fitting = [one for one in wanted if matches(one, result)]
        if not fitting:
            remaining = "; ".join(_describe(one) for one in wanted) or "nothing more"
            raise CheckFailedError(f"wrong under id {name!r}: {result}\nexpected: {remaining}")
        wanted.remove(fitting[0])


def matches(one: Expected, result: Result) -> bool:
    """Return whether this is the expected result."""
    if one.command is None:
        has_reason = result.error.startswith(one.error) and len(result.error) > len(one.error)
        return has_reason and (result.command, result.exit_code, result.output) == ([], -1, "")
    if result.command != list(one.command):
        return False
    if one.effect is None:
        return True
    full = None if one.effect.output is None else one.effect.output.decode("utf-8", "replace")
    if one.effect.may_expire and result.error == "timeout exceeded" and result.exit_code == -1:
        # The last character may be truncated.
        return full is None or full.startswith(result.output.rstrip(REPLACEMENT))
    reason = bool(result.error) if one.effect.error is None else result.error == one.effect.error
    return reason and result.exit_code == one.effect.exit_code and full in (None, result.output)


def _describe(one: Expected) -> str:
    if one.command is None:
        return f"{one.error}…"
    return f"{shown(str(list(one.command)))} with {shown(str(one.effect))}"
