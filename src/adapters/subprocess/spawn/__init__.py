"""Starts commands: on the event loop if they are known to start quickly, otherwise through the starter."""
