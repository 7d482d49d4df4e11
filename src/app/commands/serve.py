"""`execwire serve`: checks everything before the agent listens, so that a problem is one line of text, not a hang."""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import structlog

from ... import __version__
from ...adapters.linux import procfs
from ...adapters.linux.dumps import forbid_dumps
from ...adapters.stderr import NonBlockingStderr
from ...adapters.subprocess.spawn.environment import task_environment
from ...adapters.subprocess.spawn.posix import raise_descriptor_limit, set_descriptors_cloexec
from ...adapters.tcp.access import AccessPolicy
from ..agent.container import Container
from ..agent.main import worker_main
from ..arguments import fail
from ..logs import configure_logging
from ..scoreboard import CONNECTION_SLOTS, SLOTS, Scoreboard
from ..settings.cores import default_workers
from ..settings.descriptors import fit, lowered, max_descriptors
from ..settings.model import Settings
from ..settings.sources import ConfigurationError, read_settings
from ..settings.users import access
from ..shared_slots import Semaphore, Siblings, open_semaphore
from ..stop_signals import prepare_signals
from ..supervision.listening import listen
from ..supervision.supervisor import Supervisor
from ..supervision.system_check import NEEDS, SOCK_DIAG, Need, missing

STOP_MARGIN_SECONDS = 10.0
"""The time that stopping may take after the drain: killing tasks, and sending results to clients that read slowly."""


def serve_command(options: dict[str, Any]) -> None:
    """Serve with the `options` of the command line that have a value; exits with the agent's status."""
    config: Path | None = options.pop("config", None)
    prepare_signals()
    _require(NEEDS)
    set_descriptors_cloexec()
    warnings: list[str] = []
    try:
        settings = read_settings(config, os.environ, options, warnings.append)
        _check_spool(settings.spool_dir)
        allowed = access(settings)
        _warn_about_proc(warnings)
    except ConfigurationError as error:
        fail(str(error))
    if allowed.users is not None:
        _require((SOCK_DIAG,))
    serve(settings, allowed, warnings)


def serve(settings: Settings, allowed: AccessPolicy, warnings: Iterable[str]) -> NoReturn:
    """Run the agent until it is stopped; exits with its status. Logs `warnings` about its configuration first."""
    descriptor_limit, environment = raise_descriptor_limit(), task_environment()
    forbid_dumps()
    # Not sys.stderr, which is None if descriptor 2 was closed at the start.
    terminal = os.isatty(2)
    configure_logging(settings.log_level, NonBlockingStderr(), terminal=terminal)
    for warning in warnings:
        structlog.get_logger().warning(warning)
    try:
        listening = listen(settings)
    except ConfigurationError as error:
        fail(str(error))

    workers = settings.workers or default_workers()
    scoreboard = Scoreboard(workers)
    fitting = fit(settings, max_descriptors())
    semaphores: tuple[Semaphore, Semaphore] | None = None
    if workers > 1:
        try:
            semaphores = (
                open_semaphore(fitting.max_running, SLOTS),
                open_semaphore(fitting.max_connections, CONNECTION_SLOTS),
            )
        except OSError as error:
            listening.remove()
            fail(f"cannot start: {error.strerror} while opening an eventfd(2); raise the limit of open files")

    def build() -> Container:
        return Container(
            settings=fitting,
            listeners=listening.sockets,
            access=allowed,
            descriptor_limit=descriptor_limit,
            environment=environment,
            row=scoreboard.mine,
            siblings=Siblings(*semaphores, scoreboard.mine, scoreboard.others) if semaphores else None,
        )

    def work(control: int, ready: int) -> int:
        return worker_main(build, settings.log_level, control, ready, terminal=terminal)

    def announce() -> None:
        structlog.get_logger().info(
            f"listening on {listening.addresses}",
            workers=workers,
            pid=os.getpid(),
            version=__version__,
            # In the same log line: if standard error is not read yet, a second line right after it may be lost.
            **lowered(settings, max_descriptors()),
        )

    stop_seconds = settings.drain_seconds + STOP_MARGIN_SECONDS
    supervisor = Supervisor(workers, work, stop_seconds, scoreboard, semaphores or ())
    status = supervisor.run(announce)
    listening.remove()
    if supervisor.start_failure:
        fail(f"cannot start: {supervisor.start_failure}")
    sys.exit(status)


def _require(needs: Iterable[Need]) -> None:
    message = missing(needs)
    if message is not None:
        fail(message)


def _warn_about_proc(warnings: list[str]) -> None:
    if not procfs.lists_children():
        warnings.append(
            "this kernel lists no children (CONFIG_PROC_CHILDREN); /proc is scanned instead, which is slower"
        )


def _check_spool(directory: str) -> None:
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        message = f"cannot keep output in {directory}: {error.strerror}; choose another directory with --spool-dir"
        raise ConfigurationError(message) from error
