"""Timeouts: the delay from deadline to result, alone and among many, and the response time of another client."""

import json
import selectors
import socket
import statistics
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from .client import ClientFailedError, Figures
from .lab import Lab, Row, Sample, Section
from .pulse import Pulse
from .servers import running

_ALONE, _TOGETHER, _STARTING = "timeouts", "ending", "starting"
_TREE_OF_FOUR = ("sh", "-c", "sleep 600 & sleep 600 & sleep 600 & wait")
_TREE_OF_TWO = ("sh", "-c", "sleep 600 & wait")
_TIMEOUT_MS = 50.0
_CONNECTIONS = 10
_START_EVERY = 0.008
"""Slower than trees start, so that none is queued and all deadlines are at the same time."""
_MARGIN = 2.0
_TIMEOUT_SECONDS = 60.0
_TIMED_OUT = b'"error":"timeout exceeded"'
_SUCCEEDED = b'"exit_code":0'


def measure(lab: Lab) -> list[Sample]:
    """Measure the agents only: the reference servers kill at most a process group."""
    samples: list[Sample] = []
    for number in range(lab.plan.heavy_rounds):
        for spec in (spec for spec in lab.servers if spec.is_agent):
            with running(spec) as server:
                samples += [
                    Sample(_ALONE, number, spec.name, _alone(server.port, lab.plan.timeouts)),
                    Sample(_TOGETHER, number, spec.name, _together(server.port, lab.plan.endings)),
                    Sample(_STARTING, number, spec.name, _starting(server.port, lab.plan.endings)),
                ]
    return samples


def _alone(port: int, count: int) -> Figures:
    late: list[float] = []
    bad = 0
    with (
        socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS) as connection,
        connection.makefile("rb") as lines,
    ):
        for _ in range(count):
            asked = time.monotonic()
            connection.sendall(_request(_TREE_OF_FOUR, _TIMEOUT_MS))
            bad += _TIMED_OUT not in lines.readline()
            late.append((time.monotonic() - asked) * 1e3 - _TIMEOUT_MS)
    return {
        "late_p50_ms": statistics.median(late),
        "late_p99_ms": statistics.quantiles(late, n=100)[-1],
        "late_max_ms": max(late),
        "bad": bad,
    }


def _together(port: int, count: int) -> Figures:
    with _connected(port) as connections:
        begun = time.monotonic()
        deadline = begun + count * _START_EVERY + _MARGIN
        for number in range(count):
            time.sleep(max(0.0, begun + number * _START_EVERY - time.monotonic()))
            left_ms = (deadline - time.monotonic()) * 1e3
            connections[number % _CONNECTIONS].sendall(_request(_TREE_OF_TWO, left_ms))
        time.sleep(max(0.0, deadline - time.monotonic() - _MARGIN / 10))
        with Pulse(port) as pulse:
            bad = _bad_answers(port, connections, count, _TIMED_OUT)
            answered = time.monotonic()
    return {"answered_s": answered - deadline, "blocked_ms": pulse.longest * 1e3, "bad": bad}


def _starting(port: int, count: int) -> Figures:
    with _connected(port) as connections, Pulse(port) as pulse:
        begun = time.monotonic()
        for number in range(count):
            connections[number % _CONNECTIONS].sendall(_request(("true",), 0.0))
        bad = _bad_answers(port, connections, count, _SUCCEEDED)
        answered = time.monotonic()
    return {"answered_s": answered - begun, "blocked_ms": pulse.longest * 1e3, "bad": bad}


def _request(command: tuple[str, ...], timeout_ms: float) -> bytes:
    return json.dumps({"command": command, "timeout": timeout_ms}).encode() + b"\n"


@contextmanager
def _connected(port: int) -> Generator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS))
            for _ in range(_CONNECTIONS)
        ]


def _bad_answers(port: int, connections: list[socket.socket], count: int, wanted: bytes) -> int:
    """Wait for `count` results; return how many do not contain `wanted`."""
    received = {connection: bytearray() for connection in connections}
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, received[connection])
        while sum(answers.count(b"\n") for answers in received.values()) < count:
            ready = selector.select(_TIMEOUT_SECONDS)
            for key, _ in ready:
                data = key.fileobj.recv(65536) if isinstance(key.fileobj, socket.socket) else b""
                if not data:
                    raise ClientFailedError(port, "the server has closed a connection")
                key.data.extend(data)
            if not ready:
                raise ClientFailedError(port, "no result in time")
    return sum(wanted not in line for answers in received.values() for line in answers.splitlines())


SECTION = Section(
    name="endings",
    title="Endings: timeouts, alone and simultaneously",
    measure=measure,
    rows=(
        Row(_ALONE, "late_p50_ms", "from deadline to result, tree of four, p50, ms", 1),
        Row(_ALONE, "late_p99_ms", "the same, p99, ms", 1),
        Row(_ALONE, "late_max_ms", "the same, longest, ms", 1),
        Row(_TOGETHER, "answered_s", "all time out at once: seconds from deadline to last result", 2),
        Row(_TOGETHER, "blocked_ms", "meanwhile, longest wait of another client, ms", 1),
        Row(_STARTING, "answered_s", "as many start at once (`true`): seconds to the last result", 2),
        Row(_STARTING, "blocked_ms", "meanwhile, longest wait of another client, ms", 1),
    ),
    note="The delay of a timeout is what its client observes beyond the requested 50 ms, start included. The other "
    "client sends a request without a process every 2 ms; its wait includes other load of the machine.",
)
