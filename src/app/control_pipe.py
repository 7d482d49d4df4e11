"""The messages between supervisor and workers: control commands through one pipe, readiness through another."""

STOP, KILL = b"s", b"h"
"""Control commands: stop, and kill running tasks immediately."""
READY = b"!"
"""A worker sends this when it accepts connections; anything else is the reason why it cannot."""
FAILED = 1
"""The exit status of a process in which something has failed."""
