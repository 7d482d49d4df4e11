"""Who is called when, among clients that want more than one iteration of the loop."""

import asyncio
from collections.abc import Callable

import pytest
from event_loop import settle

from execwire.adapters.tcp.read_scheduler import BUDGET_SECONDS, ReadScheduler
from execwire.testing import FakeClock


class Clients:
    """Turns by name, each of which takes some time and may be wanted again."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.scheduler = ReadScheduler(self.clock)
        self.called: list[str] = []

    def want(self, name: str, *, seconds: float = 0.0, bulk: bool = False, again: int = 0) -> Callable[[], None]:
        left = again

        def turn() -> None:
            nonlocal left
            self.called.append(name)
            self.clock.advance(seconds)
            if left:
                left -= 1
                self.scheduler.wait(turn, bulk=bulk)

        self.scheduler.wait(turn, bulk=bulk)
        return turn


@pytest.fixture
def clients() -> Clients:
    return Clients()


@pytest.mark.parametrize("bulk", [True, False])
async def test_turns_come_in_a_later_iteration_in_the_order_in_which_they_were_wanted(
    clients: Clients, *, bulk: bool
) -> None:
    for name in "cab":
        clients.want(name, bulk=bulk)
    assert clients.called == []
    await settle()
    assert clients.called == list("cab")


@pytest.mark.parametrize("bulk", [True, False])
async def test_who_wants_another_turn_has_it_after_all_others(clients: Clients, *, bulk: bool) -> None:
    for name in "abc":
        clients.want(name, bulk=bulk, again=2)
    await settle()
    assert clients.called == list("abcabcabc")


@pytest.mark.parametrize("bulk", [True, False])
async def test_past_the_budget_of_an_iteration_the_others_are_called_in_the_next(
    clients: Clients, *, bulk: bool
) -> None:
    for name in "abcd":
        clients.want(name, bulk=bulk, seconds=BUDGET_SECONDS * 0.6)
    await asyncio.sleep(0)
    assert clients.called == list("ab")
    clients.clock.advance(10.0)
    await settle()
    assert clients.called[:2] == list("ab")


async def test_who_has_little_comes_before_all_bulk(clients: Clients) -> None:
    clients.want("bulk", bulk=True)
    clients.want("small")
    await settle()
    assert clients.called == ["small", "bulk"]


async def test_after_bulk_that_took_long_the_others_have_several_times_as_long(clients: Clients) -> None:
    clients.want("bulk", seconds=0.01, bulk=True, again=1)
    await settle()
    assert clients.called == ["bulk"]
    clients.want("small")
    await settle()
    assert clients.called == ["bulk", "small"]
    clients.clock.advance(0.1)
    await asyncio.sleep(0.05)
    assert clients.called == ["bulk", "small", "bulk"]


async def test_ten_with_bulk_take_no_more_of_an_iteration_than_one(clients: Clients) -> None:
    for number in range(10):
        clients.want(f"{number}", seconds=0.05, bulk=True)
    await settle()
    assert clients.called == ["0"]


@pytest.mark.parametrize("bulk", [True, False])
async def test_who_was_forgotten_is_not_called(clients: Clients, *, bulk: bool) -> None:
    gone = clients.want("gone", bulk=bulk)
    clients.want("stays", bulk=bulk)
    clients.scheduler.forget(gone)
    clients.scheduler.forget(gone)
    await settle()
    assert clients.called == ["stays"]


async def test_who_is_forgotten_by_another_ones_turn_is_not_called(clients: Clients) -> None:
    later: list[Callable[[], None]] = []
    clients.scheduler.wait(lambda: clients.scheduler.forget(later[0]), bulk=False)
    later.append(clients.want("gone"))
    await settle()
    assert clients.called == []
