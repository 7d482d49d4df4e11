import asyncio

from event_loop import settle

from execwire.adapters.subprocess.throttle import Throttle

A_TURN = 3


class CountedTurns(Throttle):
    """Turns that counts how often the loop was asked for one."""

    counted = 0

    def _on_iteration(self) -> None:
        self.counted += 1
        super()._on_iteration()


async def test_burst_continues_a_few_callers_per_iteration_in_order_of_arrival() -> None:
    turns, gone_on = Throttle(A_TURN), list[int]()

    async def caller(number: int) -> None:
        await turns.wait()
        gone_on.append(number)

    callers = [asyncio.create_task(caller(number)) for number in range(10)]
    seen: list[int] = []
    while len(gone_on) < 10:
        await asyncio.sleep(0)
        seen.append(len(gone_on))
    assert gone_on == list(range(10))
    steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    assert max(steps) == A_TURN
    await asyncio.wait(callers)


async def test_sequential_callers_schedule_an_iteration_only_at_the_limit() -> None:
    turns = CountedTurns(A_TURN)
    for _ in range(4 * A_TURN):
        await turns.wait()
        await settle()
    assert turns.counted == 4


async def test_no_iteration_is_scheduled_without_callers() -> None:
    turns = CountedTurns(A_TURN)
    await asyncio.gather(*(turns.wait() for _ in range(10)))
    await settle()
    counted = turns.counted
    assert counted == 10 // A_TURN
    await settle()
    assert turns.counted == counted


async def test_cancelled_caller_does_not_count_towards_the_limit() -> None:
    turns = Throttle(1)
    callers = [asyncio.create_task(turns.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    await asyncio.wait(callers)
    assert [caller.cancelled() for caller in callers] == [False, True, False]
