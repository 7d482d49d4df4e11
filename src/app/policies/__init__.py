"""Decorators over a port: how many tasks run, whose turn it is, how running tasks meet the agent's stop."""
