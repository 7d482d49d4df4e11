"""Lets `python -m execwire` do what `execwire` does."""

from .app.cli import main

main()
