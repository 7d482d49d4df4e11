"""A client that knocks again and again, and notes whether it was refused and how long nobody was served."""

import asyncio
import time
from collections import Counter

from agent import Agent

from .result_format import read_result

PAUSE_SECONDS = 0.05
KNOCK_SECONDS = 5.0
RECOVERY_SECONDS = 15.0
REQUEST = b'{"command":["true"],"timeout":60000}\n'


class Probe:
    """Counts what its knocks met; `served_at` is when the last one was answered with success."""

    def __init__(self, agent: Agent) -> None:
        """Knock at this agent."""
        self._agent = agent
        self.counts: Counter[str] = Counter()
        self.served_at = time.monotonic()
        self.longest = 0.0

    async def run(self) -> None:
        """Knock until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._knock(), KNOCK_SECONDS)
            except ConnectionRefusedError:
                self.counts["refused"] += 1
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.counts["cut off"] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def recovery(self) -> float | None:
        """Return how many seconds from now somebody is served; None if nobody is for too long."""
        begin = time.monotonic()
        while self.served_at < begin:
            if time.monotonic() > begin + RECOVERY_SECONDS:
                return None
            await asyncio.sleep(0.01)
        self.longest = max(self.longest, self.served_at - begin)
        return self.served_at - begin

    async def _knock(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._agent.port)
        try:
            writer.write(REQUEST)
            result = read_result((await reader.readuntil())[:-1])
        finally:
            writer.close()
        if result.exit_code == 0:
            self.served_at = time.monotonic()
            self.counts["served"] += 1
        else:
            self.counts["told why not"] += 1
