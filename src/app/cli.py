"""The command line: `execwire serve`; whatever an operator can get wrong is one line and exit status 2."""

import argparse
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from .. import __version__
from ..adapters.stderr import StderrWriter
from ..adapters.subprocess.spawn import raise_descriptor_limit, shield_descriptors
from ..adapters.tcp.server import open_listener
from .configuration import ConfigurationError, describe, read_settings
from .container import Container
from .logs import configure_logging
from .serve import run
from .settings import Settings

USAGE_ERROR = 2

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
    except ConfigurationError as error:
        _fail(str(error))
    serve(settings)


def serve(settings: Settings) -> None:
    """Run the agent until it is told to stop."""
    descriptor_limit = raise_descriptor_limit()
    writer = StderrWriter()
    configure_logging(settings.log_level, writer, terminal=sys.stderr.isatty())
    with _listen(settings) as listener:
        run(Container(settings=settings, listener=listener, descriptor_limit=descriptor_limit))
    writer.close()


def _listen(settings: Settings) -> socket.socket:
    try:
        return open_listener(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        _fail(f"cannot listen on {where}: {error.strerror}; free it, or choose another with --host and --port")


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
        serve_parser.add_argument(option, metavar=name.rsplit("_", 1)[-1].upper(), help=f"{text} (default {default})")
    return parser


def _fail(message: str) -> NoReturn:
    print(f"execwire: {message}", file=sys.stderr)  # noqa: T201 -- before there is a log, for the one who typed it
    sys.exit(USAGE_ERROR)
