"""Short tasks in succession: their rate, their latency, and the server's own CPU time for each."""

from contextlib import ExitStack

from .client import Client, Figures
from .lab import Lab, Row, Sample, Section
from .procfs import TICK_SECONDS
from .servers import Server, running

_CONNECTIONS = (1, 8, 64)
_COMMAND = ("/bin/true",)
_WARM_UP = 100  # tasks: until allocators, caches and the CPU frequency are stable


def measure(lab: Lab) -> list[Sample]:
    """All servers stay up and run alternately: a disturbance of the machine affects neighbouring runs alike."""
    samples: list[Sample] = []
    with ExitStack() as stack:
        servers = {spec.name: stack.enter_context(running(spec)) for spec in lab.servers}
        for server in servers.values():
            lab.client.load(server.port, _CONNECTIONS[-1], _WARM_UP, _COMMAND)
        for connections in _CONNECTIONS:
            for number in range(lab.plan.rounds):
                for name, server in servers.items():
                    figures = _run(lab.client, server, connections, lab.plan.tasks)
                    samples.append(Sample(_case(connections), number, name, figures))
    return samples


def _run(client: Client, server: Server, connections: int, tasks: int) -> Figures:
    before = server.own.cpu_seconds()
    figures = client.load(server.port, connections, tasks, _COMMAND)
    per_task = 1e6 / tasks
    return {
        **figures,
        "own_cpu_us": (server.own.cpu_seconds() - before) * per_task,
        "own_cpu_resolution_us": TICK_SECONDS * len(server.own.pids) * per_task,
    }


def _case(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


def _rows(figure: str, label: str, digits: int) -> tuple[Row, ...]:
    return tuple(Row(_case(count), figure, f"{label}, {_case(count)}", digits) for count in _CONNECTIONS)


SECTION = Section(
    name="throughput",
    title="Throughput: `/bin/true`",
    measure=measure,
    rows=(
        *_rows("tasks_per_s", "tasks/s", 0),
        *_rows("p50_ms", "p50, ms", 2),
        *_rows("p99_ms", "p99, ms", 2),
        *_rows("own_cpu_us", "own CPU per task, us", 0),
    ),
    note="Own CPU: user and system time of the server's own processes, without its tasks. The kernel counts it in "
    f"ticks of {TICK_SECONDS * 1e3:.0f} ms for each process, so that the figure is coarse for few tasks.",
)
