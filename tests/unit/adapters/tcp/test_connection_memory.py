"""Memory of clients, and which of them are not read when it is used up."""

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
    """An OverflowStore that stores in memory, or is full."""

    full: bool = False
    kept: list[FakeOutput] = field(default_factory=list[FakeOutput])
    calls: int = 0

    async def keep(self, data: bytes) -> CapturedOutput:
        self.calls += 1
        if self.full:
            raise OSError(28, "No space left on device")
        self.kept.append(FakeOutput([data]))
        return self.kept[-1]


def used_up(budget: MemoryBudget) -> MemoryHolder:
    """Use up the common half, by another holder."""
    holder = MemoryHolder(budget, lambda: None)
    holder.charge(BUDGET)
    return holder


async def test_large_client_is_not_read_until_memory_is_free_and_a_small_one_is() -> None:
    budget = MemoryBudget(BUDGET)
    limits = Limits(memory=budget)
    async with Served(limits=limits, answer=answer) as large, Served(limits=limits) as other:
        large.transport.client_reads = False
        await large.send(*[ask("a")] * 15)
        holder = used_up(budget)
        await large.send(ask("late"))
        assert "late" not in large.taken
        assert not large.transport.is_reading()
        await other.send(ask("b"))
        assert other.commands == ["b"]
        holder.charge(-BUDGET)
        await settle()
        assert "late" in large.taken
        large.transport.client_reads = True
        large.transport.catch_up()
        await settle()
        assert len(large.results) == 16
    holder.close()
    assert budget.free == BUDGET // 2


async def test_answers_go_to_the_store_and_are_sent_from_it_in_order() -> None:
    budget, store = MemoryBudget(BUDGET), FakeStore()
    async with Served(limits=Limits(memory=budget, store=store), answer=answer) as large:
        large.transport.client_reads = False
        names = [f"task-{number}" for number in range(60)]
        await large.send(*map(ask, names))
        assert len(store.kept) > 30
        assert large.taken == names
        large.transport.client_reads = True
        large.transport.catch_up()
        await settle(400)
        assert large.commands == names
        assert all(len(result["output"]) == OUTPUT for result in large.results)
    assert all(kept.closed for kept in store.kept)
    assert budget.free == BUDGET // 2


async def test_answers_stay_in_memory_and_reading_is_paused_if_the_store_is_full() -> None:
    budget = MemoryBudget(BUDGET)
    async with Served(limits=Limits(memory=budget, store=FakeStore(full=True)), answer=answer) as large:
        large.transport.client_reads = False
        for _ in range(60):
            await large.send(ask("a"))
        assert len(large.taken) < 30
        assert not large.transport.is_reading()
        large.transport.client_reads = True
        large.transport.catch_up()
        await settle(400)
        assert len(large.results) == 60


async def test_full_store_is_not_retried_while_nothing_changes() -> None:
    budget, store = MemoryBudget(BUDGET), FakeStore(full=True)
    async with Served(limits=Limits(memory=budget, store=store), answer=answer) as large:
        large.transport.client_reads = False
        for _ in range(60):
            await large.send(ask("a"))
        assert not large.transport.is_reading()
        await settle(100)
        calls = store.calls
        await settle(400)
        assert store.calls == calls


async def test_partial_line_is_charged_and_times_out_without_memory_for_the_rest() -> None:
    budget = MemoryBudget(BUDGET)
    async with Served(limits=Limits(memory=budget, line_seconds=0.01)) as client:
        holder = used_up(budget)
        before = budget.free
        await client.send(b'{"comm')
        assert budget.free < before
        holder.close()
