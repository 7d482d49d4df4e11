"""A missing system requirement: one line that names it before the agent listens, and exit status 2."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from other_user import becoming, skip_unless_user_can_run_agent

AS_FRESH_USER = becoming(54316)
"""A user without other processes: RLIMIT_NPROC counts all processes of a user."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")

# Makes system calls fail by number, with EPERM as old container runtimes do; then executes the command.
# A classic BPF program, see seccomp(2) and the kernel's seccomp_filter: load the number, compare, return.
FORBID = """
import ctypes, os, struct, sys
numbers, command = sys.argv[1].split(","), sys.argv[2:]
program = struct.pack("=HBBI", 0x20, 0, 0, 0)
for number in numbers:
    program += struct.pack("=HBBI", 0x15, 0, 1, int(number)) + struct.pack("=HBBI", 0x06, 0, 0, 0x00050001)
program += struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(program)
filter = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
assert libc.prctl(22, 2, ctypes.create_string_buffer(filter), 0, 0) == 0, "PR_SET_SECCOMP"
os.execv(command[0], command)
"""
PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434
"""These numbers are the same on all architectures."""
BY_MACHINE = {
    "x86_64": {"waitid": 247, "eventfd2": 290, "setsid": 112, "splice": 275, "prlimit64": 302},
    "aarch64": {"waitid": 95, "eventfd2": 19, "setsid": 157, "splice": 76, "prlimit64": 261},
}


async def refusal(*launcher: str, options: tuple[str, ...] = ()) -> str:
    """Start an agent by `launcher`, which must exit by itself; return its one line of stderr."""
    process = await asyncio.create_subprocess_exec(
        *launcher, sys.executable, "-m", "execwire", "serve", "--port", "0", *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    message = errors.decode()
    assert (process.returncode, output, message.count("\n")) == (2, b"", 1), message
    assert message.startswith("execwire: ")
    return message


def without(*numbers: int) -> tuple[str, ...]:
    return (sys.executable, "-c", FORBID, ",".join(map(str, numbers)))


@pytest.mark.parametrize("number", [PIDFD_OPEN, PIDFD_SEND_SIGNAL])
async def test_sandbox_that_forbids_pidfds_is_reported(number: int) -> None:
    message = await refusal(*without(number))
    assert "pidfd_open(2)" in message
    assert "Operation not permitted" in message
    assert "seccomp" in message


@pytest.mark.skipif(os.uname().machine not in BY_MACHINE, reason="its system call numbers are not known here")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("waitid", "waitid(2)"),
        ("eventfd2", "eventfd(2)"),
        ("setsid", "posix_spawn(3)"),
        ("splice", "splice(2)"),
    ],
)
async def test_sandbox_that_forbids_required_system_calls_is_reported(name: str, what: str) -> None:
    message = await refusal(*without(BY_MACHINE[os.uname().machine][name]))
    assert what in message
    assert "Operation not permitted" in message


@pytest.mark.parametrize("limit", [8, 20, 79])
async def test_too_low_descriptor_limit_is_reported(limit: int) -> None:
    message = await refusal("prlimit", f"--nofile={limit}:{limit}")
    assert f"the hard limit is {limit}" in message
    assert "ulimit -n" in message


async def test_too_low_file_lock_limit_is_reported() -> None:
    assert "LimitLOCKS" in await refusal("prlimit", "--locks=1000:1000")


@needs_root
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("umount -l /proc", "needs /proc: No such file or directory"),
        ("mount --bind /dev/zero /dev/null", "needs /dev/null: it is another kind of file"),
        ("mount --bind $0/file /dev/null", "needs /dev/null: it is another kind of file"),
        ("mount -t tmpfs none /dev", "needs /dev/null: No such file or directory"),
    ],
)
async def test_missing_file_systems_and_devices_are_reported(tmp_path: Path, script: str, reason: str) -> None:
    (tmp_path / "file").touch()
    script = f'{script} && exec "$@"'
    message = await refusal("unshare", "--mount", "sh", "-c", script, str(tmp_path))
    assert reason in message


@needs_root
async def test_agent_that_cannot_create_threads_exits_with_one_line() -> None:
    # Three processes and threads are allowed: the supervisor, a worker, and its thread that writes the log.
    skip_unless_user_can_run_agent(AS_FRESH_USER)
    message = await refusal("prlimit", "--nproc=3:3", *AS_FRESH_USER)
    assert "cannot start: can't start new thread" in message


@needs_root
async def test_agent_that_cannot_create_processes_exits_with_one_line() -> None:
    skip_unless_user_can_run_agent(AS_FRESH_USER)
    message = await refusal("prlimit", "--nproc=1:1", *AS_FRESH_USER)
    assert "Resource temporarily unavailable" in message
