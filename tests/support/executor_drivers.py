"""The drivers of the contract suite, one for each implementation of TaskExecutor."""

import os
import resource
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from executor_driver import Command, ExecutorDriver, ShiftedClock
from fake_driver import FakeDriver
from leases import leased, skip_unless_leases_hold
from proc import alive_with, command_line, descriptors

from execwire.adapters.subprocess.executor import SubprocessExecutor
from execwire.app.agent.container import Container
from execwire.app.settings.model import Settings
from execwire.domain.ports.executor import TaskExecutor
from execwire.testing import FakeTaskExecutor

FAMILY = 40
"""The number of descendants of a command that `is_a_large_family`."""


class SubprocessDriver:
    """Real processes. A command that runs for ever consists of two processes, both called `name`."""

    def __init__(self, executor: TaskExecutor, clock: ShiftedClock) -> None:
        self.executor = executor
        self.clock = clock

    def exits_with(self, status: int) -> Command:
        return ("sh", "-c", f"exit {status}")

    def is_ended_by_sigterm(self) -> Command:
        return ("sh", "-c", "kill -TERM $$")

    def writes(self, text: str) -> Command:
        return ("printf", "%s", text)

    def writes_much(self, count: int) -> Command:
        return ("head", "-c", str(count), "/dev/zero")

    def does_not_exist(self) -> Command:
        return ("/nonexistent/missing",)

    def runs_for_ever(self, name: str) -> Command:
        return ("bash", "-c", '(exec -a "$0" sleep 3600) & exec -a "$0" sleep 3600', name)

    def writes_and_runs_for_ever(self, text: str, name: str) -> Command:
        return ("bash", "-c", 'printf %s "$1"; exec -a "$0" sleep 3600', name, text)

    def writes_much_and_runs_for_ever(self, count: int, name: str) -> Command:
        return ("bash", "-c", 'head -c "$1" /dev/zero; exec -a "$0" sleep 3600', name, str(count))

    def is_a_large_family(self, name: str) -> Command:
        family = f'for _ in $(seq {FAMILY}); do (exec -a "$0" sleep 3600) & done; exec -a "$0" sleep 3600'
        return ("bash", "-c", family, name)

    def ignores_sigterm(self, name: str) -> Command:
        return ("bash", "-c", 'trap "" TERM; exec -a "$0" sleep 3600', name)

    def has_a_child_that_says_goodbye(self, text: str, name: str) -> Command:
        # At SIGTERM the leader exits at once, the child writes and exits later. The leader first waits for the child.
        child = "trap 'sleep 0.1; printf %s \"$1\"; exit' TERM; echo >&8; while :; do read -rt 0.01 -u 9; done 9<> <(:)"
        return ("bash", "-c", f'exec 8<> <(:); ({child}) & read -ru 8; exec -a "$0" sleep 3600', name, text)

    @contextmanager
    def takes_long_to_start(self, name: str) -> Generator[Command]:
        with tempfile.TemporaryDirectory() as folder:
            skip_unless_leases_hold(Path(folder))
            program = shutil.copy("/bin/echo", folder)
            with leased(program):
                yield program, name

    def runs(self, name: str) -> bool:
        return bool(alive_with(name))

    def is_settled(self, name: str) -> bool:
        # The leader has executed the last program of its script, whose whole argv[0] is the name.
        return any(_leads_a_session(pid) and command_line(pid).startswith(name.encode()) for pid in alive_with(name))

    def what_is_open(self) -> list[str]:
        return descriptors(os.getpid())


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


@asynccontextmanager
async def real() -> AsyncGenerator[ExecutorDriver]:
    """Open the SubprocessExecutor with the container's wiring."""
    clock = ShiftedClock()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    executor = Container(clock=clock, settings=Settings(), descriptor_limit=limit).executor()
    assert isinstance(executor, SubprocessExecutor)
    async with executor:
        yield SubprocessDriver(executor, clock)


@asynccontextmanager
async def fake() -> AsyncGenerator[ExecutorDriver]:
    """The FakeTaskExecutor alone."""
    clock = ShiftedClock()
    executor = FakeTaskExecutor(clock)
    yield FakeDriver(executor, executor, clock)
