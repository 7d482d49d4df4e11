"""The order of callbacks for clients that need more than one event-loop iteration."""

import asyncio
from collections.abc import Callable

import pytest
from event_loop import settle

from execwire.adapters.tcp.read_scheduler import BUDGET_SECONDS, ReadScheduler
from execwire.testing import FakeClock


class Clients:
    """Callbacks by name, each of which takes some time and may schedule itself again."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.scheduler = ReadScheduler(self.clock)
        self.called: list[str] = []

    def schedule(self, name: str, *, seconds: float = 0.0, bulk: bool = False, again: int = 0) -> Callable[[], None]:
        remaining = again

        def callback() -> None:
            nonlocal remaining
            self.called.append(name)
            self.clock.advance(seconds)
            if remaining:
                remaining -= 1
                self.scheduler.wait(callback, bulk=bulk)

        self.scheduler.wait(callback, bulk=bulk)
        return callback


@pytest.fixture
def clients() -> Clients:
    return Clients()


@pytest.mark.parametrize("bulk", [True, False])
async def test_callbacks_run_in_a_later_iteration_in_the_order_of_wait(clients: Clients, *, bulk: bool) -> None:
    for name in "cab":
        clients.schedule(name, bulk=bulk)
    assert clients.called == []
    await settle()
    assert clients.called == list("cab")


@pytest.mark.parametrize("bulk", [True, False])
async def test_callback_scheduled_again_runs_after_all_others(clients: Clients, *, bulk: bool) -> None:
    for name in "abc":
        clients.schedule(name, bulk=bulk, again=2)
    await settle()
    assert clients.called == list("abcabcabc")


@pytest.mark.parametrize("bulk", [True, False])
async def test_callbacks_past_the_time_budget_run_in_the_next_iteration(clients: Clients, *, bulk: bool) -> None:
    for name in "abcd":
        clients.schedule(name, bulk=bulk, seconds=BUDGET_SECONDS * 0.6)
    await asyncio.sleep(0)
    assert clients.called == list("ab")
    clients.clock.advance(10.0)
    await settle()
    assert clients.called[:2] == list("ab")


async def test_small_clients_run_before_all_bulk(clients: Clients) -> None:
    clients.schedule("bulk", bulk=True)
    clients.schedule("small")
    await settle()
    assert clients.called == ["small", "bulk"]


async def test_long_bulk_is_followed_by_a_pause_of_several_times_its_duration(clients: Clients) -> None:
    clients.schedule("bulk", seconds=0.01, bulk=True, again=1)
    await settle()
    assert clients.called == ["bulk"]
    clients.schedule("small")
    await settle()
    assert clients.called == ["bulk", "small"]
    clients.clock.advance(0.1)
    await asyncio.sleep(0.05)
    assert clients.called == ["bulk", "small", "bulk"]


async def test_ten_bulk_clients_use_no_more_of_an_iteration_than_one(clients: Clients) -> None:
    for number in range(10):
        clients.schedule(f"{number}", seconds=0.05, bulk=True)
    await settle()
    assert clients.called == ["0"]


@pytest.mark.parametrize("bulk", [True, False])
async def test_forgotten_callback_is_not_called(clients: Clients, *, bulk: bool) -> None:
    forgotten = clients.schedule("forgotten", bulk=bulk)
    clients.schedule("stays", bulk=bulk)
    clients.scheduler.forget(forgotten)
    clients.scheduler.forget(forgotten)
    await settle()
    assert clients.called == ["stays"]


async def test_callback_forgotten_by_another_callback_is_not_called(clients: Clients) -> None:
    later: list[Callable[[], None]] = []
    clients.scheduler.wait(lambda: clients.scheduler.forget(later[0]), bulk=False)
    later.append(clients.schedule("forgotten"))
    await settle()
    assert clients.called == []
