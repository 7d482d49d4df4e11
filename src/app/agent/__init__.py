"""One worker: its dependency injection, its lifecycle, and its main function."""
