"""What every test gets: a loop in which nothing may be lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import settings

# The unit suite stays within seconds; `pytest --hypothesis-profile deep` searches on.
settings.register_profile("quick", max_examples=60, deadline=None, database=None)
settings.register_profile("deep", max_examples=5000, deadline=None)
settings.load_profile("quick")


for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
    # An agent that is started with one of them ignored, as from a background job or under nohup(1), leaves it ignored.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
async def lost() -> AsyncIterator[list[dict[str, Any]]]:
    """What the loop could only report to its exception handler; it must be nothing."""
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    yield reports
    assert reports == []


@pytest.fixture(autouse=True)
def _nothing_is_lost(request: pytest.FixtureRequest) -> None:
    # Only where the test runs in a loop at all.
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("lost")
