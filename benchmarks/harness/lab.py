"""The parameters and results of every section."""

from collections.abc import Callable
from dataclasses import dataclass

from .client import Client, Figures
from .servers import ServerSpec


@dataclass(frozen=True)
class Plan:
    """How much is measured. Larger numbers take longer and vary less."""

    rounds: int
    """Rounds of throughput and of start."""
    heavy_rounds: int
    """Rounds of output, parallel and endings, which take seconds each and vary less."""
    tasks: int
    """Tasks in one throughput run."""
    output_bytes: int
    sleepers: int
    """Simultaneous tasks, each on its own connection."""
    sleep_seconds: int
    timeouts: int
    """Successive timeouts in endings."""
    endings: int
    """Tasks that time out at the same time."""


FULL = Plan(
    rounds=5,
    heavy_rounds=3,
    tasks=2000,
    output_bytes=1_000_000_000,
    sleepers=2000,
    sleep_seconds=5,
    timeouts=500,
    endings=1000,
)
QUICK = Plan(
    rounds=2,
    heavy_rounds=1,
    tasks=400,
    output_bytes=50_000_000,
    sleepers=200,
    sleep_seconds=1,
    timeouts=50,
    endings=100,
)


@dataclass(frozen=True)
class Lab:
    """The servers to compare, the load client, and the amount of load."""

    servers: tuple[ServerSpec, ...]
    client: Client
    plan: Plan

    def full_servers(self) -> tuple[ServerSpec, ...]:
        """Return the servers that support more than the happy path."""
        return tuple(spec for spec in self.servers if not spec.happy_path_only)


@dataclass(frozen=True)
class Sample:
    """One run of one server. Runs of the same case and round directly follow each other and can be compared."""

    case: str
    round: int
    server: str
    figures: Figures


@dataclass(frozen=True)
class Row:
    """A row of a section's table: one figure of one case."""

    case: str
    figure: str
    label: str
    digits: int


@dataclass(frozen=True)
class Section:
    """One kind of measurement, and how its table looks."""

    name: str
    title: str
    measure: Callable[[Lab], list[Sample]]
    rows: tuple[Row, ...]
    note: str
