"""The second mark, on the real kernel."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from execwire.adapters.linux import timer_slack as module
from execwire.adapters.linux.timer_slack import DEFAULT_NANOSECONDS, SECOND_MARKS, TimerSlack, timer_slack

DISCONNECTED = 2**22 + 1


@pytest.fixture
def slack() -> Iterator[TimerSlack]:
    own = int(Path("/proc/self/timerslack_ns").read_text())
    slack = TimerSlack(own)
    yield slack
    slack.prctl(slack.OPTION, own)


def test_descendants_of_this_thread_inherit_its_timer_slack(slack: TimerSlack) -> None:
    slack.prctl(slack.OPTION, slack.own + 17)
    script = "(setsid cat /proc/self/timerslack_ns & wait)"
    said = subprocess.run(("sh", "-c", script), check=True, capture_output=True, env={}).stdout
    assert int(said) == slack.own + 17


@pytest.mark.skipif(timer_slack() is None, reason="reading that of another process needs CAP_SYS_NICE")
@pytest.mark.parametrize("mark", [1, SECOND_MARKS - 1, 5 * SECOND_MARKS + 3, SECOND_MARKS])
def test_second_mark_of_another_process_is_read(slack: TimerSlack, mark: int) -> None:
    slack.prctl(slack.OPTION, slack.own + mark % SECOND_MARKS)
    with subprocess.Popen(("sleep", "600")) as child:
        assert slack.second_mark(child.pid) == mark % SECOND_MARKS
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        # A zombie still has its timer slack.
        assert slack.second_mark(child.pid) == mark % SECOND_MARKS


@pytest.mark.parametrize("other", [-1, SECOND_MARKS, 10 * SECOND_MARKS])
def test_timer_slack_outside_of_the_range_is_no_second_mark(slack: TimerSlack, other: int) -> None:
    slack.prctl(slack.OPTION, slack.own + other)
    assert slack.second_mark(os.getpid()) == 0


def test_unreadable_timer_slack_is_no_second_mark(slack: TimerSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert slack.second_mark(DISCONNECTED) == 0

    def refuse(*_: object) -> bytes:
        raise PermissionError

    monkeypatch.setattr(os, "read", refuse)
    assert slack.second_mark(os.getpid()) == 0


@pytest.mark.parametrize(
    ("own", "may_read", "usable"),
    [
        (DEFAULT_NANOSECONDS, True, True),
        (DEFAULT_NANOSECONDS, False, False),
        # A real-time process has no timer slack.
        (0, True, False),
        # A task of another agent.
        (DEFAULT_NANOSECONDS + 5, True, False),
        (DEFAULT_NANOSECONDS + SECOND_MARKS, True, True),
        (1, True, True),
    ],
)
def test_second_mark_is_used_if_it_is_readable_and_not_another_agents(
    monkeypatch: pytest.MonkeyPatch, own: int, *, may_read: bool, usable: bool
) -> None:
    monkeypatch.setattr(module, "_may_read_others", lambda: may_read)
    monkeypatch.setattr(module, "_own", lambda: own)
    found = timer_slack()
    assert (found is not None) == usable
    assert found is None or found.own == own
