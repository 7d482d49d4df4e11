"""Makes `python -m execwire.app` equivalent to `execwire`."""

from .cli import main

main()
