"""The driver of the contract suite for a FakeTaskExecutor."""

from collections.abc import Generator
from contextlib import contextmanager

from executor_driver import Command, ShiftedClock

from execwire.domain.ports.executor import TaskExecutor
from execwire.testing import FakeTaskExecutor


class FakeDriver:
    """Provides the fake's commands."""

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
