"""Many simultaneous sleeping tasks: whether they run in parallel, and the memory for each."""

import statistics
import time

from .client import Figures
from .lab import Lab, Row, Sample, Section
from .servers import ServerSpec, running

_CASE = "parallel"
_SAMPLE_EVERY = 0.05
_PLATEAU_FROM = 0.8
"""The fraction of the sleep after which every task should have started; no task exits before the sleep ends."""


def measure(lab: Lab) -> list[Sample]:
    """Start a new process for every run, so that idle memory is measured before any load."""
    return [
        Sample(_CASE, number, spec.name, _run(lab, spec))
        for number in range(lab.plan.heavy_rounds)
        for spec in lab.full_servers()
    ]


def _run(lab: Lab, spec: ServerSpec) -> Figures:
    tasks, seconds = lab.plan.sleepers, lab.plan.sleep_seconds
    with running(spec) as server:
        proportional, idle = server.own.proportional_bytes(), server.own.resident_bytes()
        memory = [(0.0, idle)]
        with lab.client.holding(server.port, tasks, ("sleep", str(seconds))) as hold:
            started = time.monotonic()
            while hold.going_on():
                memory.append((time.monotonic() - started, server.own.resident_bytes()))
                time.sleep(_SAMPLE_EVERY)
            figures = hold.figures()
    plateau = [size for at, size in memory if _PLATEAU_FROM * seconds <= at <= seconds]
    per_task = 1 / 1024 / tasks
    return {
        **figures,
        "seconds_above_sleep": figures["seconds"] - seconds,
        "idle_mb": proportional / 1e6,
        "plateau_kib_per_task": (statistics.median(plateau or [idle]) - idle) * per_task,
        "peak_kib_per_task": (max(size for _, size in memory) - idle) * per_task,
    }


SECTION = Section(
    name="parallel",
    title="Parallel: sleeping tasks, each on its own connection",
    measure=measure,
    rows=(
        Row(_CASE, "seconds", "seconds until all results have arrived", 2),
        Row(_CASE, "seconds_above_sleep", "of these, in addition to the sleep", 2),
        Row(_CASE, "plateau_kib_per_task", "memory per task while all run, KiB", 1),
        Row(_CASE, "peak_kib_per_task", "peak memory per task, KiB", 1),
        Row(_CASE, "idle_mb", "memory of the idle server, MB", 1),
    ),
    note="Memory: VmRSS of the server's own processes above idle, divided by the tasks; Pss for the idle server.",
)
