"""The time from the start of a server to its first accepted connection and first result."""

import time

from . import probe
from .client import Figures
from .lab import Lab, Row, Sample, Section
from .servers import ServerSpec, launched

_CASE = "start"


def measure(lab: Lab) -> list[Sample]:
    """Start every server once in each round."""
    return [Sample(_CASE, number, spec.name, _run(spec)) for number in range(lab.plan.rounds) for spec in lab.servers]


def _run(spec: ServerSpec) -> Figures:
    started = time.monotonic()
    with launched(spec) as server, server.connect() as connection:
        connected = time.monotonic()
        probe.run_true(connection)
        answered = time.monotonic()
    return {"connected_ms": (connected - started) * 1e3, "answered_ms": (answered - started) * 1e3}


SECTION = Section(
    name="start",
    title="Start",
    measure=measure,
    rows=(
        Row(_CASE, "connected_ms", "first connection accepted after, ms", 1),
        Row(_CASE, "answered_ms", "first result after, ms", 1),
    ),
    note="The kernel accepts as soon as a server listens; only the first result shows that the server is ready.",
)
