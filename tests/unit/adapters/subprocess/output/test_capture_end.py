"""The last look at a pipe that somebody may still hold."""

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
    """Have it write to a file, and wait for more."""
    await captured.write(bytes(MUCH))
    await eventually(lambda: captured.spool.disk.free == PLENTY - MUCH)


async def test_finishing_takes_what_is_in_the_pipe_and_waits_for_nobody(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        os.write(captured.writing, b"last words")
        assert await captured.collect() == b"last words"
        assert not captured.capture.ended
        assert captured.ends == 0


async def test_finishing_with_nothing_in_the_pipe_is_over_at_once(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        assert captured.capture.idle
        assert await captured.collect() == b""


async def test_finishing_takes_what_is_in_the_pipe_of_one_that_spools(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        assert not captured.capture.idle
        os.write(captured.writing, b"last words")
        assert await captured.collect() == bytes(MUCH) + b"last words"
        assert captured.ends == 0


async def test_finishing_one_that_spools_with_nothing_in_the_pipe_is_over_at_once(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        assert await captured.collect() == bytes(MUCH)


async def test_what_begins_to_spool_at_the_last_look_is_kept_whole(tmp_path: Path) -> None:
    async with capturing(tmp_path, max_held=100) as captured:
        os.write(captured.writing, bytes(50_000))
        assert await captured.collect() == bytes(50_000)


# Hazard 4.
async def test_the_last_look_takes_no_more_than_a_pipe_holds_however_much_is_written(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        finishing = asyncio.create_task(captured.capture.drain())
        while not finishing.done():
            with contextlib.suppress(BlockingIOError):
                os.write(captured.writing, bytes(65_536))
            await asyncio.sleep(0)
        output = captured.capture.take_output()
        size = output.size
        assert MUCH <= size <= 4 * MUCH
        assert await read_and_close(output) == bytes(size)


async def test_the_limit_holds_at_the_last_look_too(tmp_path: Path) -> None:
    async with capturing(tmp_path, 4) as captured:
        os.write(captured.writing, b"12345")
        assert await captured.collect() == b"1234"
        assert captured.capture.overflowed


async def test_finishing_after_the_end_changes_nothing(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(b"text")
        captured.hang_up()
        await captured.ended()
        await captured.capture.drain()
        assert await captured.collect() == b"text"
        assert captured.ends == 1


async def test_one_that_spools_goes_on_when_more_comes_and_ends_at_the_end_of_file(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        await spooling(captured)
        await captured.write(b"more")
        await eventually(lambda: captured.spool.disk.free == PLENTY - MUCH - 4)
        assert captured.ends == 0
        captured.hang_up()
        await captured.ended()
        assert await captured.collect() == bytes(MUCH) + b"more"


async def test_at_the_limit_it_waits_whether_there_is_more(tmp_path: Path) -> None:
    async with capturing(tmp_path, MUCH) as captured:
        await spooling(captured)
        await settle()
        assert not captured.capture.ended
        await captured.write(b"x")
        await captured.ended()
        assert captured.capture.overflowed
        assert await captured.collect() == bytes(MUCH)


@pytest.mark.parametrize("size", [10, SPOOL_THRESHOLD_BYTES * 3])
async def test_what_is_closed_unread_gives_everything_back(tmp_path: Path, size: int) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(bytes(size))
        captured.hang_up()
        await captured.ended()
        captured.capture.take_output().close()


async def test_a_disk_that_hangs_when_a_file_is_opened_holds_up_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, opened = threading.Event(), tempfile.TemporaryFile

    def hang(*, dir: str, buffering: int) -> object:  # noqa: A002 -- tempfile's own word
        assert answers.wait(20.0)
        return opened(dir=dir, buffering=buffering)

    monkeypatch.setattr(tempfile, "TemporaryFile", hang)
    async with capturing(tmp_path) as captured:
        os.write(captured.writing, b"x")
        writing = asyncio.create_task(captured.write(bytes(MUCH)))
        await asyncio.sleep(0.05)
        # The event loop has come back here, so it is a thread that waits.
        answers.set()
        await writing
        captured.hang_up()
        await captured.ended()
        assert len(await captured.collect()) == MUCH + 1
