import os
import re
import select
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from execwire.adapters.stderr import MAX_WAITING, QueuedStderr

BOUND_SECONDS = 20.0
LAST = "the last line\n"


@dataclass
class Pipe:
    """A pipe whose write end stands for the agent's standard error."""

    reading: int
    writing: int
    reading_is_open: bool = True

    def fill(self) -> int:
        """Write until the pipe is full; return the number of bytes."""
        os.set_blocking(self.writing, False)
        count = 0
        try:
            while True:
                count += os.write(self.writing, b".")
        except BlockingIOError:
            os.set_blocking(self.writing, True)
            return count

    def read_until(self, ending: bytes) -> bytes:
        text = bytearray()
        while not text.endswith(ending):
            ready, _, _ = select.select([self.reading], [], [], BOUND_SECONDS)
            assert ready, f"no more output after {bytes(text[-100:])!r}"
            text += os.read(self.reading, 65536)
        return bytes(text)

    def stop_reading(self) -> None:
        if self.reading_is_open:
            os.close(self.reading)
            self.reading_is_open = False


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe(*os.pipe())
    yield pipe
    # A writer that is blocked in a write to the pipe gets EPIPE from this, and ends.
    pipe.stop_reading()
    os.close(pipe.writing)


@pytest.fixture
def writer(pipe: Pipe) -> Iterator[QueuedStderr]:
    others = set(threading.enumerate())
    writer = QueuedStderr(pipe.writing)
    yield writer
    pipe.stop_reading()
    writer.close()
    for thread in set(threading.enumerate()) - others:
        # Before the descriptor is closed and its number reused.
        thread.join(BOUND_SECONDS)
        assert not thread.is_alive()


def test_lines_are_written_whole_and_in_order(pipe: Pipe, writer: QueuedStderr) -> None:
    lines = [f"line {number} ü\n" for number in range(500)]
    assert [writer.write(line) for line in lines] == [len(line) for line in lines]
    writer.flush()
    writer.write(LAST)
    assert pipe.read_until(LAST.encode()).decode() == "".join([*lines, LAST])


def test_closing_waits_until_the_queue_is_written(pipe: Pipe, writer: QueuedStderr) -> None:
    writer.write("one\n")
    writer.write(LAST)
    writer.close()
    os.set_blocking(pipe.reading, False)
    assert os.read(pipe.reading, 100) == f"one\n{LAST}".encode()


def test_closing_a_writer_that_never_wrote_does_nothing(pipe: Pipe, writer: QueuedStderr) -> None:
    writer.close()
    os.set_blocking(pipe.reading, False)
    with pytest.raises(BlockingIOError):
        os.read(pipe.reading, 1)


def test_full_pipe_never_blocks_the_writer_and_dropped_lines_are_counted(pipe: Pipe, writer: QueuedStderr) -> None:
    # Hazard 29.
    filling = pipe.fill()
    written = 2 * MAX_WAITING
    started = time.monotonic()
    for number in range(written):
        writer.write(f"line {number}\n")
    assert time.monotonic() - started < BOUND_SECONDS

    # The pipe is read again. Three lines that were read are not in the queue any more, so the next one fits.
    text = b""
    while text.count(b"\n") < 3:
        text += pipe.read_until(b"\n")
    writer.write(LAST)
    text = (text + pipe.read_until(LAST.encode()))[filling:]
    kept = [int(number) for number in re.findall(r"^line (\d+)$", text.decode(), re.MULTILINE)]
    dropped = [int(count) for count in re.findall(r"^\((\d+) lines of log dropped: ", text.decode(), re.MULTILINE)]
    assert kept == sorted(kept)
    assert len(kept) >= MAX_WAITING
    assert dropped
    assert len(kept) + sum(dropped) == written


def test_closing_does_not_wait_for_a_pipe_that_is_not_read(pipe: Pipe, writer: QueuedStderr) -> None:
    pipe.fill()
    writer.write("lost\n")
    started = time.monotonic()
    writer.close()
    assert time.monotonic() - started < BOUND_SECONDS


def test_closed_pipe_is_no_error(pipe: Pipe, writer: QueuedStderr) -> None:
    pipe.stop_reading()
    assert [writer.write("lost\n") for _ in range(3 * MAX_WAITING)] == [5] * 3 * MAX_WAITING
    writer.close()


def test_descriptor_made_non_blocking_by_another_process_gets_all_bytes(pipe: Pipe, writer: QueuedStderr) -> None:
    filling = pipe.fill()
    os.set_blocking(pipe.writing, False)
    line = "x" * 200_000 + "\n"
    writer.write(line)
    writer.write(LAST)
    assert pipe.read_until(LAST.encode())[filling:].decode() == line + LAST


def test_text_that_utf8_cannot_encode_is_written_with_replacements(pipe: Pipe, writer: QueuedStderr) -> None:
    writer.write("a\udc80b\n")
    assert pipe.read_until(b"\n") == b"a?b\n"
