"""The command line: `execwire serve`; an error of the operator prints one line and exits with status 2."""

from .arguments import parser
from .commands.serve import serve_command


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; `arguments` are those after the program's name, by default from sys.argv."""
    options = vars(parser().parse_args(arguments))
    if options.pop("task") is None:
        parser().print_help()
        return
    serve_command(options)
