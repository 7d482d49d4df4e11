"""Which paths lie on file systems of this machine, by the text of /proc/self/mountinfo: a look at others may hang."""

import os

MOUNTINFO = "/proc/self/mountinfo"

_WITHOUT_DEVICE = {b"tmpfs", b"ramfs", b"rootfs", b"devtmpfs", b"overlay", b"btrfs", b"zfs", b"bcachefs"}
"""Local ones that have no block device of their own (proc(5)); others that have none need a network or a process."""
_SHARED_DEVICE = (b"fuse", b"gfs", b"ocfs")
"""Those that have a block device and are answered by a process or by other machines all the same."""
_MAX_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


class MountTable:
    """The mounts of one moment, see proc_pid_mountinfo(5)."""

    def __init__(self, text: bytes) -> None:
        # A later line is mounted over an earlier one.
        self._local: dict[bytes, bool] = dict(_mount(line) for line in text.splitlines())

    @classmethod
    def now(cls) -> "MountTable":
        """Read the present one; raises OSError where there is no /proc."""
        with open(MOUNTINFO, "rb", buffering=0) as file:  # noqa: PTH123 -- the starter does without pathlib
            return cls(file.read())

    def is_local(self, path: bytes) -> bool:
        """Return whether everything that the kernel meets on the way of `path` is local; the last may be missing.

        Looks at nothing before it knows that it lies on a local file system.
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
                continue  # not a link, or not there
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
    # Blanks, tabs, newlines and backslashes are written as three octal digits.
    first, *rest = point.split(b"\\")
    return first + b"".join(bytes([int(piece[:3], 8)]) + piece[3:] for piece in rest)
