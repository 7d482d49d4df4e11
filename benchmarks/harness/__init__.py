"""The runner of bench.py: starts servers, reads figures from the kernel, prints tables."""
