"""Decorators around a port: how many tasks run, which one is next, what happens to running tasks at shutdown."""
