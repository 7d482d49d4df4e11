"""A task execution agent: a scheduler sends commands over TCP, the agent runs them and says what happened."""

__version__ = "0.1.0"
