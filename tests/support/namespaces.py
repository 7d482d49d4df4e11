"""Network namespaces, which simulate another host, or a host whose settings a test can change."""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with `lo` up; it exists until closed, or as long as a process is in it."""

    def __init__(self) -> None:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.unshare(_CLONE_NEWNET))
            # Keep it open in this process, so that it persists and has a path.
            self._descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _check(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        self.run("ip", "link", "set", "lo", "up")

    @property
    def launcher(self) -> tuple[str, ...]:
        """The command that enters the namespace and executes the following arguments."""
        return ("nsenter", f"--net={self.path}")

    def run(self, *command: str) -> None:
        subprocess.run((*self.launcher, *command), check=True, capture_output=True)

    def set(self, setting: str, value: int) -> None:
        """Set a value below /proc/sys/net, which belongs to the namespace of the process that writes it."""
        self.run("sh", "-c", f"echo {value} > /proc/sys/net/{setting}")

    @contextmanager
    def entered(self) -> Generator[None]:
        """Sockets that this thread opens within the context belong to the namespace permanently."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _check(_libc.setns(self._descriptor, _CLONE_NEWNET))
        try:
            yield
        finally:
            _check(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def namespaces(count: int) -> Generator[list[Namespace]]:
    """Create `count` namespaces; skip with a reason if that is impossible."""
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    if not (shutil.which("ip") and shutil.which("nsenter")):
        pytest.skip("ip(8) or nsenter(1) is not installed")
    with contextlib.ExitStack() as stack:
        made = list[Namespace]()
        for _ in range(count):
            try:
                namespace = Namespace()
            except OSError as error:
                pytest.skip(f"this machine cannot create network namespaces: {error}")
            stack.callback(namespace.close)
            made.append(namespace)
        yield made


def connect(one: Namespace, other: Namespace) -> None:
    """Connect two namespaces by veth0: 10.9.8.1 and fe80::1 in the first, 10.9.8.2 and fe80::2 in the second."""
    try:
        one.run("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", other.path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this kernel has no veth: {error.stderr.decode().strip()}")
    for number, namespace in enumerate((one, other), start=1):
        namespace.run("ip", "link", "set", "veth0", "addrgenmode", "none")
        namespace.run("ip", "link", "set", "veth0", "up")
        namespace.run("ip", "address", "add", f"10.9.8.{number}/24", "dev", "veth0")
        namespace.run("ip", "address", "add", f"fe80::{number}/64", "dev", "veth0", "nodad")


def _check(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
