"""A minimal client that detects when a server accepts connections and when it sends a result."""

import json
import socket
import time
from collections.abc import Callable

_ATTEMPT_EVERY = 0.001
_TIMEOUT_SECONDS = 30.0


class NoAnswerError(Exception):
    """A server did not accept a connection or did not send a result in time."""


def connect(port: int, still_starting: Callable[[], bool]) -> socket.socket:
    """Try to connect every millisecond while the server is starting; return the first accepted connection."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while still_starting() and time.monotonic() < deadline:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_SECONDS)
        except OSError:
            time.sleep(_ATTEMPT_EVERY)
            continue
        # Without a listener TCP may choose the destination port as the source port: a self-connect.
        if connection.getsockname() != connection.getpeername():
            return connection
        connection.close()
    message = f"nothing accepts on port {port}"
    raise NoAnswerError(message)


def run_true(connection: socket.socket) -> None:
    """Run /bin/true and wait for its result."""
    connection.sendall(b'{"command":["/bin/true"],"timeout":10000}\n')
    with connection.makefile("rb") as lines:
        try:
            line = lines.readline()
        except OSError as error:
            message = f"no result for /bin/true: {error}"
            raise NoAnswerError(message) from error
    if not line or json.loads(line).get("exit_code") != 0:
        message = f"/bin/true was answered with {line.decode(errors='replace') or 'a closed connection'}"
        raise NoAnswerError(message)
