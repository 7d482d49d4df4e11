"""The second mark, as the kernel keeps it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from execwire.adapters.linux import timer_slack as module
from execwire.adapters.linux.timer_slack import DEFAULT_NANOSECONDS, NUMBERS, TimerSlack, timer_slack

DISCONNECTED = 2**22 + 1


@pytest.fixture
def slack() -> Iterator[TimerSlack]:
    own = int(Path("/proc/self/timerslack_ns").read_text())
    slack = TimerSlack(own)
    yield slack
    slack.prctl(slack.OPTION, own)


def test_what_this_thread_starts_carries_its_number_and_so_does_what_comes_of_it(slack: TimerSlack) -> None:
    slack.prctl(slack.OPTION, slack.own + 17)
    script = "(setsid cat /proc/self/timerslack_ns & wait)"
    said = subprocess.run(("sh", "-c", script), check=True, capture_output=True, env={}).stdout
    assert int(said) == slack.own + 17


@pytest.mark.skipif(timer_slack() is None, reason="takes CAP_SYS_NICE, as another process's can be read by nobody else")
@pytest.mark.parametrize("mark", [1, NUMBERS - 1, 5 * NUMBERS + 3, NUMBERS])
def test_the_number_of_another_process_is_read(slack: TimerSlack, mark: int) -> None:
    slack.prctl(slack.OPTION, slack.own + mark % NUMBERS)
    with subprocess.Popen(("sleep", "600")) as child:
        assert slack.number(child.pid) == mark % NUMBERS
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # A zombie still has it.
        assert slack.number(child.pid) == mark % NUMBERS


@pytest.mark.parametrize("other", [-1, NUMBERS, 10 * NUMBERS])
def test_what_has_set_its_slack_itself_carries_none(slack: TimerSlack, other: int) -> None:
    slack.prctl(slack.OPTION, slack.own + other)
    assert slack.number(os.getpid()) == 0


def test_what_cannot_be_read_carries_none(slack: TimerSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert slack.number(DISCONNECTED) == 0

    def refuse(*_: object) -> bytes:
        raise PermissionError

    monkeypatch.setattr(os, "read", refuse)
    assert slack.number(os.getpid()) == 0


@pytest.mark.parametrize(
    ("own", "may_read", "usable"),
    [
        (DEFAULT_NANOSECONDS, True, True),
        (DEFAULT_NANOSECONDS, False, False),
        # A real-time process has none.
        (0, True, False),
        # A task of another agent.
        (DEFAULT_NANOSECONDS + 5, True, False),
        (DEFAULT_NANOSECONDS + NUMBERS, True, True),
        (1, True, True),
    ],
)
def test_there_is_a_second_mark_where_it_can_be_read_and_is_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, own: int, *, may_read: bool, usable: bool
) -> None:
    monkeypatch.setattr(module, "_may_read_others", lambda: may_read)
    monkeypatch.setattr(module, "_own", lambda: own)
    found = timer_slack()
    assert (found is not None) == usable
    assert found is None or found.own == own
