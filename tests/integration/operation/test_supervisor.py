"""The supervisor alone, with workers that only stop when asked to, hang or exit."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from proc import children, eventually, is_alive

PROGRAM = "tests.support.supervisor_program"
TIMEOUT_SECONDS = 20.0


class Supervised:
    """A running supervisor, and its log."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def workers(self) -> list[int]:
        return [pid for pid in children(self.process.pid) if is_alive(pid)]

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"].startswith(event)]

    async def status(self) -> int:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def supervised(folder: Path, kind: str, count: int = 1, seconds: float = 10.0) -> AsyncGenerator[Supervised]:
    log = folder / "log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", PROGRAM, kind, str(count), str(seconds), stderr=stderr,
            env={**os.environ, "COUNT": str(folder / "count")},
        )  # fmt: skip
    try:
        yield Supervised(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_workers_that_repeatedly_exit_at_start_stop_the_agent(tmp_path: Path) -> None:
    started = asyncio.get_running_loop().time()
    async with supervised(tmp_path, "die") as supervisor:
        assert await supervisor.status() == 1
        deaths = supervisor.logged("a worker died")
        assert [death["status"] for death in deaths] == [7] * 5
        assert len(supervisor.logged("giving up: workers exit right after they have started")) == 1
    # Increasing delays in between: 0.05 + 0.15 + 0.35 + 0.75 s.
    assert asyncio.get_running_loop().time() - started > 1.3


async def test_worker_that_hangs_at_shutdown_is_killed_with_status_1(tmp_path: Path) -> None:
    async with supervised(tmp_path, "hang", 2, 0.3) as supervisor:
        await eventually(lambda: len(supervisor.workers) == 2 and bool(supervisor.logged("ready")))
        workers = supervisor.workers
        supervisor.process.terminate()
        assert await supervisor.status() == 1
        assert {line["pid"] for line in supervisor.logged("a worker does not stop; killed")} == set(workers)
        assert not any(map(is_alive, workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_each_stop_signal_stops_every_worker(tmp_path: Path, number: signal.Signals) -> None:
    async with supervised(tmp_path, "obey", 3) as supervisor:
        await eventually(lambda: len(supervisor.workers) == 3 and bool(supervisor.logged("ready")))
        supervisor.process.send_signal(number)
        assert await supervisor.status() == 0
        assert [line["reason"] for line in supervisor.logged("stopping")] == [number.name]


async def test_shutdown_during_worker_start_stops_every_worker(tmp_path: Path) -> None:
    for _ in range(5):
        async with supervised(tmp_path, "stop-all", 8) as supervisor:
            assert await supervisor.status() == 0
            assert not supervisor.logged("a worker does not stop")


async def test_killed_worker_is_replaced_and_others_keep_running(tmp_path: Path) -> None:
    async with supervised(tmp_path, "obey", 3) as supervisor:
        await eventually(lambda: len(supervisor.workers) == 3 and bool(supervisor.logged("ready")))
        first, *others = supervisor.workers
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: len(supervisor.workers) == 3 and first not in supervisor.workers)
        assert set(others) < set(supervisor.workers)
        supervisor.process.terminate()
        assert await supervisor.status() == 0
        assert [line["restart"] for line in supervisor.logged("a worker died")] == [True]


async def test_shutdown_during_restart_delay_starts_no_worker(tmp_path: Path) -> None:
    async with supervised(tmp_path, "die", 1) as supervisor:
        # The delay before the last attempt is 0.75 s.
        await eventually(lambda: len(supervisor.logged("a worker died")) == 4)
        supervisor.process.terminate()
        assert await supervisor.status() == 0
        assert len(supervisor.logged("a worker died")) == 4


async def test_forked_process_that_fails_before_becoming_worker_exits(tmp_path: Path) -> None:
    async with supervised(tmp_path, "fail-before-work") as supervisor:
        # The forked process must not go on as a second supervisor.
        assert await supervisor.status() == 1
        assert [line["reason"] for line in supervisor.logged("not started")] == ["it ended at its start: exit status 1"]
        assert len(supervisor.logged("a worker failed")) == 1


@pytest.mark.parametrize(
    ("kind", "reason"), [("fail", "no more of it"), ("die-at-start", "it ended at its start: exit status 7")]
)
async def test_first_worker_that_cannot_start_stops_agent_with_reason(tmp_path: Path, kind: str, reason: str) -> None:
    async with supervised(tmp_path, kind, 3) as supervisor:
        assert await supervisor.status() == 1
        assert [line["reason"] for line in supervisor.logged("not started")] == [reason]


async def test_worker_restart_is_retried_during_resource_shortage(tmp_path: Path) -> None:
    async with supervised(tmp_path, "fail-again") as supervisor:
        await eventually(lambda: bool(supervisor.logged("ready")))
        os.kill(supervisor.workers[0], signal.SIGKILL)
        # Three starts fail; the next ones follow after 0.1, 0.2 and 0.4 s.
        await eventually(lambda: (tmp_path / "count").stat().st_size == 5)
        supervisor.process.terminate()
        assert await supervisor.status() == 0
        failures = supervisor.logged("cannot start a worker; trying again")
        assert [line["reason"] for line in failures] == ["no more of it"] * 3
