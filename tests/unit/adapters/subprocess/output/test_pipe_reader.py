"""No byte of a pipe is lost, however it was written and however few bytes are requested at a time."""

import fcntl
import os
from collections.abc import Iterator, Sequence

import pytest

from execwire.adapters.subprocess.output.pipe_reader import READ_BYTES, PipeReader, bytes_in

CAPACITY = 1024 * 1024


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A large pipe; a test that closes the write end pops it."""
    ends = list(os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, CAPACITY)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def reader() -> Iterator[PipeReader]:
    reader = PipeReader()
    yield reader
    reader.close()


def write(pipe: list[int], *packets: bytes, direct: bool) -> None:
    fcntl.fcntl(pipe[1], fcntl.F_SETFL, os.O_NONBLOCK | (os.O_DIRECT if direct else 0))
    for packet in packets:
        assert os.write(pipe[1], packet) == len(packet)


def read_all(reader: PipeReader, pipe: list[int], count: int) -> bytes:
    """Read until the pipe is empty, at most `count` bytes at a time."""
    data = bytearray()
    try:
        while piece := reader.read(pipe[0], count):
            assert len(piece) <= count
            data += piece
    except BlockingIOError:
        assert bytes_in(pipe[0]) == 0
    return bytes(data)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 4095, 4096, 4097, READ_BYTES, 10 * READ_BYTES])
def test_packets_are_complete_however_little_is_read_at_a_time(reader: PipeReader, pipe: list[int], count: int) -> None:
    packets = [os.urandom(size) for size in (100, 1, 4096, 4095, 777, 9000)]
    write(pipe, *packets, direct=True)
    assert read_all(reader, pipe, count) == b"".join(packets)


def test_packets_after_a_stream_that_leaves_little_room_are_complete(reader: PipeReader, pipe: list[int]) -> None:
    for stream in range(READ_BYTES - 4100, READ_BYTES + 10, 41):
        data = [os.urandom(stream), os.urandom(4000), os.urandom(10)]
        write(pipe, data[0], direct=False)
        write(pipe, *data[1:], direct=True)
        assert read_all(reader, pipe, READ_BYTES) == b"".join(data), stream


def test_end_of_file_returns_no_bytes_repeatedly(reader: PipeReader, pipe: list[int]) -> None:
    write(pipe, b"text", direct=False)
    os.close(pipe.pop())
    assert [bytes(reader.read(pipe[0])) for _ in range(3)] == [b"text", b"", b""]


def test_remains_of_a_failed_read_are_not_returned_for_the_next_pipe(
    reader: PipeReader, pipe: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pipe, *[b"x" * 1000] * 20, direct=True)
    attempts = 0
    readv = os.readv

    def fail(descriptor: int, buffers: Sequence[memoryview]) -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            raise MemoryError
        return readv(descriptor, buffers)

    with monkeypatch.context() as patch:
        patch.setattr(os, "readv", fail)
        with pytest.raises(MemoryError):
            reader.read(pipe[0])
    read_all(reader, pipe, READ_BYTES)
    write(pipe, b"next", direct=False)
    assert bytes(reader.read(pipe[0])) == b"next"
