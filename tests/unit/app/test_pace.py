import asyncio
from dataclasses import dataclass, field

import pytest
from served import echo
from turns import settle

from execwire.app.pace import STARTS_A_TURN, Pace
from execwire.domain.control import TaskControl
from execwire.domain.task import TaskRequest, TaskResult


@dataclass
class FakeTaskRunner:
    """A TaskRunner that notes in which turn of the loop each task began."""

    turn: int = 0
    begun: dict[str, int] = field(default_factory=dict[str, int])

    async def run(self, request: TaskRequest, control: TaskControl | None = None) -> TaskResult:  # noqa: ARG002
        self.begun[request.command[0]] = self.turn
        return echo(request)


class Paced:
    """A Pace over such a runner, and the turns of the loop."""

    def __init__(self) -> None:
        self.runner = FakeTaskRunner()
        self.pace = Pace(self.runner)

    def start(self, *names: str) -> list[asyncio.Task[TaskResult]]:
        return [asyncio.create_task(self.pace.run(TaskRequest((name,)))) for name in names]

    async def turns(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)
            self.runner.turn += 1


@pytest.fixture
def paced() -> Paced:
    return Paced()


def names(count: int) -> list[str]:
    return [f"task-{number:02}" for number in range(count)]


async def test_a_task_alone_begins_at_once(paced: Paced) -> None:
    paced.start("a")
    await paced.turns(1)
    assert paced.runner.begun == {"a": 0}


async def test_a_burst_begins_a_few_a_turn_in_order_of_arrival(paced: Paced) -> None:
    paced.start(*names(5 * STARTS_A_TURN))
    await paced.turns(100)
    assert list(paced.runner.begun) == names(5 * STARTS_A_TURN)
    in_turn = [list(paced.runner.begun.values()).count(turn) for turn in range(100)]
    assert max(in_turn) == STARTS_A_TURN
    assert in_turn[0] == STARTS_A_TURN


async def test_who_comes_later_does_not_overtake_who_waits(paced: Paced) -> None:
    paced.start(*names(3 * STARTS_A_TURN))
    await paced.turns(2)
    paced.start("late")
    await paced.turns(20)
    assert list(paced.runner.begun) == [*names(3 * STARTS_A_TURN), "late"]


async def test_who_gives_up_while_waiting_takes_nobodys_turn(paced: Paced) -> None:
    tasks = paced.start(*names(2 * STARTS_A_TURN + 1))
    await paced.turns(1)
    for task in tasks[STARTS_A_TURN:-1]:
        task.cancel()
    await paced.turns(3)
    assert list(paced.runner.begun) == [*names(STARTS_A_TURN), names(2 * STARTS_A_TURN + 1)[-1]]


async def test_one_turn_later_there_is_room_for_as_many_again(paced: Paced) -> None:
    for burst in range(3):
        paced.start(*(f"{burst}-{name}" for name in names(STARTS_A_TURN)))
        await settle()
        paced.runner.turn += 1
    assert len(paced.runner.begun) == 3 * STARTS_A_TURN


async def test_the_result_is_the_runners(paced: Paced) -> None:
    [task] = paced.start("a")
    assert (await task).command == ("a",)
