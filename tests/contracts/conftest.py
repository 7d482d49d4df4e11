"""Every TaskExecutor that there is, and names for what it runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import phrasebooks
import pytest
from phrasebook import Phrasebook

Opener = Callable[[], AbstractAsyncContextManager[Phrasebook]]


@pytest.fixture(params=[phrasebooks.real, phrasebooks.fake, phrasebooks.drained], ids=["real", "fake", "drained"])
async def book(request: pytest.FixtureRequest) -> AsyncIterator[Phrasebook]:
    opener: Opener = request.param
    async with opener() as book:
        yield book


@pytest.fixture
def name() -> str:
    return f"execwire-test-{uuid4().hex}"
