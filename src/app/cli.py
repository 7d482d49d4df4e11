"""The command line: `execwire serve`; whatever an operator can get wrong is one line and exit status 2."""

import argparse
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import structlog

from .. import __version__
from ..adapters.stderr import StderrNow, StderrWriter
from ..adapters.subprocess.spawn import raise_descriptor_limit, shield_descriptors
from ..adapters.tcp.listener import address_of, is_loopback, open_listener, open_unix_listener
from .configuration import ConfigurationError, describe, read_settings
from .container import Container
from .logs import configure_logging
from .serve import run
from .settings import Settings, share
from .supervisor import Supervisor
from .users import allowed_users

USAGE_ERROR = 2
STOP_MARGIN_SECONDS = 10.0
"""What stopping may take beyond the drain: killing, and answering clients that read slowly."""

_EPILOG = """\
Every setting can also stand in the TOML file (by the same name, with _ for -) and in the environment
(EXECWIRE_MAX_RUNNING and so on). The command line wins over the environment, the environment over the file,
the file over the defaults. EXECWIRE_CONFIG names the file where --config does not. Sizes take a unit: 64KiB,
1MiB, 2GiB.

SIGTERM, SIGINT or SIGHUP stops the agent: no new requests; running tasks get --drain-seconds and are then
killed; every request that was accepted is answered. A second signal kills what runs at once.
"""


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; `arguments` are those after the program's name, by default sys.argv's."""
    options = vars(_parser().parse_args(arguments))
    if options.pop("task") is None:
        _parser().print_help()
        return
    config: Path | None = options.pop("config", None)
    shield_descriptors()
    try:
        settings = read_settings(config, os.environ, options)
        _check_spool(settings.spool_dir)
        allowed_users(settings.allow_user)
    except ConfigurationError as error:
        _fail(str(error))
    serve(settings)


def serve(settings: Settings) -> NoReturn:
    """Run the agent until it is told to stop; exits with its status."""
    descriptor_limit = raise_descriptor_limit()
    terminal = sys.stderr.isatty()
    configure_logging(settings.log_level, StderrNow(), terminal=terminal)
    listeners = _listen(settings)

    def work(orders: int, ready: int) -> int:
        writer = StderrWriter()
        configure_logging(settings.log_level, writer, terminal=terminal)
        container = Container(settings=share(settings), listeners=listeners, descriptor_limit=descriptor_limit)
        try:
            run(container, orders, ready)
        except Exception:  # noqa: BLE001 -- told by the log, which cannot block, instead of by a traceback, which can
            structlog.get_logger().exception("the worker failed")
            return 1
        finally:
            writer.close()
        return 0

    def announce() -> None:
        addresses = [address_of(listener) for listener in listeners]
        structlog.get_logger().info(f"listening on {' and '.join(addresses)}", workers=settings.workers)

    supervisor = Supervisor(settings.workers, work, settings.drain_seconds + STOP_MARGIN_SECONDS)
    status = supervisor.run(announce)
    if settings.unix:
        Path(settings.unix).unlink(missing_ok=True)
    sys.exit(status)


def _listen(settings: Settings) -> tuple[socket.socket, ...]:
    where = f"{settings.host}:{settings.port}"
    try:
        if not (settings.insecure_bind or is_loopback(settings.host)):
            _fail(
                f"will not listen on {where}, where other hosts could send commands in the clear; listen on 127.0.0.1"
                " and let clients in through a tunnel (ssh -L, or TLS by stunnel), or insist with --insecure-bind"
            )
        listeners = [open_listener(settings.host, settings.port)]
        if settings.unix:
            where = settings.unix
            listeners.append(open_unix_listener(Path(settings.unix)))
    except OSError as error:
        _fail(f"cannot listen on {where}: {error.strerror}; free it, or choose another with --host, --port or --unix")
    return tuple(listeners)


def _check_spool(directory: str) -> None:
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        message = f"cannot keep output in {directory}: {error.strerror}; choose another directory with --spool-dir"
        raise ConfigurationError(message) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="execwire",
        description="Runs commands for schedulers: newline-terminated JSON over TCP in, results out.",
    )
    parser.add_argument("--version", action="version", version=f"execwire {__version__}")
    tasks = parser.add_subparsers(dest="task", metavar="COMMAND")
    serve_parser = tasks.add_parser(
        "serve",
        help="accept requests until told to stop; `execwire serve --help` lists the settings",
        description="Accept requests until told to stop.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    serve_parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML file")
    for name, text, default in describe():
        option = f"--{name.replace('_', '-')}"
        if isinstance(default, bool):
            serve_parser.add_argument(option, action="store_const", const="true", help=text)
        elif isinstance(default, tuple):
            serve_parser.add_argument(option, action="append", metavar=_metavar(name), help=text)
        else:
            shown = f"{text} (default {default})" if default != "" else text
            serve_parser.add_argument(option, metavar=_metavar(name), help=shown)
    return parser


def _metavar(name: str) -> str:
    return name.rsplit("_", 1)[-1].upper()


def _fail(message: str) -> NoReturn:
    print(f"execwire: {message}", file=sys.stderr)  # noqa: T201 -- before there is a log, for the one who typed it
    sys.exit(USAGE_ERROR)
