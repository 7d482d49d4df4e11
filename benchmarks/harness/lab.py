"""What every section is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass

from .client import Client, Figures
from .servers import ServerSpec


@dataclass(frozen=True)
class Plan:
    """How much is measured. More takes longer and is steadier."""

    rounds: int
    """Of throughput and of start."""
    heavy_rounds: int
    """Of output, parallel and endings, which take seconds each and vary less."""
    tasks: int
    """In one throughput run."""
    output_bytes: int
    sleepers: int
    """Tasks at once, each on a connection of its own."""
    sleep_seconds: int
    timeouts: int
    """One after the other, in endings."""
    endings: int
    """Tasks that time out at the same moment."""


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
    """The servers to compare, the client that loads them all, and how much of it."""

    servers: tuple[ServerSpec, ...]
    client: Client
    plan: Plan

    def full_servers(self) -> tuple[ServerSpec, ...]:
        """Those that are more than a happy path."""
        return tuple(spec for spec in self.servers if not spec.happy_path_only)


@dataclass(frozen=True)
class Sample:
    """One run of one server. Runs of the same case and round followed each other directly: compare those."""

    case: str
    round: int
    server: str
    figures: Figures


@dataclass(frozen=True)
class Row:
    """A line of a section's table: one figure of one case."""

    case: str
    figure: str
    label: str
    digits: int


@dataclass(frozen=True)
class Section:
    """One question, and how it is answered."""

    name: str
    title: str
    measure: Callable[[Lab], list[Sample]]
    rows: tuple[Row, ...]
    note: str
