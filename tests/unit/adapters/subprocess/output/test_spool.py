import asyncio
import errno
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from capture_harness import read_and_close
from proc import eventually

from execwire.adapters.subprocess.output.memory_output import MemoryOutput
from execwire.adapters.subprocess.output.pipe_reader import READ_BYTES, PipeReader
from execwire.adapters.subprocess.output.spool import THREADS, CopyEnd, Spool, SpooledOutput, copy_pipe, write_all
from execwire.domain.budget import Budget
from execwire.domain.output import CHUNK_BYTES


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool(str(tmp_path), 1000, Budget(100))
    yield spool
    spool.close()


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """A pipe; a test that closes the write end pops it."""
    ends = list(os.pipe2(os.O_NONBLOCK))
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def reader() -> Iterator[PipeReader]:
    reader = PipeReader()
    yield reader
    reader.close()


def spooled(spool: Spool, data: bytes) -> tuple[SpooledOutput, BinaryIO]:
    """Return an output and the file that it owns."""
    file = spool.open()
    file.write(data)
    spool.disk.reserve(len(data))
    return SpooledOutput(file, len(data), spool), file


async def test_memory_output_yields_chunks_until_it_is_closed() -> None:
    budget = Budget(2 * CHUNK_BYTES)
    data = os.urandom(CHUNK_BYTES + 1)
    budget.reserve(len(data))
    output = MemoryOutput(data, budget)
    assert [len(chunk) async for chunk in output.chunks()] == [CHUNK_BYTES, 1]
    assert await read_and_close(output) == data
    output.close()
    assert budget.free == 2 * CHUNK_BYTES
    assert output.in_memory == b""


async def test_spooled_output_can_be_read_back_and_frees_the_disk(spool: Spool) -> None:
    output, file = spooled(spool, b"x" * 900)
    assert output.in_memory is None
    assert spool.disk.free == 100
    assert await read_and_close(output) == b"x" * 900
    output.close()
    await spool.wait_discarded()
    assert spool.disk.free == 1000
    assert file.closed


async def test_spool_files_have_no_name(spool: Spool, tmp_path: Path) -> None:
    with spool.open():
        assert os.listdir(tmp_path) == []  # noqa: PTH208 -- blocks only for a moment


async def test_truncated_file_is_an_error_and_not_an_end(spool: Spool) -> None:
    output = SpooledOutput(spool.open(), 10, spool)
    with pytest.raises(OSError, match="ends at 0 of 10 bytes"):
        await anext(output.chunks())
    output.close()
    await spool.wait_discarded()


async def test_close_during_a_read_waits_for_the_thread_off_the_event_loop(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, file = spooled(spool, b"text")
    reading, may_continue = threading.Event(), threading.Event()
    read = os.pread

    def slow(descriptor: int, count: int, offset: int) -> bytes:
        reading.set()
        may_continue.wait(10)
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", slow)
    chunk = asyncio.ensure_future(anext(output.chunks()))
    await eventually(reading.is_set)
    chunk.cancel()
    output.close()
    assert not file.closed
    may_continue.set()
    await spool.wait_discarded()
    assert file.closed


async def test_close_before_a_thread_has_begun_to_read_cancels_the_read(spool: Spool) -> None:
    may_continue = threading.Event()
    for _ in range(THREADS):
        spool.submit(may_continue.wait, 10)
    output, file = spooled(spool, b"text")
    chunk = asyncio.ensure_future(anext(output.chunks()))
    await asyncio.sleep(0)
    output.close()
    may_continue.set()
    with pytest.raises(asyncio.CancelledError):
        await chunk
    await spool.wait_discarded()
    assert file.closed


def test_copying_stops_at_an_empty_pipe_at_end_of_file_and_at_the_limit(
    reader: PipeReader, pipe: list[int], tmp_path: Path
) -> None:
    reading, writing = pipe
    with (tmp_path / "file").open("wb", buffering=0) as file:
        assert copy_pipe(reader, reading, file.fileno(), 10) == (0, CopyEnd.WOULD_BLOCK)
        os.write(writing, b"0123456789")
        assert copy_pipe(reader, reading, file.fileno(), 4) == (4, CopyEnd.LIMIT)
        assert copy_pipe(reader, reading, file.fileno(), 6) == (6, CopyEnd.LIMIT)
        os.write(writing, b"rest")
        assert copy_pipe(reader, reading, file.fileno(), READ_BYTES * 2) == (4, CopyEnd.WOULD_BLOCK)
        os.write(writing, b"end")
        os.close(pipe.pop())
        assert copy_pipe(reader, reading, file.fileno(), 100) == (3, CopyEnd.EOF)
    assert (tmp_path / "file").read_bytes() == b"0123456789restend"


# Hazard 15.
def test_full_disk_is_an_error(reader: PipeReader, pipe: list[int]) -> None:
    os.write(pipe[1], b"text")
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        copy_pipe(reader, pipe[0], full.fileno(), 10)


def test_partial_writes_continue_until_everything_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write

    def write_a_little(target: int, data: memoryview) -> int:
        return write(target, data[:3])

    monkeypatch.setattr(os, "write", write_a_little)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file.fileno(), b"0123456789")
        write_all(file.fileno(), b"")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize("times", [1, 3])
def test_temporarily_lowered_limit_of_open_files_refuses_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    refusals, open_file = iter(range(times)), tempfile.TemporaryFile

    def refuse(*, dir: str, buffering: int) -> object:  # noqa: A002 -- tempfile's own name
        if next(refusals, None) is not None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return open_file(dir=dir, buffering=buffering)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    spool = Spool(str(tmp_path), 0, Budget(0))
    spool.open().close()
    spool.close()


def test_permanent_error_when_a_file_is_opened_is_raised(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "missing"), 0, Budget(0))
    with pytest.raises(FileNotFoundError):
        spool.open()
    spool.close()
