"""The command line: `execwire serve`; whatever an operator can get wrong is one line and exit status 2."""

from .arguments import parser
from .commands.serve import serve_command


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; `arguments` are those after the program's name, by default sys.argv's."""
    options = vars(parser().parse_args(arguments))
    if options.pop("task") is None:
        parser().print_help()
        return
    serve_command(options)
