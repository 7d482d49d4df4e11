"""How each TaskExecutor is told the same things: one phrasebook an implementation, for the contract suite."""

import os
import resource
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from fakes import FakeTaskExecutor
from leases import leased, skip_unless_leases_hold
from proc import alive_with, command_line, descriptors

from execwire.adapters.subprocess.executor import SubprocessExecutor
from execwire.app.container import Container
from execwire.app.settings import Settings
from execwire.domain.ports import TaskExecutor

Command = tuple[str, ...]

FAMILY = 40
"""Descendants of what `is_a_large_family`."""


class ShiftedClock:
    """A Clock whose scale nobody else has: a reading from it can come from nowhere else."""

    def unix_seconds(self) -> float:
        return time.time()

    def monotonic_seconds(self) -> float:
        return time.monotonic() + 1_000_000.0


class Phrasebook(Protocol):
    """An executor, its clock, and its words; `name` tells apart what runs at the same time.

    What `is_settled` has done all that it does before it runs for ever.
    """

    executor: TaskExecutor
    clock: ShiftedClock

    def exits_with(self, status: int) -> Command: ...
    def is_ended_by_sigterm(self) -> Command: ...
    def writes(self, text: str) -> Command: ...
    def writes_much(self, count: int) -> Command: ...
    def does_not_exist(self) -> Command: ...
    def runs_for_ever(self, name: str) -> Command: ...
    def writes_and_runs_for_ever(self, text: str, name: str) -> Command: ...
    def writes_much_and_runs_for_ever(self, count: int, name: str) -> Command: ...
    def is_a_large_family(self, name: str) -> Command: ...
    def ignores_sigterm(self, name: str) -> Command: ...
    def has_a_child_that_says_goodbye(self, text: str, name: str) -> Command: ...
    def takes_long_to_start(self, name: str) -> AbstractContextManager[Command]: ...
    def runs(self, name: str) -> bool: ...
    def is_settled(self, name: str) -> bool: ...
    def what_is_open(self) -> list[str]: ...


class SubprocessPhrases:
    """Real processes. What runs for ever is a family of two, both under `name`."""

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
        # The leader ends at once; the child is heard a moment later. The leader is settled when its child is.
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
        # The leader has become the last program of its script, of which the name is the whole argv[0].
        return any(_leads_a_session(pid) and command_line(pid).startswith(name.encode()) for pid in alive_with(name))

    def what_is_open(self) -> list[str]:
        return descriptors(os.getpid())


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


class FakePhrases:
    """The fake's own words."""

    def __init__(self, executor: TaskExecutor, fake: FakeTaskExecutor, clock: ShiftedClock) -> None:
        self.executor = executor
        self.clock = clock
        self._fake = fake

    def exits_with(self, status: int) -> Command:
        return ("exit", str(status))

    def is_ended_by_sigterm(self) -> Command:
        return ("die", "15", "SIGTERM")

    def writes(self, text: str) -> Command:
        return ("say", text)

    def writes_much(self, count: int) -> Command:
        return ("say-much", str(count))

    def does_not_exist(self) -> Command:
        return ("missing",)

    def runs_for_ever(self, name: str) -> Command:
        return ("wait", name)

    def writes_and_runs_for_ever(self, text: str, name: str) -> Command:
        return ("say-and-wait", text, name)

    def is_a_large_family(self, name: str) -> Command:
        return self.runs_for_ever(name)

    @contextmanager
    def takes_long_to_start(self, name: str) -> Generator[Command]:
        yield self.runs_for_ever(name)

    def ignores_sigterm(self, name: str) -> Command:
        return ("ignore-stop", name)

    def has_a_child_that_says_goodbye(self, text: str, name: str) -> Command:
        return ("say-goodbye", text, name)

    def writes_much_and_runs_for_ever(self, count: int, name: str) -> Command:
        return ("say-and-wait", "0" * count, name)

    def is_settled(self, name: str) -> bool:
        return self.runs(name)

    def runs(self, name: str) -> bool:
        return any(name in running for running in self._fake.running)

    def what_is_open(self) -> list[str]:
        return sorted(self._fake.running)


@asynccontextmanager
async def real() -> AsyncGenerator[Phrasebook]:
    """Open the SubprocessExecutor as the container wires it."""
    clock = ShiftedClock()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    executor = Container(clock=clock, settings=Settings(), descriptor_limit=limit).executor()
    assert isinstance(executor, SubprocessExecutor)
    async with executor:
        yield SubprocessPhrases(executor, clock)


@asynccontextmanager
async def fake() -> AsyncGenerator[Phrasebook]:
    """The FakeTaskExecutor, by itself."""
    clock = ShiftedClock()
    executor = FakeTaskExecutor(clock)
    yield FakePhrases(executor, executor, clock)


@asynccontextmanager
async def drained() -> AsyncGenerator[Phrasebook]:
    """Drain is a TaskExecutor too, for as long as it is not told to stop."""
    clock = ShiftedClock()
    executor = FakeTaskExecutor(clock)
    yield FakePhrases(Container(clock=clock, executor=executor).drain(), executor, clock)
