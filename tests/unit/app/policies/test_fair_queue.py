import asyncio

import pytest

from execwire.app.policies.fair_queue import FairQueue, Place


class Queue:
    """A FairQueue with places that are named by the letter of a client and a number."""

    def __init__(self, *names: str) -> None:
        self.queue = FairQueue()
        self.places: dict[str, Place] = {}
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        self.places[name] = asyncio.get_running_loop().create_future()
        self.queue.append(name[0], self.places[name])

    def remove(self, name: str) -> None:
        self.queue.remove(name[0], self.places[name])

    def pop(self) -> str:
        place = self.queue.pop()
        return next(name for name, other in self.places.items() if other is place)

    def all(self) -> list[str]:
        return [self.pop() for _ in range(self.queue.size)]


async def test_places_of_one_client_are_popped_in_fifo_order() -> None:
    assert Queue("a1", "a2", "a3").all() == ["a1", "a2", "a3"]


async def test_clients_are_popped_in_round_robin_order() -> None:
    assert Queue("a1", "a2", "a3", "b1", "c1", "b2").all() == ["a1", "b1", "c1", "a2", "b2", "a3"]


async def test_new_client_waits_for_one_place_of_each_other_client() -> None:
    queue = Queue("a1", "a2", "a3", "b1", "b2")
    assert queue.pop() == "a1"
    queue.append("c1")
    assert queue.all() == ["b1", "a2", "c1", "b2", "a3"]


async def test_client_is_removed_with_its_last_place() -> None:
    queue = Queue("a1", "a2", "b1", "c1")
    queue.remove("a1")
    queue.remove("b1")
    queue.remove("b1")
    assert queue.queue.size == 2
    assert queue.all() == ["a2", "c1"]
    queue.remove("c1")
    assert queue.queue.size == 0


async def test_pop_of_an_empty_queue_raises() -> None:
    with pytest.raises(KeyError):
        FairQueue().pop()
