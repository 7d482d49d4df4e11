"""Decorators around a port: how many tasks run, which is next, what happens to running ones at the agent's stop."""
