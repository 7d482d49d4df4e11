"""The memory that output takes is counted, whatever the size of the pieces in which it was written."""

import os
import tracemalloc
from pathlib import Path

import pytest
from capture_harness import PLENTY, capturing
from event_loop import settle

SIZE = 10_000


@pytest.mark.parametrize("piece", [1, 2, 4, 100, 5000])
async def test_output_in_small_pieces_takes_no_more_memory_than_is_counted(tmp_path: Path, piece: int) -> None:
    async with capturing(tmp_path) as captured:
        os.write(captured.writing, bytes(piece))
        await settle()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(SIZE // piece - 1):
                os.write(captured.writing, bytes(piece))
                await settle(2)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        counted = PLENTY - captured.spool.memory.free
        assert SIZE <= counted <= SIZE * 1.2
        assert after - before < counted + 4000
        captured.hang_up()
        await captured.ended()
        output = captured.capture.take_output()
        # The memory that was allocated in advance has been released.
        assert (output.size, captured.spool.memory.free) == (SIZE, PLENTY - SIZE)
        output.close()
