"""Files on a local disk whose opening blocks: a process holds a lease on them (fcntl(2), F_SETLEASE)."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_HOLD = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_WRONLY)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""
MIN_BREAK_SECONDS = 5


def skip_unless_leases_hold(folder: Path) -> None:
    """Skip if the file system has no leases, or the kernel breaks them sooner than a test needs."""
    if int(Path("/proc/sys/fs/lease-break-time").read_text()) < MIN_BREAK_SECONDS:
        pytest.skip("the kernel breaks leases too soon here (fs.lease-break-time)")
    probe = folder / "probe-of-leases"
    probe.touch()
    descriptor = os.open(probe, os.O_WRONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        pytest.skip(f"the file system of {folder} has no leases: {error.strerror}")
    finally:
        os.close(descriptor)
        probe.unlink()


@contextmanager
def leased(path: str | Path) -> Generator[None]:
    """Hold a write lease on a file that is not open: an open(2) blocks, for at most fs.lease-break-time."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.send_signal(signal.SIGKILL)
