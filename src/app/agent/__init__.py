"""One worker: its wiring, its life from opening to stopping, and its main function."""
