"""The signals that stop the agent, as they really come: several at once, and in the middle of anything."""

import asyncio
import signal
import sys

from agent import running_agent

# Each line of the log is interrupted by the next signal: a handler that waited for the line's lock would never end.
INTERRUPTED = """
import os, signal
from execwire.app.logs import configure_logging
from execwire.app.supervisor import Supervisor

signals = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]

class Interrupted:
    def write(self, text):
        if signals:
            os.kill(os.getpid(), signals.pop())
        return os.write(2, text.encode())

    def flush(self):
        pass

def work(orders, ready):
    os.write(ready, b"!")
    while os.read(orders, 1) == b"s":
        pass
    return 0

configure_logging("info", Interrupted(), terminal=False)
raise SystemExit(Supervisor(1, work, 5.0).run(lambda: os.kill(os.getpid(), signal.SIGTERM)))
"""


async def test_a_stop_signal_in_the_middle_of_a_log_line_is_obeyed_after_it() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", INTERRUPTED, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(20):
            _, log = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert log.count(b'"event": "stopping"') >= 2


async def test_a_flood_of_stop_signals_stops_the_agent_like_one() -> None:
    async with running_agent() as agent:
        for _ in range(100):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                agent.process.send_signal(number)
        assert await agent.stop() == 0
