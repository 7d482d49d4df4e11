"""Turns of the event loop: for the tests whose subject is what happens in which turn, without any time passing."""

import asyncio

ENOUGH = 50
"""More turns than anything without I/O takes from a cause to its last effect."""


async def settle(turns: int = ENOUGH) -> None:
    """Let everything happen that can happen without time or I/O; afterwards "not yet" means "not at all"."""
    for _ in range(turns):
        await asyncio.sleep(0)
