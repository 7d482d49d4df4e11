"""The wiring: every provider with the port that it fills. Override by construction: `Container(executor=fake, …)`."""

import socket

from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Callable, Dependency, Provider, Singleton

from ..adapters.clock import SystemClock
from ..adapters.subprocess.executor import SubprocessExecutor, SubprocessSettings
from ..adapters.tcp.connection import Surroundings
from ..adapters.tcp.exchanges import InFlightLimits
from ..adapters.tcp.peers import Peers
from ..adapters.tcp.server import TcpServer
from ..domain.ports import Clock, TaskExecutor, TaskIntake, TaskRunner
from .admission import Admission
from .drain import Drain
from .run_task import RunTask
from .settings import MIB, Settings

IN_FLIGHT_BYTES = 64 * MIB


def _subprocess_settings(settings: Settings, descriptor_limit: tuple[int, int]) -> SubprocessSettings:
    return SubprocessSettings(
        descriptor_limit=descriptor_limit,
        linger=settings.linger_ms / 1000,
        max_output=settings.max_output or None,
        max_spool=settings.max_spool,
        max_held=settings.max_held,
        spool_dir=settings.spool_dir,
    )


def _admission(runner: TaskRunner, settings: Settings) -> Admission:
    return Admission(runner, settings.max_running, settings.max_queued)


def _surroundings(settings: Settings, intake: TaskIntake, clock: Clock) -> Surroundings:
    limits = InFlightLimits(settings.max_in_flight, IN_FLIGHT_BYTES)
    return Surroundings(intake, clock, Peers(), settings.max_line, limits)


class Container(DeclarativeContainer):
    """Builds the agent, opening nothing: whoever takes a part from here opens it with `async with`."""

    settings: Provider[Settings] = Dependency(instance_of=Settings, default=Settings())
    listener: Provider[socket.socket] = Dependency(instance_of=socket.socket)
    descriptor_limit: Provider[tuple[int, int]] = Dependency(instance_of=tuple)

    clock: Provider[Clock] = Singleton(SystemClock)
    executor: Provider[TaskExecutor] = Singleton(
        SubprocessExecutor, Callable(_subprocess_settings, settings, descriptor_limit), clock
    )
    drain: Provider[Drain] = Singleton(Drain, executor, clock)
    runner: Provider[TaskRunner] = Singleton(RunTask, drain, clock)
    intake: Provider[TaskIntake] = Singleton(_admission, runner, settings)
    server: Provider[TcpServer] = Singleton(TcpServer, listener, Callable(_surroundings, settings, intake, clock))
