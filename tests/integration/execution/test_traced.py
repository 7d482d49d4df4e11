"""A dead command held by a tracer, ptrace(2): its pidfd stays readable although it cannot be reaped yet."""

import sys

from agent import running_agent
from proc import cpu_seconds

HELD_SECONDS = 1.0
LEADER_DIES_HELD = f"""
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
SEIZE, SET_PTRACER, ANY = 0x4206, 0x59616d61, ctypes.c_ulong(-1)
libc.prctl(SET_PTRACER, ANY, 0, 0, 0)
leader, (reading, writing) = os.getpid(), os.pipe()
if os.fork() == 0:
    os.setsid()
    os.close(1)
    error = libc.ptrace(SEIZE, leader, None, None)
    os.write(writing, b"!")
    time.sleep({HELD_SECONDS} if error == 0 else 0)
    os._exit(0)
os.read(reading, 1)
os._exit(7)
"""


async def test_dead_traced_command_uses_no_cpu_and_gets_result_when_tracer_detaches() -> None:
    async with running_agent() as agent:
        before = cpu_seconds(agent.worker)
        result = await agent.run(sys.executable, "-c", LEADER_DIES_HELD)
        spent = cpu_seconds(agent.worker) - before
    assert (result["exit_code"], result["error"]) == (7, "")
    # Otherwise it was not traced, and the test would be void.
    assert result["duration_ms"] >= HELD_SECONDS * 1000
    assert spent < HELD_SECONDS / 2
