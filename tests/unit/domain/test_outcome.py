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
    OutputLost,
    Refused,
    Signalled,
    TimedOut,
)
from execwire.domain.output import NO_OUTPUT


@pytest.mark.parametrize("status", [0, 1, 127, 255])
def test_an_exit_status_is_a_byte(status: int) -> None:
    assert Exited(status).status == status


@pytest.mark.parametrize("status", [-1, -9, 256])
def test_what_wait_cannot_report_is_no_exit_status(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        Exited(status)


def test_a_signal_has_a_number_and_a_name() -> None:
    signalled = Signalled(11, "SIGSEGV")
    assert (signalled.number, signalled.name) == (11, "SIGSEGV")


@pytest.mark.parametrize(("number", "name"), [(0, "SIGNONE"), (-9, "SIGKILL"), (9, "")])
def test_half_a_signal_cannot_be(number: int, name: str) -> None:
    with pytest.raises(ValueError, match="no signal"):
        Signalled(number, name)


@pytest.mark.parametrize("kind", [NotStarted, Refused, OutputLost])
def test_what_is_the_agents_or_the_systems_doing_has_a_reason(
    kind: type[NotStarted] | type[Refused] | type[OutputLost],
) -> None:
    assert kind("no such file").reason == "no such file"
    with pytest.raises(ValueError, match="reason"):
        kind("")


def test_the_ways_to_end_are_these_and_no_others() -> None:
    assert set(typing.get_args(Outcome)) == {
        Exited, Signalled, TimedOut, NotStarted, OutputLimitExceeded, OutputLost, Cancelled, Refused,
    }  # fmt: skip


def test_two_ways_to_end_never_equal_each_other() -> None:
    ends: list[Outcome] = [TimedOut(), OutputLimitExceeded(), Cancelled(), Exited(9), Signalled(9, "x")]
    ends += [NotStarted("x"), Refused("x"), OutputLost("x")]
    assert len(set(ends)) == len(ends)
    assert TimedOut() == TimedOut()


def test_an_execution_does_not_change_once_it_is_made() -> None:
    execution = Execution(Exited(0), NO_OUTPUT, 1.5)
    with pytest.raises(FrozenInstanceError):
        execution.ended_at = 2.5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
