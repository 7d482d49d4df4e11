"""Processes that remain when a command has exited: `leftovers` says what happens to them, `linger` when."""

import gzip
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from agent import running_agent
from proc import alive_with, children, eventually

FAMILY = (
    '(exec -a "$0-group" sleep 60) & '
    'setsid -f bash -c \'exec -a "$0-daemon" sleep 60\' "$0"; '
    'for kind in group daemon; do until grep -qs "$0[-]$kind" /proc/[0-9]*/cmdline; do sleep 0.05; done; done; echo hi'
)
"""Leaves a process of its own group and a daemon, both running when it exits."""
WITHOUT_SECOND_MARK = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-all") if os.geteuid() == 0 else ()


@pytest.fixture
def marker() -> Iterator[str]:
    marker = f"execwire-test-{uuid4().hex}"
    yield marker
    for pid in alive_with(marker):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("leftovers", "staying"), [("kill", ["daemon"]), ("keep", ["group", "daemon"]), ("kill-all", [])]
)
async def test_leftovers_setting_decides_which_processes_survive(
    marker: str, leftovers: str, staying: list[str]
) -> None:
    def survivors() -> list[str]:
        return [kind for kind in ("group", "daemon") if alive_with(f"{marker}-{kind}")]

    async with running_agent("--leftovers", leftovers, "--linger-ms", "300") as agent:
        result = await agent.run("bash", "-c", FAMILY, marker)
        assert (result["exit_code"], result["output"], result["error"]) == (0, "hi\n", "")
        await eventually(lambda: survivors() == staying)
        # At a timeout all processes are killed, whatever the setting.
        late = f"{marker}-late"
        timed_out = await agent.run("bash", "-c", f"{FAMILY}; wait; sleep 60", late, timeout=1500)
        assert (timed_out["error"], timed_out["output"]) == ("timeout exceeded", "hi\n")
        assert alive_with(late) == []
        assert await agent.stop() == 0
    assert survivors() == staying


async def test_background_output_within_linger_is_captured() -> None:
    async with running_agent("--linger-ms", "20000") as agent:
        began = time.monotonic()
        result = await agent.run("sh", "-c", "(sleep 1; echo late) & echo early")
        assert result["output"] == "early\nlate\n"
        # The result is sent when the last process has closed stdout; the duration is that of the command itself.
        assert 1 <= time.monotonic() - began < 15
        assert result["duration_ms"] < 1000


async def test_result_does_not_wait_past_linger_for_kept_processes(marker: str) -> None:
    async with running_agent("--linger-ms", "0", "--leftovers", "keep") as agent:
        began = time.monotonic()
        script = '(exec -a "$0" sleep 60; echo late) & echo early'
        result = await agent.run("bash", "-c", script, marker)
        assert result["output"] == "early\n"
        assert time.monotonic() - began < 15


async def test_file_written_by_process_substitution_is_complete_at_result(tmp_path: Path) -> None:
    async with running_agent("--linger-ms", "20000") as agent:
        for number in range(3):
            file = tmp_path / f"{number}.gz"
            script = 'seq 100000 | tee >(gzip > "$0") > /dev/null'
            assert (await agent.run("bash", "-c", script, str(file)))["exit_code"] == 0
            assert gzip.decompress(file.read_bytes()).endswith(b"\n100000\n")


@pytest.mark.parametrize("first", ["", "ulimit -x unlimited; "], ids=["marked", "unmarked"])
async def test_process_without_stdout_gets_linger_and_is_then_killed(marker: str, first: str) -> None:
    async with running_agent("--linger-ms", "300", launcher=WITHOUT_SECOND_MARK) as agent:
        began = time.monotonic()
        process = f'({first}exec -a "$0" sleep 60) > /dev/null &'
        script = f'{process} until grep -qs "$0" /proc/$!/cmdline; do :; done; echo hi'
        result = await agent.run("bash", "-c", script, marker)
        assert (result["exit_code"], result["output"]) == (0, "hi\n")
        assert 0.3 <= time.monotonic() - began < 15
        assert alive_with(marker) == []


async def test_command_that_leaves_only_zombies_gets_its_result_at_once() -> None:
    async with running_agent("--linger-ms", "60000") as agent:
        began = time.monotonic()
        for _ in range(20):
            assert (await agent.run("sh", "-c", "true & true & true & exit 0"))["exit_code"] == 0
        assert time.monotonic() - began < 30
        await eventually(lambda: children(agent.worker) == [])


async def test_disconnect_during_linger_kills_remaining_processes(marker: str) -> None:
    async with running_agent("--linger-ms", "60000") as agent:
        async with await agent.connect() as client:
            await client.request(command=["bash", "-c", '(exec -a "$0" sleep 60) > /dev/null & exit 0', marker])
            await eventually(lambda: len(alive_with(marker)) == 1)
        await eventually(lambda: alive_with(marker) == [])
