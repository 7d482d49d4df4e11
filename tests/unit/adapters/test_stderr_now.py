"""Hazard 29: the supervisor's lines, where standard error is anything."""

import contextlib
import os
import select
from collections.abc import Iterator

import pytest

from execwire.adapters.stderr import NonBlockingStderr


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe; a test that closes the reading end pops it off the front."""
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def test_a_line_is_written_at_once(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    assert stderr.write("grüße\n") == 6
    stderr.flush()
    assert os.read(pipe[0], 100) == "grüße\n".encode()


def test_a_full_pipe_drops_the_line_and_blocks_nobody(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    os.set_blocking(pipe[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe[1], bytes(65_536))
    os.set_blocking(pipe[1], True)
    assert stderr.write("line\n") == 5


def test_a_closed_pipe_drops_the_line(pipe: list[int]) -> None:
    stderr = NonBlockingStderr(pipe[1])
    os.close(pipe.pop(0))
    assert stderr.write("line\n") == 5


def test_a_line_is_cut_where_a_pipe_might_block(pipe: list[int]) -> None:
    NonBlockingStderr(pipe[1]).write("x" * 100_000)
    assert len(os.read(pipe[0], 200_000)) == select.PIPE_BUF


def test_what_is_not_text_is_written_as_well_as_can_be(pipe: list[int]) -> None:
    NonBlockingStderr(pipe[1]).write("\ud800\n")
    assert os.read(pipe[0], 100) == b"?\n"
