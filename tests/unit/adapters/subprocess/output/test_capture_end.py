"""The last read from a pipe that a process may still hold."""

import asyncio
import contextlib
import os
import tempfile
import threading
from pathlib import Path

import pytest
from capture_harness import PLENTY, Captured, capturing, read_and_close
from event_loop import settle
from proc import eventually

from execwire.adapters.subprocess.output.capture import SPOOL_THRESHOLD_BYTES

MUCH = 1_000_000


async def spooling(captured: Captured) -> None:
    """Make the capture spool, and wait until it waits for more."""
    await captured.write(bytes(MUCH))
    await eventually(lambda: captured.spool.disk.free == PLENTY - MUCH)


async def test_drain_reads_what_is_in_the_pipe_and_waits_for_no_writer(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        os.write(captured.writing, b"last words")
        assert await captured.collect() == b"last words"
        assert not captured.capture.ended
        assert captured.ends == 0


async def test_drain_of_an_empty_pipe_returns_at_once(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        assert captured.capture.idle
        assert await captured.collect() == b""


async def test_drain_while_spooling_reads_what_is_in_the_pipe(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        assert not captured.capture.idle
        os.write(captured.writing, b"last words")
        assert await captured.collect() == bytes(MUCH) + b"last words"
        assert captured.ends == 0


async def test_drain_while_spooling_returns_at_once_if_the_pipe_is_empty(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        assert await captured.collect() == bytes(MUCH)


async def test_output_that_starts_to_spool_during_drain_is_kept_completely(tmp_path: Path) -> None:
    async with capturing(tmp_path, max_held=100) as captured:
        os.write(captured.writing, bytes(50_000))
        assert await captured.collect() == bytes(50_000)


# Hazard 4.
async def test_drain_reads_no_more_than_a_pipe_holds_from_a_continuous_writer(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        draining = asyncio.create_task(captured.capture.drain())
        while not draining.done():
            with contextlib.suppress(BlockingIOError):
                os.write(captured.writing, bytes(65_536))
            await asyncio.sleep(0)
        output = captured.capture.take_output()
        size = output.size
        assert MUCH <= size <= 4 * MUCH
        assert await read_and_close(output) == bytes(size)


async def test_drain_observes_the_limit(tmp_path: Path) -> None:
    async with capturing(tmp_path, 4) as captured:
        os.write(captured.writing, b"12345")
        assert await captured.collect() == b"1234"
        assert captured.capture.overflowed


async def test_drain_after_the_end_changes_nothing(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(b"text")
        captured.hang_up()
        await captured.ended()
        await captured.capture.drain()
        assert await captured.collect() == b"text"
        assert captured.ends == 1


async def test_spooling_continues_when_more_arrives_and_ends_at_end_of_file(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        await captured.write(b"more")
        await eventually(lambda: captured.spool.disk.free == PLENTY - MUCH - 4)
        assert captured.ends == 0
        captured.hang_up()
        await captured.ended()
        assert await captured.collect() == bytes(MUCH) + b"more"


async def test_capture_at_the_limit_waits_for_one_more_byte(tmp_path: Path) -> None:
    async with capturing(tmp_path, MUCH) as captured:
        await spooling(captured)
        await settle()
        assert not captured.capture.ended
        await captured.write(b"x")
        await captured.ended()
        assert captured.capture.overflowed
        assert await captured.collect() == bytes(MUCH)


@pytest.mark.parametrize("size", [10, SPOOL_THRESHOLD_BYTES * 3])
async def test_output_that_is_closed_unread_releases_everything(tmp_path: Path, size: int) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(bytes(size))
        captured.hang_up()
        await captured.ended()
        captured.capture.take_output().close()


async def test_disk_that_hangs_when_a_file_is_opened_does_not_block_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    responds, open_file = threading.Event(), tempfile.TemporaryFile

    def hang(*, dir: str, buffering: int) -> object:  # noqa: A002 -- tempfile's own name
        assert responds.wait(20.0)
        return open_file(dir=dir, buffering=buffering)

    monkeypatch.setattr(tempfile, "TemporaryFile", hang)
    async with capturing(tmp_path) as captured:
        os.write(captured.writing, b"x")
        writing = asyncio.create_task(captured.write(bytes(MUCH)))
        await asyncio.sleep(0.05)
        # The event loop has continued, so only a thread waits.
        responds.set()
        await writing
        captured.hang_up()
        await captured.ended()
        assert len(await captured.collect()) == MUCH + 1
