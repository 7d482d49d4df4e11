"""Starts the servers to be measured, and stops them by pid in every case."""

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
    """A server exited, or never sent a result; the text contains the end of its stderr."""


@dataclass(frozen=True)
class ServerSpec:
    """How to start a server. Without `{port}` in its command the port is read from its stderr."""

    name: str
    command: tuple[str, ...]
    folder: Path | None = None
    """Its working directory; None: the current one."""
    is_agent: bool = False
    """Whether it is compared with all others."""
    happy_path_only: bool = False
    """Whether it supports short tasks only."""


@dataclass(frozen=True)
class Launched:
    """A process that may not be serving yet."""

    process: subprocess.Popen[bytes]
    port: int | None
    """None: chosen by the server, which writes it to stderr."""
    stderr: IO[bytes]

    def alive(self) -> bool:
        """Return whether it is running."""
        return self.process.poll() is None

    def connect(self) -> socket.socket:
        """Return the first connection that it accepts."""
        return probe.connect(self.port or self._reported_port(), self.alive)

    def last_words(self) -> str:
        """Return the end of its stderr."""
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
    """A server that has sent a first result."""

    port: int
    own: OwnProcesses


@contextmanager
def launched(spec: ServerSpec) -> Generator[Launched, None, None]:
    """Start a server, and stop it at the end of the context."""
    port = _free_port() if any("{port}" in word for word in spec.command) else None
    command = [word.replace("{port}", str(port)) for word in spec.command]
    # A file, not a pipe: a server that logs much must not block on a full pipe.
    with tempfile.TemporaryFile() as stderr:
        try:
            # Its own session: Ctrl-C at the terminal reaches only this process, which stops the servers in order.
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
    """Start a server and run a first task, so that everything is loaded."""
    with launched(spec) as starting:
        with starting.connect() as connection:
            probe.run_true(connection)
            port: int = connection.getpeername()[1]
        try:
            yield Server(port, OwnProcesses.of_idle(starting.process.pid))
        except ClientFailedError as error:
            if error.port != port:
                raise  # raised for another server that runs at the same time
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
    finally:  # after the timeout or a second Ctrl-C: kill it
        if process.poll() is None:
            process.kill()
            process.wait()
