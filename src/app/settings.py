"""What an operator can decide, with its defaults and limits: one frozen object, passed down in parts."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

MIB = 1024 * 1024

Count = Annotated[int, Meta(ge=1)]
Size = Annotated[int, Meta(ge=0)]
"""Bytes; wherever it is written as text, with a unit if wanted: `64KiB`, `1MiB`, `2GiB`."""
Span = Annotated[float, Meta(ge=0)]
LogLevel = Literal["debug", "info", "warning", "error"]


def _setting(default: Any, text: str) -> Any:  # noqa: ANN401 -- as dataclasses.field has it
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; each has the same name in the TOML file, as EXECWIRE_NAME and as --name on the command line."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: Annotated[int, Meta(ge=0, le=65535)] = _setting(3000, "port to listen on; 0 takes a free one")
    max_running: Count = _setting(4096, "tasks that run at once; further ones wait in a queue")
    max_queued: Size = _setting(16384, "tasks that may wait; past that the agent stops reading from clients")
    max_in_flight: Count = _setting(1024, "requests that one connection may have in flight before it is not read")
    max_line: Count = _setting(MIB, "bytes of one request line")
    max_output: Size = _setting(1024 * MIB, "bytes of output of one task, past which it is killed; 0 for no limit")
    max_spool: Size = _setting(10 * 1024 * MIB, "bytes of output on disk in all, past which the task that writes ends")
    max_held: Size = _setting(64 * MIB, "bytes of output in memory in all, past which small ones go to disk too")
    spool_dir: str = _setting("/var/tmp", "directory for output that is too large for memory")  # noqa: S108 -- unnamed files
    linger_ms: Span = _setting(200.0, "milliseconds that a background process may hold stdout after its command ended")
    drain_seconds: Span = _setting(10.0, "seconds that running tasks get when the agent is asked to stop")
    log_level: LogLevel = _setting("info", "least severe log lines to write: debug, info, warning or error")
