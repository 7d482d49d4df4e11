"""Which number tells nobody: in a user namespace, every user that is not mapped into it is shown by the same one."""

from pathlib import Path

_MAP = Path("/proc/self/uid_map")
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")
_ALL_USERS = 0xFFFFFFFF
"""How many numbers there are: the last one, -1, is no user's."""
_USUAL_OVERFLOW = 65534


def unmapped_user() -> int | None:
    """Return the number by which the kernel shows here all users whom it cannot tell (user_namespaces(7)).

    None where every user has a number of its own. A map that cannot be read is not taken for a full one.
    """
    if not _MAP.exists() and _MAP.parent.exists():
        return None  # a kernel without user namespaces
    try:
        extents = [line.split() for line in _MAP.read_text(encoding="ascii").splitlines()]
    except OSError:
        extents = []
    if sum(int(count) for _, _, count in extents) == _ALL_USERS:
        return None
    try:
        return int(_OVERFLOW.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _USUAL_OVERFLOW
