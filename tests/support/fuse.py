"""A FUSE file system that responds after a delay, as a network file system may.

It has one file, `tool`, in its root; every look-up of a name takes the given time. It implements the kernel's protocol
(linux/fuse.h) on /dev/fuse itself, so that nothing has to be installed.
"""

import ctypes
import errno
import os
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_IN, _OUT, _ATTR = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ"), struct.Struct("<6Q10I")
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ, _RELEASE, _FLUSH, _INIT, _ACCESS = 1, 2, 3, 14, 15, 18, 25, 26, 34
_INTERRUPT, _BATCH_FORGET = 36, 42
_ROOT, _TOOL = 1, 2
_DETACH = 2

needs_fuse = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK),
    reason="mounting FUSE requires root and /dev/fuse",
)


@contextmanager
def slow_file_system(folder: Path, content: bytes, seconds: float) -> Generator[Path]:
    """Mount it on `folder`; yield the path of `tool`, which holds `content`."""
    with subprocess.Popen(
        [sys.executable, __file__, str(folder), str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            server.stdin.write(content)
            server.stdin.close()
            if server.stdout.readline() != b"mounted\n":
                pytest.skip("this system does not allow to mount FUSE")
            yield folder / "tool"
        finally:
            # Pending requests get an error.
            server.kill()
            ctypes.CDLL(None).umount2(bytes(folder), _DETACH)


def _attributes(node: int, size: int) -> bytes:
    mode = stat.S_IFDIR | 0o755 if node == _ROOT else stat.S_IFREG | 0o755
    return _ATTR.pack(node, size, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def _entry(name: bytes, size: int, seconds: float) -> bytes | int:
    time.sleep(seconds)
    if name != b"tool":
        return errno.ENOENT
    return struct.pack("<4Q2I", _TOOL, 0, 0, 0, 0, 0) + _attributes(_TOOL, size)


def _answer(opcode: int, node: int, body: bytes, content: bytes, seconds: float) -> bytes | int | None:
    """Return the body of a reply, an error number, or None for requests without a reply."""
    answer: bytes | int | None = errno.ENOSYS
    if opcode in {_FORGET, _BATCH_FORGET, _INTERRUPT}:
        answer = None
    elif opcode == _INIT:
        answer = struct.pack("<4I2H2I2HI7I", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 0, 0, 0, *[0] * 7)
    elif opcode == _LOOKUP:
        answer = _entry(body.rstrip(b"\0"), len(content), seconds)
    elif opcode == _GETATTR:
        answer = struct.pack("<Q2I", 0, 0, 0) + _attributes(node, len(content))
    elif opcode == _OPEN:
        answer = struct.pack("<QII", 0, 0, 0)
    elif opcode == _READ:
        _, offset, count = struct.unpack_from("<QQI", body)
        answer = content[offset : offset + count]
    elif opcode in {_RELEASE, _FLUSH, _ACCESS}:
        answer = b""
    return answer


def _serve(device: int, content: bytes, seconds: float) -> None:
    while True:
        request = os.read(device, 1 << 20)
        _, opcode, unique, node, *_ = _IN.unpack_from(request)
        answer = _answer(opcode, node, request[_IN.size :], content, seconds)
        if answer is None:
            continue
        number, body = (-answer, b"") if isinstance(answer, int) else (0, answer)
        os.write(device, _OUT.pack(_OUT.size + len(body), number, unique) + body)


def main() -> None:
    """Mount, report it, and serve until killed: FOLDER SECONDS, and the content of the file from stdin."""
    content = sys.stdin.buffer.read()
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if ctypes.CDLL(None).mount(b"slow", sys.argv[1].encode(), b"fuse.slow", 0, options) == 0:
        print("mounted", flush=True)  # noqa: T201 -- read by the test
        _serve(device, content, float(sys.argv[2]))


if __name__ == "__main__":
    main()
