"""All data that is written to a pipe is kept, up to the limits."""

import fcntl
import os
from array import array
from pathlib import Path
from typing import BinaryIO

import pytest
from capture_harness import capturing
from event_loop import settle

from execwire.adapters.subprocess.output.capture import SPOOL_THRESHOLD_BYTES
from execwire.adapters.subprocess.output.spool_writer import STEP_BYTES
from execwire.domain.output import NO_OUTPUT

AROUND_LIMIT = [-1, 0, 1]


def pattern(size: int) -> bytes:
    """Return bytes in which every piece differs, so that a displaced piece is found."""
    return array("I", range(size // 4 + 1)).tobytes()[:size]


def accept_all(target: int, data: bytes) -> None:
    assert target >= 0
    assert data


def open_full_disk() -> BinaryIO:
    return Path("/dev/full").open("r+b", buffering=0)


async def test_process_that_writes_nothing_has_no_output_and_no_file(tmp_path: Path) -> None:
    async with capturing(tmp_path) as captured:
        captured.hang_up()
        await captured.ended()
        assert captured.capture.ended
        assert captured.capture.take_output() is NO_OUTPUT


# Hazard 19.
async def test_every_byte_value_is_captured_in_memory_and_in_a_file(tmp_path: Path) -> None:
    data = bytes(range(256))
    for times in (1, 5000):
        async with capturing(tmp_path) as captured:
            await captured.write(data * times)
            captured.hang_up()
            await captured.ended()
            assert await captured.collect() == data * times


# Hazard 20.
@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 3_000_000])
async def test_output_of_any_size_is_captured_completely(tmp_path: Path, size: int) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(pattern(size))
        captured.hang_up()
        await captured.ended()
        assert captured.ends == 1
        assert await captured.collect() == pattern(size)


# Hazard 20.
@pytest.mark.parametrize(("over", "in_memory"), [(-1, True), (0, True), (1, False)])
async def test_output_above_the_threshold_is_kept_in_a_file(tmp_path: Path, over: int, *, in_memory: bool) -> None:
    async with capturing(tmp_path) as captured:
        await captured.write(pattern(SPOOL_THRESHOLD_BYTES + over))
        captured.hang_up()
        await captured.ended()
        await captured.capture.drain()
        output = captured.capture.take_output()
        assert (output.in_memory is not None) is in_memory
        assert output.size == SPOOL_THRESHOLD_BYTES + over
        output.close()


# Hazard 20.
@pytest.mark.parametrize("limit", [0, 10, 100_000, SPOOL_THRESHOLD_BYTES, SPOOL_THRESHOLD_BYTES + 1, 2_000_000])
@pytest.mark.parametrize("over", AROUND_LIMIT)
async def test_output_at_the_limit_is_kept_and_one_byte_more_overflows(tmp_path: Path, limit: int, over: int) -> None:
    data = pattern(max(limit + over, 0))
    async with capturing(tmp_path, limit) as captured:
        await captured.write(data)
        captured.hang_up()
        await captured.ended()
        assert captured.capture.overflowed is (over > 0)
        assert captured.capture.ended
        assert captured.capture.failure is None
        assert captured.ends == 1
        assert await captured.collect() == data[:limit]


# Hazard 17.
@pytest.mark.parametrize("limit", [1000, 1_000_000])
async def test_overflow_ends_the_capture_without_waiting_for_end_of_file(tmp_path: Path, limit: int) -> None:
    async with capturing(tmp_path, limit) as captured:
        await captured.write(b"y\n" * limit)
        await captured.ended()
        assert captured.capture.overflowed
        assert await captured.collect() == (b"y\n" * limit)[:limit]


# Hazard 20.
@pytest.mark.parametrize("max_spool", [0, SPOOL_THRESHOLD_BYTES, SPOOL_THRESHOLD_BYTES + 1, 1_500_000])
@pytest.mark.parametrize("over", AROUND_LIMIT)
async def test_full_spool_counts_as_overflow(tmp_path: Path, max_spool: int, over: int) -> None:
    size = max(max_spool + over, SPOOL_THRESHOLD_BYTES + 1)
    async with capturing(tmp_path, max_spool=max_spool) as captured:
        await captured.write(pattern(size))
        captured.hang_up()
        await captured.ended()
        assert captured.capture.overflowed is (size > max_spool)
        assert await captured.collect() == pattern(size)[:max_spool]


# Hazard 20.
@pytest.mark.parametrize(("over", "in_memory"), [(-1, True), (0, True), (1, False)])
async def test_small_output_is_kept_in_a_file_when_the_memory_budget_is_used_up(
    tmp_path: Path, over: int, *, in_memory: bool
) -> None:
    async with capturing(tmp_path, max_held=1000) as captured:
        await captured.write(pattern(1000 + over))
        await settle()
        captured.hang_up()
        await captured.ended()
        await captured.capture.drain()
        output = captured.capture.take_output()
        assert (output.in_memory is not None) is in_memory
        assert captured.spool.memory.free == (-over if in_memory else 1000)
        assert b"".join([chunk async for chunk in output.chunks()]) == pattern(1000 + over)
        output.close()


# Hazard 15.
@pytest.mark.parametrize("full_from", [0, 1])
async def test_full_disk_is_a_failure_with_the_systems_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_from: int
) -> None:
    async with capturing(tmp_path) as captured:
        monkeypatch.setattr(captured.spool, "open", open_full_disk)
        if full_from:
            # Writing the prefix succeeds; the copy that follows meets the full disk.
            monkeypatch.setattr("execwire.adapters.subprocess.output.spool_writer.write_all", accept_all)
        await captured.write(pattern(SPOOL_THRESHOLD_BYTES * 8))
        await captured.ended()
        assert captured.capture.failure is not None
        assert captured.capture.failure.strerror == "No space left on device"
        assert captured.ends == 1
        await captured.capture.drain()
        captured.capture.take_output().close()


# Hazard 15.
async def test_spool_that_cannot_create_a_file_is_a_failure(tmp_path: Path) -> None:
    async with capturing(tmp_path / "missing") as captured:
        await captured.write(pattern(SPOOL_THRESHOLD_BYTES * 4))
        await captured.ended()
        assert isinstance(captured.capture.failure, FileNotFoundError)
        assert captured.capture.take_output() is NO_OUTPUT


async def test_pipe_that_may_not_be_enlarged_works_at_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control = fcntl.fcntl

    def refuse(descriptor: int, command: int, argument: int = 0) -> int:
        if command == fcntl.F_SETPIPE_SZ:
            raise PermissionError
        return control(descriptor, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    async with capturing(tmp_path) as captured:
        await captured.write(pattern(2_000_000))
        captured.hang_up()
        await captured.ended()
        assert await captured.collect() == pattern(2_000_000)


async def test_pipe_that_cannot_be_watched_stays_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("execwire.adapters.subprocess.poller.Poller.register", refuse)
    with pytest.raises(OSError, match="No space left"):
        async with capturing(tmp_path):
            pass
