"""The command line; imports only what the given command needs. An error prints one line and exits with status 2."""

from importlib import import_module

from .arguments import parser

COMMANDS = {"serve": "serve:serve_command"}
"""Each command, and the function of `commands` that runs it with its options, as "module:function"."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; `arguments` are those after the program's name, by default from sys.argv."""
    options = vars(parser().parse_args(arguments))
    command = options.pop("command")
    if command is None:
        parser().print_help()
        return
    module, _, function = COMMANDS[command].partition(":")
    getattr(import_module(f".commands.{module}", __package__), function)(options)
