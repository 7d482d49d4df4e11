"""Makes `python -m execwire` equivalent to `execwire`."""

from .app.cli import main

main()
