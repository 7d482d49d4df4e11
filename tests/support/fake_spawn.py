"""A fake posix_spawn(3), which starts nothing."""

import resource
from dataclasses import dataclass, field

from execwire.adapters.subprocess.spawn.limits import RLIMIT_LOCKS

PID = 4711
ENVIRONMENT = {b"PATH": b"/bin", b"odd\xff": b"\xfe"}
Limits = tuple[int, int]


@dataclass
class FakeSpawn:
    """Records the arguments and the current limits, which a child would inherit."""

    failure: BaseException | None = None
    paths: list[bytes] = field(default_factory=list[bytes])
    arguments: list[bytes] = field(default_factory=list[bytes])
    limits: list[tuple[int, Limits]] = field(default_factory=list[tuple[int, Limits]])
    setsid: bool = False

    def __call__(
        self, path: bytes, arguments: list[bytes], environment: dict[bytes, bytes], *, setsid: bool, **_: object
    ) -> int:
        assert environment == ENVIRONMENT
        self.paths.append(path)
        self.arguments = arguments
        self.setsid = setsid
        self.limits.append((resource.getrlimit(RLIMIT_LOCKS)[0], resource.getrlimit(resource.RLIMIT_NOFILE)))
        if self.failure is not None:
            raise self.failure
        return PID
