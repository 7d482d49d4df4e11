"""What clients hold in memory, and who is not read when it is too much."""

from dataclasses import dataclass, field

from connection_harness import Limits, Served, ask
from event_loop import settle
from fakes import FakeOutput

from execwire.domain.memory import MemoryBudget, MemoryHolder
from execwire.domain.output import CapturedOutput
from execwire.domain.task import TaskRequest, TaskResult

BUDGET = 4 * 1024 * 1024
OUTPUT = 100_000


def answer(request: TaskRequest) -> TaskResult:
    return TaskResult(request.command, 0, 0.0, 0, FakeOutput([b"x" * OUTPUT], is_in_memory=True), "")


@dataclass
class FakeStore:
    """An OverflowStore that keeps what it is given, or is full."""

    full: bool = False
    kept: list[FakeOutput] = field(default_factory=list[FakeOutput])
    asked: int = 0

    async def keep(self, data: bytes) -> CapturedOutput:
        self.asked += 1
        if self.full:
            raise OSError(28, "No space left on device")
        self.kept.append(FakeOutput([data]))
        return self.kept[-1]


def used_up(budget: MemoryBudget) -> MemoryHolder:
    """Have somebody else hold all that is common."""
    holder = MemoryHolder(budget, lambda: None)
    holder.charge(BUDGET)
    return holder


async def test_who_holds_too_much_is_not_read_until_memory_is_free_and_whoever_holds_little_is() -> None:
    budget = MemoryBudget(BUDGET)
    limits = Limits(memory=budget)
    async with Served(limits=limits, answer=answer) as hog, Served(limits=limits) as other:
        hog.transport.client_reads = False
        await hog.send(*[ask("a")] * 15)
        holder = used_up(budget)
        await hog.send(ask("late"))
        assert "late" not in hog.taken
        assert not hog.transport.is_reading()
        await other.send(ask("b"))
        assert other.commands == ["b"]
        holder.charge(-BUDGET)
        await settle()
        assert "late" in hog.taken
        hog.transport.client_reads = True
        hog.transport.catch_up()
        await settle()
        assert len(hog.results) == 16
    holder.close()
    assert budget.free == BUDGET // 2


async def test_its_answers_go_to_the_store_and_come_from_there_in_their_order() -> None:
    budget, store = MemoryBudget(BUDGET), FakeStore()
    async with Served(limits=Limits(memory=budget, store=store), answer=answer) as hog:
        hog.transport.client_reads = False
        names = [f"task-{number}" for number in range(60)]
        await hog.send(*map(ask, names))
        assert len(store.kept) > 30
        assert hog.taken == names
        hog.transport.client_reads = True
        hog.transport.catch_up()
        await settle(400)
        assert hog.commands == names
        assert all(len(result["output"]) == OUTPUT for result in hog.results)
    assert all(kept.closed for kept in store.kept)
    assert budget.free == BUDGET // 2


async def test_where_the_store_is_full_they_stay_and_the_client_is_not_read() -> None:
    budget = MemoryBudget(BUDGET)
    async with Served(limits=Limits(memory=budget, store=FakeStore(full=True)), answer=answer) as hog:
        hog.transport.client_reads = False
        for _ in range(60):
            await hog.send(ask("a"))
        assert len(hog.taken) < 30
        assert not hog.transport.is_reading()
        hog.transport.client_reads = True
        hog.transport.catch_up()
        await settle(400)
        assert len(hog.results) == 60


async def test_a_store_that_is_full_is_not_asked_again_and_again_while_nothing_else_happens() -> None:
    budget, store = MemoryBudget(BUDGET), FakeStore(full=True)
    async with Served(limits=Limits(memory=budget, store=store), answer=answer) as hog:
        hog.transport.client_reads = False
        for _ in range(60):
            await hog.send(ask("a"))
        assert not hog.transport.is_reading()
        await settle(100)
        asked = store.asked
        await settle(400)
        assert store.asked == asked


async def test_half_a_line_counts_and_is_given_up_in_time_where_there_is_no_memory_for_the_rest() -> None:
    budget = MemoryBudget(BUDGET)
    async with Served(limits=Limits(memory=budget, line_seconds=0.01)) as client:
        holder = used_up(budget)
        before = budget.free
        await client.send(b'{"comm')
        assert budget.free < before
        holder.close()
