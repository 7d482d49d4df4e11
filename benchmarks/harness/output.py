"""One task with a large output: its transfer rate, and the memory used."""

from .client import Figures
from .lab import Lab, Row, Sample, Section
from .servers import ServerSpec, running

_LINE = "a line of text as a build or a test run would print it, 64 long"
_CASE = "output"


def measure(lab: Lab) -> list[Sample]:
    """Start a new process for every run: allocated memory is rarely returned to the system."""
    return [
        Sample(_CASE, number, spec.name, _run(lab, spec))
        for number in range(lab.plan.heavy_rounds)
        for spec in lab.full_servers()
    ]


def _run(lab: Lab, spec: ServerSpec) -> Figures:
    size = lab.plan.output_bytes
    command = ("sh", "-c", f'yes "{_LINE}" | head -c {size}')
    with running(spec) as server:
        idle = server.own.resident_bytes()
        server.own.forget_peak()
        figures = lab.client.drain(server.port, command)
        above_idle = server.own.peak_bytes() - idle
    return {
        **figures,
        # The rate of the text itself: escaping makes the line on the wire longer and must not count.
        "text_mb_per_s": size / 1e6 / figures["seconds"],
        "peak_above_idle_mb": above_idle / 1e6,
        "bad": figures["bad"] or float(figures["bytes"] < size),
    }


SECTION = Section(
    name="output",
    title="Output: one large result",
    measure=measure,
    rows=(
        Row(_CASE, "text_mb_per_s", "MB/s from request to end of result", 0),
        Row(_CASE, "peak_above_idle_mb", "peak memory above idle, MB", 1),
    ),
    note="Memory: VmHWM of the server's own processes minus their VmRSS before. The baseline is omitted: it keeps "
    "at most 64 KiB of output.",
)
