"""Servers under measurement: started, watched through /proc, and ended by their own pid whatever happens."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import probe
from .client import ClientFailedError
from .own_processes import OwnProcesses

_STOP_SECONDS = 15.0
_PORT_SECONDS = 30.0
_REPORTED_PORT = re.compile(rb"127\.0\.0\.1:([1-9]\d*)")


class ServerFailedError(Exception):
    """A server ended, or never answered; the text carries the end of its stderr."""


@dataclass(frozen=True)
class ServerSpec:
    """How to start a server. Without `{port}` in its command the port is read from its stderr."""

    name: str
    command: tuple[str, ...]
    folder: Path | None = None
    """Where it runs; None: here."""
    is_agent: bool = False
    """The servers that are compared with all the others."""
    happy_path_only: bool = False
    """Fit for short tasks only."""


@dataclass(frozen=True)
class Launched:
    """A process that may not be serving yet."""

    process: subprocess.Popen[bytes]
    port: int | None
    """None: chosen by the server, which says it on stderr."""
    stderr: IO[bytes]

    def alive(self) -> bool:
        """Tell whether it has not ended."""
        return self.process.poll() is None

    def connect(self) -> socket.socket:
        """Return the first connection that it accepts."""
        return probe.connect(self.port or self._reported_port(), self.alive)

    def last_words(self) -> str:
        """Return the end of what it wrote to stderr."""
        self.stderr.seek(0)
        return self.stderr.read()[-2000:].decode(errors="replace")

    def _reported_port(self) -> int:
        deadline = time.monotonic() + _PORT_SECONDS
        while self.alive() and time.monotonic() < deadline:
            self.stderr.seek(0)
            if found := _REPORTED_PORT.search(self.stderr.read()):
                return int(found[1])
            time.sleep(0.001)
        message = "it names no port on stderr"
        raise probe.NoAnswerError(message)


@dataclass(frozen=True)
class Server:
    """A server that has answered."""

    port: int
    own: OwnProcesses


@contextmanager
def launched(spec: ServerSpec) -> Generator[Launched, None, None]:
    """Start a server, and end it when the block is left."""
    port = _free_port() if any("{port}" in word for word in spec.command) else None
    command = [word.replace("{port}", str(port)) for word in spec.command]
    # A file, not a pipe: a server that logs much must not wait for us to read.
    with tempfile.TemporaryFile() as stderr:
        try:
            # A session of its own: Ctrl-C at the terminal is ours to handle, so that servers are ended in order.
            process = subprocess.Popen(
                command,
                cwd=spec.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            message = f"{spec.name} cannot be started: {error}"
            raise ServerFailedError(message) from error
        server = Launched(process, port, stderr)
        try:
            yield server
        except probe.NoAnswerError as error:
            raise _failed(spec, server, error) from error
        finally:
            _end(process)


@contextmanager
def running(spec: ServerSpec) -> Generator[Server, None, None]:
    """Start a server and let it run a first task, so that nothing is left to be loaded."""
    with launched(spec) as starting:
        with starting.connect() as connection:
            probe.run_true(connection)
            port: int = connection.getpeername()[1]
        try:
            yield Server(port, OwnProcesses.of_idle(starting.process.pid))
        except ClientFailedError as error:
            if error.port != port:
                raise  # another server's, of those that run side by side
            raise _failed(spec, starting, error) from error


def _failed(spec: ServerSpec, server: Launched, error: Exception) -> ServerFailedError:
    return ServerFailedError(f"{spec.name}: {error}; its stderr ends with:\n{server.last_words()}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    finally:  # out of patience, or a second Ctrl-C: it ends all the same
        if process.poll() is None:
            process.kill()
            process.wait()
