"""All settings with their defaults and ranges, as one frozen object."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

MIB = 1024 * 1024

Count = Annotated[int, Meta(ge=1)]
Limit = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=0, description="bytes")]
PositiveSize = Annotated[int, Meta(ge=1, description="bytes")]
"""Bytes; as text, optionally with a unit: `64KiB`, `1MiB`, `2GiB`."""
Duration = Annotated[float, Meta(ge=0, le=1e9)]
PositiveDuration = Annotated[float, Meta(gt=0, le=1e9)]
LogLevel = Literal["debug", "info", "warning", "error"]


def _setting(default: Any, text: str) -> Any:  # noqa: ANN401 -- typed like dataclasses.field
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; each has the same name in the TOML file, as EXECWIRE_NAME and as --name on the command line."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: Annotated[int, Meta(ge=0, le=65535)] = _setting(3000, "port to listen on; 0 takes a free one")
    unix: str = _setting("", "path of an additional Unix socket to listen on; only its owner and root can connect")
    allow_user: tuple[str, ...] = _setting(
        (),
        "another user who may send requests over TCP, by name or number; * for all; repeatable; others are rejected",
    )
    insecure_bind: bool = _setting(default=False, text="listen on an address that other hosts can reach, unencrypted")
    max_connections: Count = _setting(4096, "clients at once; additional ones are rejected")
    workers: Annotated[int, Meta(ge=0, le=256)] = _setting(
        0, "processes that serve; 0 is one for each usable core, at most 4; all limits are totals, whatever it is"
    )
    max_running: Count = _setting(4096, "tasks that run at once; additional ones wait in a queue")
    max_queued: Limit = _setting(16384, "tasks that may wait; beyond that the agent stops reading from clients")
    max_in_flight: Count = _setting(
        1024, "requests in flight on one connection; beyond that, reading from it is paused"
    )
    max_line: PositiveSize = _setting(MIB, "bytes of one request line")
    line_seconds: PositiveDuration = _setting(
        30.0,
        "seconds in which a begun request line must be complete, or its client gets an error and is disconnected",
    )
    max_output: Size = _setting(
        1024 * MIB, "bytes of output of one task; a task that writes more is killed; 0 for no limit"
    )
    max_spool: Size = _setting(
        10 * 1024 * MIB,
        "bytes of output on disk in total; a task that needs more is killed; its error is output limit exceeded",
    )
    max_memory: PositiveSize = _setting(
        256 * MIB,
        "bytes of memory for lines, requests, output, results in total; beyond it, clients that hold much must wait",
    )
    spool_dir: str = _setting("/var/tmp", "directory for output that is too large for memory")  # noqa: S108 -- unnamed files
    lost_client: Literal["kill", "finish"] = _setting(
        "kill", "tasks of a client that has disconnected: kill them, or let them finish and discard their results"
    )
    leftovers: Literal["kill", "keep", "kill-all"] = _setting(
        "kill",
        "processes that still run after their command: kill its process group, keep all, or kill-all, daemons included",
    )
    linger_ms: Duration = _setting(
        200.0,
        "milliseconds that processes of the group, and processes that hold stdout, get after the exit",
    )
    task_oom_score_adj: Annotated[int, Meta(ge=0, le=1000)] = _setting(
        0,
        "oom_score_adj of tasks, 0 to 1000: out of memory, the kernel kills the highest first; 0 leaves the agent's",
    )
    drain_seconds: Duration = _setting(10.0, "seconds that running tasks get when the agent stops")
    log_level: LogLevel = _setting("info", "least severe log lines to write: debug, info, warning or error")
