"""Commands that are too long for execve(2): exactly those that the system refuses are refused."""

import os
import resource
from collections.abc import Iterator

import pytest

from execwire.adapters.subprocess.spawn.arguments import MANY_ARGUMENTS, refuse_too_long

MIB = 1024 * 1024
STACK = 8 * MIB


@pytest.fixture(autouse=True)
def stack_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_STACK)
    if before[1] != resource.RLIM_INFINITY and before[1] < STACK:
        pytest.skip("the hard limit of the stack is too low here")
    resource.setrlimit(resource.RLIMIT_STACK, (STACK, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_STACK, before)


def started(command: tuple[str, ...]) -> bool:
    """Return whether the system starts the command, with an empty environment."""
    try:
        pid = os.posix_spawn(command[0], command, {})
    except OSError:
        return False
    os.waitpid(pid, 0)
    return True


def command(count: int, word: str = "ab") -> tuple[str, ...]:
    return ("/bin/true", *[word] * count)


def test_startable_commands_are_accepted_and_others_refused_close_to_the_limit() -> None:
    # Two MiB, of which each argument takes 2 bytes, a NUL and a pointer.
    limit = STACK // 4 // 11
    assert refuse_too_long(command(limit - 5)) is None
    assert started(command(limit - 50))
    assert refuse_too_long(command(limit + 5)) is not None
    assert not started(command(limit + 5))


def test_multibyte_characters_count_as_at_least_one_byte() -> None:
    assert refuse_too_long(command(MANY_ARGUMENTS, "ä")) is None


def test_reason_names_the_program_and_is_the_systems() -> None:
    refusal = refuse_too_long(command(250_000))
    assert refusal is not None
    assert refusal.reason.startswith("cannot start /bin/true: Argument list too long")


def test_unlimited_stack_allows_six_mib() -> None:
    before = resource.getrlimit(resource.RLIMIT_STACK)
    if before[1] != resource.RLIM_INFINITY:
        pytest.skip("the stack has a hard limit here")
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, before[1]))
    assert refuse_too_long(command(500_000)) is None
    assert refuse_too_long(command(600_000)) is not None
