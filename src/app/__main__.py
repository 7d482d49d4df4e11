"""Lets `python -m execwire.app` do what `execwire` does."""

from .cli import main

main()
