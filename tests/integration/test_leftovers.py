"""What a command leaves running when it has ended by itself: `leftovers` says what becomes of it, `linger` when."""

import os
import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from agent import running_agent
from proc import alive_with, eventually

FAMILY = (
    '(exec -a "$0-group" sleep 60) & '
    'setsid -f bash -c \'exec -a "$0-daemon" sleep 60\' "$0"; '
    'for who in group daemon; do until grep -qs "$0[-]$who" /proc/[0-9]*/cmdline; do sleep 0.05; done; done; echo hi'
)
"""Leaves a process of its own group and a daemon, both running by then."""


@pytest.fixture
def marker() -> Iterator[str]:
    marker = f"execwire-test-{uuid4().hex}"
    yield marker
    for pid in alive_with(marker):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("leftovers", "staying"), [("kill", ["daemon"]), ("keep", ["group", "daemon"]), ("kill-all", [])]
)
async def test_leftovers_go_or_stay_as_was_decided(marker: str, leftovers: str, staying: list[str]) -> None:
    def left() -> list[str]:
        return [who for who in ("group", "daemon") if alive_with(f"{marker}-{who}")]

    async with running_agent("--leftovers", leftovers, "--linger-ms", "300") as agent:
        result = await agent.run("bash", "-c", FAMILY, marker)
        assert (result["exit_code"], result["output"], result["error"]) == (0, "hi\n", "")
        await eventually(lambda: left() == staying)
        # At a timeout all goes, whatever is to become of leftovers.
        late = f"{marker}-late"
        timed_out = await agent.run("bash", "-c", f"{FAMILY}; wait; sleep 60", late, timeout=1500)
        assert (timed_out["error"], timed_out["output"]) == ("timeout exceeded", "hi\n")
        assert alive_with(late) == []
        assert await agent.stop() == 0
    assert left() == staying


async def test_what_a_background_process_writes_within_the_linger_belongs_to_the_output() -> None:
    async with running_agent("--linger-ms", "20000") as agent:
        began = time.monotonic()
        result = await agent.run("sh", "-c", "(sleep 1; echo late) & echo early")
        assert result["output"] == "early\nlate\n"
        # Answered when the last one has closed it; the command itself had long ended, and that is its duration.
        assert 1 <= time.monotonic() - began < 15
        assert result["duration_ms"] < 1000


async def test_past_the_linger_nobody_is_waited_for_even_who_may_stay(marker: str) -> None:
    async with running_agent("--linger-ms", "0", "--leftovers", "keep") as agent:
        began = time.monotonic()
        script = '(exec -a "$0" sleep 60; echo late) & echo early'
        result = await agent.run("bash", "-c", script, marker)
        assert result["output"] == "early\n"
        assert time.monotonic() - began < 15
