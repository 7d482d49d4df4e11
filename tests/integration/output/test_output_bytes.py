"""Hazard 19: whatever bytes a process writes, its output is what Python's decoder returns for all of them."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from agent import Agent
from module_agent import module_agent
from programs import made

ALL_BYTES = bytes(range(256))
KIB = 1024
BOUNDARIES = (4 * KIB, 64 * KIB, 128 * KIB, 256 * KIB, 512 * KIB, 1024 * KIB)
"""Sizes of pipe reads, of output that moves to a file, of file reads and of pieces that are escaped."""
ODDITIES = {
    "lone surrogates": b"\xed\xa0\x80 \xed\xbf\xbf",
    "overlong": b"\xc0\x80 \xe0\x80\xaf \xf0\x80\x80\xaf",
    "beyond the last character": b"\xf4\x90\x80\x80 \xf8\x88\x80\x80\x80",
    "cut off by text": b"\xe2\x82a \xf0\x9f\x98b \xc3c",
    "cut off at the end": b"text \xf0\x9f\x98",
    "continuations only": b"\x80\x81\xbf",
    "NUL": b"a\0b\0\0",
    "what JSON escapes": b'"\\\b\f\n\r\t\x01\x1f\x7f\xe2\x80\xa8\xe2\x80\xa9',
    "a byte order mark": b"\xef\xbb\xbftext",
    "line ends": b"\r\n\r\n\n\r",
}


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent() as agent:
        yield agent


async def assert_all_arrive(agent: Agent, folder: Path, contents: Iterable[bytes]) -> None:
    expected: list[str] = []
    async with await agent.connect() as client:
        for number, content in enumerate(contents):
            await client.request(command=["cat", made(folder / str(number), content)])
            expected.append(content.decode("utf-8", "replace"))
        for text in expected:
            result = await client.result()
            # Not compared within assert: pytest would take minutes to show the difference of two megabytes.
            same = result["output"] == text
            assert same, f"{len(result['output'])} characters instead of {len(text)}"


async def test_all_bytes_and_all_byte_pairs(agent: Agent, tmp_path: Path) -> None:
    pairs = b"".join(bytes((one, other)) for one in ALL_BYTES for other in ALL_BYTES)
    await assert_all_arrive(agent, tmp_path, [ALL_BYTES, pairs, *(bytes((value,)) for value in ALL_BYTES)])


async def test_invalid_utf_8_and_characters_that_json_escapes(agent: Agent, tmp_path: Path) -> None:
    await assert_all_arrive(agent, tmp_path, ODDITIES.values())


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_character_across_every_buffer_boundary(agent: Agent, tmp_path: Path, boundary: int) -> None:
    split = [
        b"." * (boundary - before) + character + b"." * after
        for character in ("é".encode(), "€".encode(), "\U0001f600".encode(), b"\xf0\x9f\x98")
        for before in range(1, len(character) + 1)
        for after in (0, 5)
    ]
    await assert_all_arrive(agent, tmp_path, split[:: 1 if boundary < 512 * KIB else 3])


async def test_random_bytes_of_sizes_around_buffer_boundaries(agent: Agent, tmp_path: Path) -> None:
    source = random.Random(19)  # noqa: S311 -- reproducible
    pieces = [*ODDITIES.values(), ALL_BYTES, "ü€\U0001f600".encode() * 50, b"plain text " * 50]
    data = b"".join(source.choice(pieces) for _ in range(12_000))
    sizes = [boundary + difference for boundary in BOUNDARIES[1:] for difference in (-1, 0, 1)]
    assert len(data) > max(sizes) + 1000
    await assert_all_arrive(agent, tmp_path, [data[start : start + size] for start, size in enumerate(sizes)])


async def test_characters_written_one_byte_at_a_time(agent: Agent) -> None:
    text = "é€\U0001f600"
    writes = "; sleep 0.02; ".join(f"printf '\\{byte:o}'" for byte in text.encode() + b"\xe2\x82")
    results = await asyncio.gather(*(agent.run("sh", "-c", writes) for _ in range(3)))
    assert {result["output"] for result in results} == {text + "\N{REPLACEMENT CHARACTER}"}
