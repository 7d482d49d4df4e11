"""The runner behind bench.py: what it starts, what it reads from the kernel, and how it prints."""
