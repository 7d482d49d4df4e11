"""Finds out from /proc/self/mountinfo which paths are on local file systems: access to any other may block."""

import os

MOUNTINFO = "/proc/self/mountinfo"

_WITHOUT_DEVICE = {b"tmpfs", b"ramfs", b"rootfs", b"devtmpfs", b"overlay", b"btrfs", b"zfs", b"bcachefs"}
"""Local file systems without a block device (proc(5)); all others without one depend on a network or a process."""
_SHARED_DEVICE = (b"fuse", b"gfs", b"ocfs")
"""File systems that have a block device and depend on a process or on other machines nevertheless."""
_MAX_LINKS = 40
"""The number of symbolic links that the kernel follows (path_resolution(7))."""


class MountTable:
    """A snapshot of the mounts, see proc_pid_mountinfo(5)."""

    def __init__(self, text: bytes) -> None:
        # A later mount at the same path covers an earlier one.
        self._local: dict[bytes, bool] = dict(_mount(line) for line in text.splitlines())

    @classmethod
    def now(cls) -> "MountTable":
        """Read the current table; raises OSError if there is no /proc."""
        with open(MOUNTINFO, "rb", buffering=0) as file:  # noqa: PTH123 -- the starter does not import pathlib
            return cls(file.read())

    def is_local(self, path: bytes) -> bool:
        """Return whether every component and link of `path` is on a local file system; the last may be missing.

        Accesses no file before it is known to be on a local file system.
        """
        waiting = _reversed_parts(path)
        reached = b"/" if path.startswith(b"/") else os.getcwdb()  # noqa: PTH109 -- bytes
        links = 0
        while waiting:
            part = waiting.pop()
            reached = os.path.dirname(reached) if part == b".." else os.path.join(reached, part)  # noqa: PTH118, PTH120 -- bytes
            if not self._mount_is_local(reached):
                return False
            try:
                target = os.readlink(reached)  # noqa: PTH115 -- bytes
            except OSError:
                continue  # not a link, or missing
            links += 1
            if links > _MAX_LINKS:
                return False
            waiting += _reversed_parts(target)
            reached = b"/" if target.startswith(b"/") else os.path.dirname(reached)  # noqa: PTH120 -- bytes
        return self._mount_is_local(reached)

    def _mount_is_local(self, path: bytes) -> bool:
        local = self._local.get(path)
        if local is None:
            above: bytes = os.path.dirname(path)  # noqa: PTH120 -- bytes
            return above != path and self._mount_is_local(above)
        return local


def _reversed_parts(path: bytes) -> list[bytes]:
    return [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]


def _mount(line: bytes) -> tuple[bytes, bool]:
    front, _, back = line.partition(b" - ")
    _, _, device, _, point = front.split(b" ")[:5]
    kind = back.split(b" ", 1)[0]
    local = kind in _WITHOUT_DEVICE or not (device.startswith(b"0:") or kind.startswith(_SHARED_DEVICE))
    return _unescaped(point), local


def _unescaped(point: bytes) -> bytes:
    # Spaces, tabs, newlines and backslashes are escaped as three octal digits.
    first, *rest = point.split(b"\\")
    return first + b"".join(bytes([int(piece[:3], 8)]) + piece[3:] for piece in rest)
