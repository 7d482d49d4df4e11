"""Settings and fixtures of all tests: an error that only the event loop's exception handler sees fails the test."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import settings

# The unit suite takes seconds; `pytest --hypothesis-profile deep` searches longer.
settings.register_profile("quick", max_examples=60, deadline=None, database=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")


for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
    # An agent started with one of these ignored, as in a background job or under nohup(1), keeps it ignored.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def lost() -> AsyncIterator[list[dict[str, Any]]]:
    """Reports to the event loop's exception handler; there must be none."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    yield reports
    assert reports == []


@pytest.fixture(autouse=True)
def _no_lost_errors(request: pytest.FixtureRequest) -> None:
    # Only for tests that run in an event loop.
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("lost")
