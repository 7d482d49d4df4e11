"""How many tasks start in one turn of the event loop: a decorator around a TaskRunner, so that waiting is not stamped.

Starting a process holds the loop up until the new program is there, and on a busy machine for milliseconds. A burst of
a thousand starts in one turn would keep every other client waiting for seconds.
"""

import asyncio
from collections import deque

from ..domain.ports import TaskRunner
from ..domain.task import TaskRequest, TaskResult

STARTS_A_TURN = 4


class Pace:
    """A TaskRunner that lets at most STARTS_A_TURN tasks begin before the loop looks after everything else.

    Turns are counted only where it comes to that: one task after the other does not pay for it.
    """

    def __init__(self, runner: TaskRunner) -> None:
        """Wrap `runner`."""
        self._runner = runner
        # How many may still begin before the loop has to have a turn.
        self._left = STARTS_A_TURN
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, request: TaskRequest) -> TaskResult:
        """Begin in this turn, or in order of arrival in one of the next."""
        if self._left:
            self._begin()
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        return await self._runner.run(request)

    def _begin(self) -> None:
        self._left -= 1
        if not self._left:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._left = STARTS_A_TURN
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._begin()
