import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from dependency_injector.providers import Provider

from execwire.adapters.clock import SystemClock
from execwire.adapters.subprocess.executor import SubprocessExecutor
from execwire.adapters.tcp.access import AccessPolicy
from execwire.app.agent.container import Container
from execwire.app.settings.model import Settings
from execwire.testing import FakeClock, FakeTaskExecutor


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    # Not bound: a placeholder for a listening socket.
    with socket.socket() as listener:
        yield listener


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def providers(container: Container) -> dict[str, Provider[object]]:
    return container.providers


async def test_every_provider_can_be_built_and_opens_nothing(listener: socket.socket) -> None:
    container = Container(listeners=(listener,), access=AccessPolicy(None), descriptor_limit=(64, 64))
    before = descriptors()
    built = {name: provider() for name, provider in providers(container).items()}
    assert descriptors() == before
    assert built.keys() >= {"settings", "clock", "executor", "drain", "runner", "intake", "server"}
    assert [name for name, part in built.items() if part is None] == ["siblings"]
    assert isinstance(built["executor"], SubprocessExecutor)
    assert isinstance(built["clock"], SystemClock)


async def test_providers_return_the_same_part_each_time(listener: socket.socket) -> None:
    container = Container(listeners=(listener,), access=AccessPolicy(None), descriptor_limit=(64, 64))
    for name, provider in providers(container).items():
        assert provider() is provider(), name


async def test_arguments_of_the_container_override_its_parts() -> None:
    clock = FakeClock()
    executor = FakeTaskExecutor(clock)
    settings = Settings(port=0)
    container = Container(executor=executor, clock=clock, settings=settings)
    assert container.executor() is executor
    assert container.clock() is clock
    assert container.settings() is settings


async def test_containers_are_independent() -> None:
    clock = FakeClock()
    first = Container(executor=FakeTaskExecutor(clock), clock=clock)
    second = Container(executor=FakeTaskExecutor(clock), clock=clock)
    assert first.intake() is not second.intake()
    assert isinstance(Container().clock(), SystemClock)


async def test_invalid_settings_are_rejected() -> None:
    with pytest.raises(Exception, match="Settings"):
        Container(settings="port = 3000").settings()
