"""Fits the limits of clients and tasks to the limit of open files: tasks wait instead of failing with EMFILE."""

import resource
from dataclasses import replace

from .model import Settings

OWN_DESCRIPTORS = 48
"""Of a worker: standard streams, listening sockets, epolls, netlink, pipes to the supervisor, spare ones, and clients
that are being rejected."""
TASK_DESCRIPTORS = 3
"""Of one task at most: its pipe, its pidfd, its spool file."""
CLIENT_DESCRIPTORS = 1
PART_KEPT = 4
"""1/PART_KEPT of the limit is kept for what outlives its task: pipes of daemons, and output that no client has read."""
MIN_DESCRIPTORS = 80
_UNLIMITED = 2**31


def max_descriptors() -> int:
    """Return the hard limit of open files, to which the agent raises its soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if hard == resource.RLIM_INFINITY else hard


def fit(settings: Settings, limit: int) -> Settings:
    """Return the `settings` with total limits of clients and running tasks that fit into `limit` of one process.

    If both limits are too high, they become equal, so that there are neither tasks without clients nor the reverse.
    """
    available = limit - limit // PART_KEPT - OWN_DESCRIPTORS
    equal = max(1, available // (TASK_DESCRIPTORS + CLIENT_DESCRIPTORS))
    clients, tasks = settings.max_connections, settings.max_running
    if clients * CLIENT_DESCRIPTORS + tasks * TASK_DESCRIPTORS <= available:
        return settings
    if clients <= equal:
        tasks = (available - clients * CLIENT_DESCRIPTORS) // TASK_DESCRIPTORS
    elif tasks <= equal:
        clients = (available - tasks * TASK_DESCRIPTORS) // CLIENT_DESCRIPTORS
    else:
        clients = tasks = equal
    return replace(settings, max_connections=max(1, clients), max_running=max(1, tasks))


def lowered(settings: Settings, limit: int) -> dict[str, object]:
    """Return, for the log, the total limits that are lower than configured, and why."""
    fitting = fit(settings, limit)
    if fitting == settings:
        return {}
    return {
        "max_connections": fitting.max_connections,
        "max_running": fitting.max_running,
        "lowered": f"the limit of {limit} open files allows no more; raise it with ulimit -n or LimitNOFILE=",
    }
