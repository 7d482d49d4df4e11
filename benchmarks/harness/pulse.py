"""How long a server leaves a client waiting: the longest answer to a request that takes no work."""

import socket
import threading
import time
from types import TracebackType
from typing import Self

_EVERY = 0.002
_PATIENCE = 60.0
_INVALID = b"{}\n"
"""Answered by the event loop itself, without a process."""


class Pulse:
    """Asks every two milliseconds, on a connection and in a thread of its own, for as long as `with` lasts."""

    def __init__(self, port: int) -> None:
        """Ask nothing yet."""
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)
        self.longest = 0.0
        """Seconds."""

    def __enter__(self) -> Self:
        """Ask."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask no more; `longest` is final."""
        self._over.set()
        self._thread.join()

    def _ask_on(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), _PATIENCE) as connection:
            while not self._over.is_set():
                asked = time.monotonic()
                connection.sendall(_INVALID)
                answer = b""
                while not answer.endswith(b"\n"):
                    answer = connection.recv(4096)
                    if not answer:
                        return
                self.longest = max(self.longest, time.monotonic() - asked)
                self._over.wait(_EVERY)
