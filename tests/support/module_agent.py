"""Agents that run for all tests of a module, for tests that do not change their state."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from agent import Agent, running_agent


@contextmanager
def module_agent(
    *options: str, environment: dict[str, str] | None = None, launcher: tuple[str, ...] = ()
) -> Generator[Agent]:
    """Run an agent longer than the event loop of one test; its process belongs to another loop, which does not run.

    Tests connect to it in their own event loops.
    """
    with asyncio.Runner() as runner:
        opened = running_agent(*options, environment=environment, launcher=launcher)
        agent = runner.run(opened.__aenter__())
        try:
            yield agent
        finally:
            runner.run(opened.__aexit__(None, None, None))
