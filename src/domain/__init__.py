"""What a task is and how it can end. Standard-library data types only; no I/O, no clock, no serialization."""
