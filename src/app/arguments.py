"""The parser of the command line; an error prints one line and exits with status 2."""

import argparse
import difflib
import re
import sys
from pathlib import Path
from typing import NoReturn

from .. import __version__
from .settings.reference import entries
from .settings.sources import RENAMED

USAGE_ERROR = 2

_EPILOG = """\
Every setting can also be given in the TOML file (by the same name, with _ for -) and in the environment
(EXECWIRE_MAX_RUNNING and so on). The command line wins over the environment, the environment over the file,
the file over the defaults. EXECWIRE_CONFIG names the file where --config does not. Sizes take a unit: 64KiB,
1MiB, 2GiB.

SIGTERM, SIGINT or SIGHUP stops the agent: no new requests; running tasks get --drain-seconds and are then
killed; every accepted request gets a result. A second SIGTERM or SIGINT, 0.5 s or more after the first, kills
running tasks at once, and so does SIGQUIT at any time. A signal that was ignored at the start (nohup) stays
ignored.
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that prints an error as one line, with a hint."""

    subparsers: tuple["Parser", ...] = ()
    """The parsers of its subcommands."""

    def error(self, message: str) -> NoReturn:
        """Print the error, for an unknown option with the nearest known one, and exit."""
        unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
        # argparse reports arguments that a subcommand does not know through the top-level parser.
        where = self.subparsers[0] if self.subparsers and message.startswith("unrecognized") else self
        if unknown:
            nearest = difflib.get_close_matches(unknown[1], self._options(), 1, 0.0)
            message = f"unknown option {unknown[1]}; the nearest known one is {nearest[0]}"
        fail(f"{message} (see {where.prog} --help)")

    def _options(self) -> list[str]:
        known = [option for action in self._actions for option in action.option_strings]
        return known + [option for parser in self.subparsers for option in parser._options()]  # noqa: SLF001 -- the same class


def parser() -> Parser:
    """Return the parser: `command` is the subcommand, `config` a path, every other argument a setting as text."""
    top = Parser(
        prog="execwire",
        description="Runs commands for schedulers: newline-terminated JSON over TCP in, results out.",
    )
    top.add_argument("--version", action="version", version=f"execwire {__version__}")
    tasks = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    serve_parser = tasks.add_parser(
        "serve",
        help="accept requests until stopped; `execwire serve --help` lists the settings",
        description="Accept requests until stopped.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    serve_parser.add_argument("--config", type=Path, metavar="FILE", help="read settings from this TOML file")
    for entry in entries():
        if isinstance(entry.default, bool):
            serve_parser.add_argument(entry.option, action="store_const", const="true", help=entry.text)
        elif isinstance(entry.default, tuple):
            serve_parser.add_argument(entry.option, action="append", metavar=entry.metavar, help=entry.text)
        else:
            text = f"{entry.text} (default {entry.default_text})" if entry.default_text else entry.text
            serve_parser.add_argument(entry.option, metavar=entry.metavar, help=text)
    for old in RENAMED:
        serve_parser.add_argument(f"--{old.replace('_', '-')}", help=argparse.SUPPRESS)
    top.subparsers = (serve_parser,)
    return top


def fail(message: str) -> NoReturn:
    """Print one line and exit with USAGE_ERROR; control characters are escaped, since a terminal interprets them."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
    print(f"execwire: {text}", file=sys.stderr)  # noqa: T201 -- logging is not configured yet
    sys.exit(USAGE_ERROR)
