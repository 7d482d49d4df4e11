"""One agent for all tests of a file: it outlives their loops."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from agent import Agent, running_agent


@contextmanager
def shared_agent(*options: str) -> Generator[Agent]:
    """Start an agent for a fixture of module scope; see it end."""
    with asyncio.Runner() as runner:
        context = running_agent(*options)
        agent = runner.run(context.__aenter__())
        try:
            yield agent
        finally:
            runner.run(context.__aexit__(None, None, None))
