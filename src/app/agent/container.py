"""Dependency injection: a provider for each port. Override by construction: `Container(executor=fake, …)`."""

import socket
from functools import partial

from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Callable, Dependency, Object, Provider, Singleton

from ...adapters.clock import SystemClock
from ...adapters.rate_limited_log import RateLimitedLog
from ...adapters.subprocess.context import Leftovers
from ...adapters.subprocess.executor import SubprocessExecutor, SubprocessSettings
from ...adapters.subprocess.spawn.environment import task_environment
from ...adapters.tcp.access import AccessPolicy
from ...adapters.tcp.context import ConnectionContext, InFlightLimits
from ...adapters.tcp.peers import Peers
from ...adapters.tcp.server import AcceptPolicy, StreamServer
from ...domain.memory import MemoryBudget
from ...domain.ports.clock import Clock
from ...domain.ports.executor import TaskExecutor
from ...domain.ports.intake import TaskIntake, TaskRunner
from ..policies.admission import Admission
from ..policies.drain import Drain
from ..policies.shared_admission import SharedAdmission
from ..scoreboard import CLIENTS, unshared_row
from ..settings.model import Settings
from ..shared_slots import SharedSlots, Siblings
from ..usecases.run_task import RunTask
from .shared_connection_slots import SharedConnectionSlots

BURST = 64
SHARED_BURST = 16
"""Connections that are accepted at one wake-up: several, so that the last client of a burst does not wait for the tasks
of the first; with other workers on the same socket, fewer, and only while none of them has far fewer connections."""
QUEUE_IS_FULL = (
    "the queue is full: reading from clients is paused until a task ends; see --max-running and --max-queued"
)


def _subprocess_settings(
    settings: Settings, descriptor_limit: tuple[int, int], environment: dict[bytes, bytes]
) -> SubprocessSettings:
    return SubprocessSettings(
        descriptor_limit=descriptor_limit,
        environment=environment,
        leftovers=Leftovers(settings.leftovers),
        linger=settings.linger_ms / 1000,
        max_output=settings.max_output or None,
        max_spool=settings.max_spool,
        spool_dir=settings.spool_dir,
        task_oom_score_adj=settings.task_oom_score_adj,
    )


def _admission(
    runner: TaskRunner, settings: Settings, clock: Clock, drain: Drain, siblings: Siblings | None
) -> Admission:
    limits = {"max_running": settings.max_running, "max_queued": settings.max_queued}
    on_full = partial(RateLimitedLog(QUEUE_IS_FULL, clock.monotonic_seconds).warning, **limits)
    if siblings is None:
        return Admission(runner, **limits, drain=drain, on_full=on_full)
    slots = SharedSlots(siblings.tasks, siblings.row, siblings.others)
    return SharedAdmission(runner, slots, settings.max_queued, drain, on_full)


def _memory(settings: Settings) -> MemoryBudget:
    return MemoryBudget(settings.max_memory)


def _context(
    settings: Settings, intake: TaskIntake, clock: Clock, memory: MemoryBudget, executor: TaskExecutor
) -> ConnectionContext:
    return ConnectionContext(
        intake=intake,
        clock=clock,
        peers=Peers(),
        max_line=settings.max_line,
        line_seconds=settings.line_seconds,
        in_flight=InFlightLimits(settings.max_in_flight, cancel_on_disconnect=settings.lost_client == "kill"),
        memory=memory,
        store=executor if isinstance(executor, SubprocessExecutor) else None,
    )


def _accept_policy(
    settings: Settings, access: AccessPolicy, row: memoryview, siblings: Siblings | None
) -> AcceptPolicy:
    return AcceptPolicy(
        access=access,
        max_connections=settings.max_connections,
        accepts_at_once=BURST if siblings is None else SHARED_BURST,
        on_count=partial(row.__setitem__, CLIENTS),
        slots=None if siblings is None else SharedConnectionSlots(siblings.connections, siblings.row, siblings.others),
    )


class Container(DeclarativeContainer):
    """Builds the parts of the agent without opening them; a caller opens a part with `async with`."""

    settings: Provider[Settings] = Dependency(instance_of=Settings, default=Settings())
    listeners: Provider[tuple[socket.socket, ...]] = Dependency(instance_of=tuple)
    access: Provider[AccessPolicy] = Dependency(instance_of=AccessPolicy)
    descriptor_limit: Provider[tuple[int, int]] = Dependency(instance_of=tuple)
    environment: Provider[dict[bytes, bytes]] = Singleton(task_environment)

    row: Provider[memoryview] = Singleton(unshared_row)
    siblings: Provider[Siblings | None] = Object(None)

    clock: Provider[Clock] = Singleton(SystemClock)
    memory: Provider[MemoryBudget] = Singleton(_memory, settings)
    executor: Provider[TaskExecutor] = Singleton(
        SubprocessExecutor, Callable(_subprocess_settings, settings, descriptor_limit, environment), clock, memory
    )
    drain: Provider[Drain] = Singleton(Drain, executor, row)
    runner: Provider[TaskRunner] = Singleton(RunTask, executor, clock)
    intake: Provider[TaskIntake] = Singleton(_admission, runner, settings, clock, drain, siblings)
    server: Provider[StreamServer] = Singleton(
        StreamServer,
        listeners,
        Callable(_context, settings, intake, clock, memory, executor),
        Callable(_accept_policy, settings, access, row, siblings),
    )
