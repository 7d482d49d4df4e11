import pytest
from proc import eventually

from execwire.app.agent import heartbeat
from execwire.app.agent.heartbeat import Heartbeat
from execwire.app.scoreboard import BEAT, HOLDERS, MEMORY, SPOOL, Scoreboard
from execwire.domain.budget import Budget
from execwire.domain.memory import MemoryBudget, MemoryHolder
from execwire.testing import FakeClock


async def test_workers_learn_from_each_other_what_they_use() -> None:
    first, second, third = Scoreboard(3).rows
    clock, memory, spool = FakeClock(monotonic=5.0), MemoryBudget(1000), Budget(500)
    holder = MemoryHolder(memory, lambda: None)
    holder.charge(100)
    spool.reserve(50)
    second[MEMORY], second[SPOOL], third[MEMORY], third[HOLDERS] = 200, 60, 30, 4
    heart = Heartbeat(first, [second, third], clock, memory, spool)
    heart.start()
    heart.stop()
    assert (first[BEAT], first[MEMORY], first[HOLDERS], first[SPOOL]) == (5000, 100, 1, 50)
    assert memory.free == 500 - 100 - 230
    assert spool.free == 500 - 50 - 60


async def test_executor_without_a_spool_is_no_error() -> None:
    first, second = Scoreboard(2).rows
    heart = Heartbeat(first, [second], FakeClock(), MemoryBudget(1000), None)
    heart.start()
    heart.stop()
    assert first[SPOOL] == 0


async def test_heart_beats_on_although_there_was_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    first, second = Scoreboard(2).rows
    clock, memory = FakeClock(monotonic=1.0), MemoryBudget(1000)

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(MemoryBudget, "subtract_others", fail)
    heart = Heartbeat(first, [second], clock, memory, None)
    heart.start()
    clock.advance(1)
    await eventually(lambda: first[BEAT] == 2000)
    heart.stop()
