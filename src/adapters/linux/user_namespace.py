"""The overflow user ID: the kernel shows it for every user that is not mapped into this user namespace."""

from pathlib import Path

_MAP = Path("/proc/self/uid_map")
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")
_ALL_USERS = 0xFFFFFFFF
"""The number of user IDs; the last 32-bit number, -1, is none."""
_USUAL_OVERFLOW = 65534


def unmapped_user() -> int | None:
    """Return the user ID that stands for all unmapped users in this user namespace (user_namespaces(7)).

    None if all user IDs are mapped. If the map cannot be read, some users are assumed to be unmapped.
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
