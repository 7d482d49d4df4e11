import typing
from dataclasses import FrozenInstanceError

import pytest

from execwire.domain.outcome import (
    Cancelled,
    Execution,
    Exited,
    NotStarted,
    Outcome,
    OutputLimitExceeded,
    Refused,
    ResultLost,
    Signalled,
    TimedOut,
)
from execwire.domain.output import NO_OUTPUT


@pytest.mark.parametrize("status", [0, 1, 127, 255])
def test_exit_status_is_0_to_255(status: int) -> None:
    assert Exited(status).status == status


@pytest.mark.parametrize("status", [-1, -9, 256])
def test_exit_status_out_of_range_is_a_value_error(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        Exited(status)


def test_signalled_has_a_number_and_a_name() -> None:
    signalled = Signalled(11, "SIGSEGV")
    assert (signalled.number, signalled.name) == (11, "SIGSEGV")


@pytest.mark.parametrize(("number", "name"), [(0, "SIGNONE"), (-9, "SIGKILL"), (9, "")])
def test_signalled_with_an_invalid_number_or_name_is_a_value_error(number: int, name: str) -> None:
    with pytest.raises(ValueError, match="no signal"):
        Signalled(number, name)


@pytest.mark.parametrize("kind", [NotStarted, Refused, ResultLost])
def test_outcomes_with_a_reason_require_one(
    kind: type[NotStarted] | type[Refused] | type[ResultLost],
) -> None:
    assert kind("no such file").reason == "no such file"
    with pytest.raises(ValueError, match="reason"):
        kind("")


def test_union_of_outcomes_is_complete() -> None:
    assert set(typing.get_args(Outcome)) == {
        Exited, Signalled, TimedOut, NotStarted, OutputLimitExceeded, ResultLost, Cancelled, Refused,
    }  # fmt: skip


def test_different_outcomes_are_not_equal() -> None:
    ends: list[Outcome] = [TimedOut(), OutputLimitExceeded(), Cancelled(), Exited(9), Signalled(9, "x")]
    ends += [NotStarted("x"), Refused("x"), ResultLost("x")]
    assert len(set(ends)) == len(ends)
    assert TimedOut() == TimedOut()


def test_execution_is_immutable() -> None:
    execution = Execution(Exited(0), NO_OUTPUT, 1.5)
    with pytest.raises(FrozenInstanceError):
        execution.ended_at = 2.5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
