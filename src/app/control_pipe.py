"""What a supervisor and its workers say to each other: orders by a pipe, and what has become of a start by another."""

STOP, KILL = b"s", b"h"
"""Orders: stop, and kill what still runs."""
READY = b"!"
"""What a worker says when it accepts; anything else is the reason why it cannot."""
FAILED = 1
"""Exit status of a process in which something has failed."""
