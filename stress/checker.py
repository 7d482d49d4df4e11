"""Answers beside what was to come: each once, in order where there is no id, as soon as it ends where there is one."""

import json
from collections.abc import Sequence

from .model import Expected
from .result_format import Id, Result, shown
from .runner import CheckFailedError

REPLACEMENT = "\ufffd"


def compare(expected: Sequence[Expected], results: Sequence[Result]) -> None:
    """Match what has come so far; raises CheckFailedError for what is wrong, doubled, out of order or not asked for.

    What has not come yet is no fault here.
    """
    refusals = [result for result in results if any(_is_refusal_of(one, result) for one in expected)]
    rest = [result for result in results if result not in refusals]
    for name in {one.id for one in expected} | {result.id for result in rest}:
        wanted = [one for one in expected if one.id == name]
        came = [result for result in rest if result.id == name]
        if name is None:
            _compare_in_order(wanted, came)
        else:
            _compare_in_any_order(name, wanted, came)
            # Last: each of them may stand for any rival that has not been run.
            _take_refusals(name, wanted, refusals)


def _take_refusals(name: Id, wanted: list[Expected], refusals: Sequence[Result]) -> None:
    for result in refusals:
        if _names(name, result):
            refused = next((one for one in wanted if one.rival), None)
            if refused is None:
                raise CheckFailedError(f"refused, though nothing else has the id: {result}")
            wanted.remove(refused)


def _is_refusal_of(one: Expected, result: Result) -> bool:
    refused = result.error.startswith("invalid request: ") and (result.id, result.command) == (None, [])
    return refused and one.rival and one.id is not None and _names(one.id, result)


def _names(name: Id, result: Result) -> bool:
    return f"the id {json.dumps(name)} " in result.error


def _compare_in_order(wanted: Sequence[Expected], came: Sequence[Result]) -> None:
    if len(came) > len(wanted):
        raise CheckFailedError(f"{len(came)} answers to {len(wanted)} requests without an id; too much: {came[-1]}")
    for one, result in zip(wanted, came, strict=False):
        if not matches(one, result):
            raise CheckFailedError(f"wrong or out of order: {result}\nto come was: {_told(one)}")


def _compare_in_any_order(name: Id, wanted: list[Expected], came: Sequence[Result]) -> None:
    for result in came:
        fitting = [one for one in wanted if matches(one, result)]
        if not fitting:
            left = "; ".join(_told(one) for one in wanted) or "nothing more"
            raise CheckFailedError(f"wrong under id {name!r}: {result}\nto come was: {left}")
        wanted.remove(fitting[0])


def matches(one: Expected, result: Result) -> bool:
    """Whether this is the answer that had to come."""
    if one.command is None:
        said = result.error.startswith(one.error) and len(result.error) > len(one.error)
        return said and (result.command, result.exit_code, result.output) == ([], -1, "")
    if result.command != list(one.command):
        return False
    if one.effect is None:
        return True
    full = None if one.effect.output is None else one.effect.output.decode("utf-8", "replace")
    if one.effect.may_expire and result.error == "timeout exceeded" and result.exit_code == -1:
        # The last character may have been cut in the middle.
        return full is None or full.startswith(result.output.rstrip(REPLACEMENT))
    reason = bool(result.error) if one.effect.error is None else result.error == one.effect.error
    return reason and result.exit_code == one.effect.exit_code and full in (None, result.output)


def _told(one: Expected) -> str:
    if one.command is None:
        return f"{one.error}…"
    return f"{shown(str(list(one.command)))} with {shown(str(one.effect))}"
