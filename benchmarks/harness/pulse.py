"""The longest response time of a server for requests that need no process."""

import socket
import threading
import time
from types import TracebackType
from typing import Self

_EVERY = 0.002
_TIMEOUT_SECONDS = 60.0
_INVALID = b"{}\n"
"""An invalid request: the event loop sends its result without a process."""


class Pulse:
    """Sends a request every two milliseconds, on its own connection and thread, while the context is active."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send_requests)
        self.longest = 0.0
        """Seconds."""

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread; `longest` is then final."""
        self._stopped.set()
        self._thread.join()

    def _send_requests(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_SECONDS) as connection:
            while not self._stopped.is_set():
                sent = time.monotonic()
                connection.sendall(_INVALID)
                answer = b""
                while not answer.endswith(b"\n"):
                    answer = connection.recv(4096)
                    if not answer:
                        return
                self.longest = max(self.longest, time.monotonic() - sent)
                self._stopped.wait(_EVERY)
