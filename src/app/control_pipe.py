"""The messages between supervisor and workers: control commands through one pipe, readiness through another."""

STOP, KILL = b"s", b"h"
"""Control commands: stop; stop and kill running tasks immediately. The bytes mean nothing and only have to differ."""
READY = b"!"
"""A worker sends this when it accepts connections; anything else is the reason why it cannot."""
FAILED = 1
"""The exit status of a process in which something has failed."""
