"""A client that connects repeatedly, and records refused connections and how long no request succeeded."""

import asyncio
import time
from collections import Counter

from agent import Agent

from .result_format import read_result

PAUSE_SECONDS = 0.05
ATTEMPT_SECONDS = 5.0
RECOVERY_SECONDS = 15.0
REQUEST = b'{"command":["true"],"timeout":60000}\n'


class Probe:
    """Counts the outcomes of its attempts; `served_at` is the time of the last successful one."""

    def __init__(self, agent: Agent) -> None:
        """`agent` is the one to connect to."""
        self._agent = agent
        self.counts: Counter[str] = Counter()
        self.served_at = time.monotonic()
        self.longest = 0.0

    async def run(self) -> None:
        """Connect repeatedly until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._attempt(), ATTEMPT_SECONDS)
            except ConnectionRefusedError:
                self.counts["refused"] += 1
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.counts["cut off"] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def recovery(self) -> float | None:
        """Wait for the next success; return the seconds until then, or None after a timeout."""
        begin = time.monotonic()
        while self.served_at < begin:
            if time.monotonic() > begin + RECOVERY_SECONDS:
                return None
            await asyncio.sleep(0.01)
        self.longest = max(self.longest, self.served_at - begin)
        return self.served_at - begin

    async def _attempt(self) -> None:
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
            self.counts["failed with a reason"] += 1
