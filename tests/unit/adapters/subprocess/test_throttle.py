import asyncio

from event_loop import settle

from execwire.adapters.subprocess.throttle import Throttle

PER_ITERATION = 3


class CountingThrottle(Throttle):
    """A Throttle that counts the iterations that it has scheduled."""

    counted = 0

    def _on_iteration(self) -> None:
        self.counted += 1
        super()._on_iteration()


async def test_burst_continues_a_few_callers_per_iteration_in_order_of_arrival() -> None:
    throttle, continued = Throttle(PER_ITERATION), list[int]()

    async def caller(number: int) -> None:
        await throttle.wait()
        continued.append(number)

    callers = [asyncio.create_task(caller(number)) for number in range(10)]
    seen: list[int] = []
    while len(continued) < 10:
        await asyncio.sleep(0)
        seen.append(len(continued))
    assert continued == list(range(10))
    steps = [after - before for before, after in zip([0, *seen], seen, strict=False)]
    assert max(steps) == PER_ITERATION
    await asyncio.wait(callers)


async def test_sequential_callers_schedule_an_iteration_only_at_the_limit() -> None:
    throttle = CountingThrottle(PER_ITERATION)
    for _ in range(4 * PER_ITERATION):
        await throttle.wait()
        await settle()
    assert throttle.counted == 4


async def test_no_iteration_is_scheduled_without_callers() -> None:
    throttle = CountingThrottle(PER_ITERATION)
    await asyncio.gather(*(throttle.wait() for _ in range(10)))
    await settle()
    counted = throttle.counted
    assert counted == 10 // PER_ITERATION
    await settle()
    assert throttle.counted == counted


async def test_cancelled_caller_does_not_count_towards_the_limit() -> None:
    throttle = Throttle(1)
    callers = [asyncio.create_task(throttle.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    await asyncio.wait(callers)
    assert [caller.cancelled() for caller in callers] == [False, True, False]
