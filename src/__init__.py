"""A task execution agent: a scheduler sends commands over TCP, the agent runs them and returns their results."""

__version__ = "0.1.0"
