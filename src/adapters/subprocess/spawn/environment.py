"""The environment of tasks: exactly the agent's initial environment without the variables for the agent alone."""

import os
from pathlib import Path

OWN_PREFIXES = (b"EXECWIRE_", b"LISTEN_", b"WATCHDOG_")
"""The agent's own settings, and what a service manager sets for services (sd_listen_fds(3), sd_watchdog_enabled(3))."""
OWN_NAMES = frozenset({b"NOTIFY_SOCKET", b"MAKEFLAGS", b"MFLAGS", b"MAKELEVEL"})
"""sd_notify(3), and what make(1) passes to a recursive make: descriptors and options that do not concern a task."""


def task_environment() -> dict[bytes, bytes]:
    """Return the environment of this program at its start (execve(2)), without the variables for the agent alone.

    Not os.environ, since Python adds to that (LC_CTYPE, if it finds no locale). It is os.environ only if this process
    may not read its own initial environment, for example when its user may not read the program's file. Raises OSError
    if there is no /proc.
    """
    try:
        block = Path("/proc/self/environ").read_bytes()
    except PermissionError:
        block = b"\0".join(name + b"=" + value for name, value in os.environb.items())
    return parse(block)


def parse(block: bytes) -> dict[bytes, bytes]:
    """Parse the contents of proc_pid_environ(5).

    If a name occurs twice, the first value counts, as for getenv(3); an entry without `=` or without a name is ignored.
    """
    environment: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name and not (name in OWN_NAMES or name.startswith(OWN_PREFIXES)):
            environment.setdefault(name, value)
    return environment
