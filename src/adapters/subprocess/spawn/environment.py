"""The environment of tasks: what the agent was given, less what was meant for the agent alone; and nothing else."""

import os
from pathlib import Path

OWN_PREFIXES = (b"EXECWIRE_", b"LISTEN_", b"WATCHDOG_")
"""The agent's own settings, and what a service manager says to a service (sd_listen_fds(3), sd_watchdog_enabled(3))."""
OWN_NAMES = frozenset({b"NOTIFY_SOCKET", b"MAKEFLAGS", b"MFLAGS", b"MAKELEVEL"})
"""sd_notify(3), and what make(1) says to a make below it: descriptors and options that a task has no part in."""


def task_environment() -> dict[bytes, bytes]:
    """Return the environment as it was at this program's start (execve(2)), without what is the agent's own.

    Not os.environ: Python adds to that (LC_CTYPE, where it finds no locale). Where this process may not
    read its own, as that of a program that its user may not read, it is os.environ all the same. Raises OSError where
    there is no /proc.
    """
    try:
        block = Path("/proc/self/environ").read_bytes()
    except PermissionError:
        block = b"\0".join(name + b"=" + value for name, value in os.environb.items())
    return parse(block)


def parse(block: bytes) -> dict[bytes, bytes]:
    """Read what proc_pid_environ(5) holds.

    Of a name that comes twice the first counts, as for getenv(3); what has no `=` or no name is no variable.
    """
    environment: dict[bytes, bytes] = {}
    for entry in block.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and name and not (name in OWN_NAMES or name.startswith(OWN_PREFIXES)):
            environment.setdefault(name, value)
    return environment
