"""Agents that stay up for all the tests of a module: for tests that leave no trace in them."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from agent import Agent, running_agent


@contextmanager
def module_agent(
    *options: str, environment: dict[str, str] | None = None, launcher: tuple[str, ...] = ()
) -> Generator[Agent]:
    """Have `running_agent` outlive the event loop of one test; its process belongs to another one, which stands still.

    Tests talk to it through connections of their own loops.
    """
    with asyncio.Runner() as runner:
        opened = running_agent(*options, environment=environment, launcher=launcher)
        agent = runner.run(opened.__aenter__())
        try:
            yield agent
        finally:
            runner.run(opened.__aexit__(None, None, None))
