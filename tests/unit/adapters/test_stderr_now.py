"""Hazard 29: log lines of the supervisor with a working, full or closed standard error."""

import contextlib
import os
import select
from collections.abc import Iterator

import pytest

from execwire.adapters.stderr import NonBlockingStderr


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe; a test that closes the read end removes it from the front of the list."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_line_is_written_at_once(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    assert stderr.write("grüße\n") == 6
    stderr.flush()
    assert os.read(pipe[0], 100) == "grüße\n".encode()


def test_line_is_dropped_without_blocking_if_the_pipe_is_full(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    os.set_blocking(pipe[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe[1], bytes(65_536))
    os.set_blocking(pipe[1], True)
    assert stderr.write("line\n") == 5


def test_line_is_dropped_if_the_pipe_is_closed(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    os.close(pipe.pop(0))
    assert stderr.write("line\n") == 5


def test_line_is_truncated_where_a_pipe_might_block(pipe: list[int]) -> None:
    NonBlockingStderr(pipe[1]).write("x" * 100_000)
    assert len(os.read(pipe[0], 200_000)) == select.PIPE_BUF


def test_lone_surrogate_is_written_as_a_replacement(pipe: list[int]) -> None:
    NonBlockingStderr(pipe[1]).write("\ud800\n")
    assert os.read(pipe[0], 100) == b"?\n"
