"""Runs the compiled load client."""

import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Figures = dict[str, float]
"""The figures of a run by name; client.c defines the names."""


class ClientFailedError(Exception):
    """A run did not finish: a server closed a connection, or sent nothing for too long."""

    def __init__(self, port: int, reason: str) -> None:
        """`port` identifies the server."""
        super().__init__(f"the client gave up: {reason}")
        self.port = port


@dataclass(frozen=True)
class Client:
    """Runs client.c's modes; see there for what each does."""

    program: Path

    def load(self, port: int, connections: int, requests: int, command: Sequence[str]) -> Figures:
        """Keep every connection busy until all results have arrived."""
        with self._started(["-c", str(connections), "-n", str(requests)], port, command) as process:
            return _figures(process, port)

    def drain(self, port: int, command: Sequence[str]) -> Figures:
        """Receive one result of any size."""
        with self._started(["--drain"], port, command) as process:
            return _figures(process, port)

    @contextmanager
    def holding(self, port: int, connections: int, command: Sequence[str]) -> "Generator[Hold, None, None]":
        """Send one request on each connection at once; the caller measures meanwhile."""
        with self._started(["--hold", "-c", str(connections)], port, command) as process:
            yield Hold(process, port)

    @contextmanager
    def _started(
        self, options: list[str], port: int, command: Sequence[str]
    ) -> Generator[subprocess.Popen[str], None, None]:
        arguments = [str(self.program), *options, str(port), *command]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()  # no effect on a process that has been reaped


@dataclass(frozen=True)
class Hold:
    """A run in progress."""

    process: subprocess.Popen[str]
    port: int

    def going_on(self) -> bool:
        """Return whether results are still missing."""
        return self.process.poll() is None

    def figures(self) -> Figures:
        """Wait for the end of the run."""
        return _figures(self.process, self.port)


def _figures(process: subprocess.Popen[str], port: int) -> Figures:
    stdout, stderr = process.communicate()
    if process.returncode != 0:
        raise ClientFailedError(port, stderr.strip())
    figures: Figures = json.loads(stdout)
    return figures
