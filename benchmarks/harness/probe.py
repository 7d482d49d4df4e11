"""One scheduler, as simple as can be: to find out when a server accepts, and when it answers."""

import json
import socket
import time
from collections.abc import Callable

_ATTEMPT_EVERY = 0.001
_PATIENCE = 30.0


class NoAnswerError(Exception):
    """A server did not accept or did not answer in time."""


def connect(port: int, still_starting: Callable[[], bool]) -> socket.socket:
    """Return the first connection that is accepted, tried every millisecond for as long as the server is starting."""
    deadline = time.monotonic() + _PATIENCE
    while still_starting() and time.monotonic() < deadline:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        except OSError:
            time.sleep(_ATTEMPT_EVERY)
            continue
        # Where nobody listens yet, TCP may choose the wanted port as our own and connect us to ourselves.
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
