import pytest

from execwire.domain.output import CHUNK_BYTES, NO_OUTPUT, BytesOutput, CapturedOutput


async def chunks_of(output: CapturedOutput) -> list[bytes]:
    return [chunk async for chunk in output.chunks()]


# Hazard 20: one byte under, at and over.
@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
async def test_chunks_are_all_bytes_in_order_in_small_non_empty_pieces(size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    output = BytesOutput(data)
    chunks = await chunks_of(output)
    assert output.size == size
    assert output.in_memory == data
    assert b"".join(chunks) == data
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


async def test_output_can_be_read_from_the_start_again() -> None:
    output = BytesOutput(b"abc")
    assert await chunks_of(output) == await chunks_of(output) == [b"abc"]


async def test_no_output_is_empty() -> None:
    assert (NO_OUTPUT.size, NO_OUTPUT.in_memory) == (0, b"")
    assert await chunks_of(NO_OUTPUT) == []


async def test_closing_no_output_twice_is_harmless() -> None:
    NO_OUTPUT.close()
    NO_OUTPUT.close()
    assert await chunks_of(NO_OUTPUT) == []
