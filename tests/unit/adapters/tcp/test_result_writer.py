"""Sending results to a client that reads, or does not."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from connection_harness import PLENTY
from event_loop import settle
from fake_transport import FakeTransport
from fakes import FakeOutput

from execwire.adapters.tcp.exchange import Exchange
from execwire.adapters.tcp.result_writer import WRITE_BUFFER_BYTES, ResultWriter
from execwire.domain.memory import MemoryBudget, MemoryHolder
from execwire.domain.task import TaskResult
from execwire.protocol.results import ESCAPE_BYTES


class Client(asyncio.Protocol):
    """A ResultWriter with the client that it writes to."""

    def __init__(self) -> None:
        self.transport = FakeTransport(self)
        self.sent: list[Exchange] = []
        self.holder = MemoryHolder(MemoryBudget(PLENTY), lambda: None)
        self.result_writer = ResultWriter(self.transport, self.holder, self.sent.append)

    def pause_writing(self) -> None:
        self.result_writer.pause()

    def resume_writing(self) -> None:
        self.result_writer.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        assert exc is None
        self.result_writer.close()

    def put(self, *outputs: FakeOutput) -> None:
        for number, output in enumerate(outputs):
            self.result_writer.write(Exchange(None, 0, TaskResult((str(number),), 0, 0.0, 0, output, "")))

    def read(self) -> list[str]:
        """Return the outputs of the results that the client has read."""
        return [json.loads(line)["output"] for line in self.transport.written.splitlines()]


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.transport.protocol = None


def small(text: bytes = b"text") -> FakeOutput:
    return FakeOutput([text], is_in_memory=True)


def large(pieces: int = 3) -> FakeOutput:
    return FakeOutput([b"x" * WRITE_BUFFER_BYTES] * pieces)


async def test_results_are_sent_at_once_in_order_and_release_their_outputs(client: Client) -> None:
    outputs = [small(b"one"), small(b"two")]
    client.put(*outputs)
    assert client.read() == ["one", "two"]
    assert [output.closed for output in outputs] == [1, 1]
    assert len(client.sent) == 2


# Hazard 20.
@pytest.mark.parametrize("size", [ESCAPE_BYTES - 1, ESCAPE_BYTES, ESCAPE_BYTES + 1])
@pytest.mark.parametrize("in_memory", [True, False])
async def test_result_of_any_size_arrives_complete(client: Client, size: int, *, in_memory: bool) -> None:
    output = FakeOutput([b"\0" * size], is_in_memory=in_memory)
    client.put(output, small(b"next"))
    await settle()
    assert client.read() == ["\0" * size, "next"]
    assert output.closed == 1


async def test_slow_client_is_sent_no_more_than_its_buffer(client: Client) -> None:
    client.transport.client_reads = False
    outputs = [FakeOutput([b"x" * 60_000], is_in_memory=True) for _ in range(20)]
    client.put(*outputs)
    assert len(client.transport.unread) < WRITE_BUFFER_BYTES + 2 * 60_000
    assert 0 < len(client.sent) < 20
    # Waiting results are encoded and charged to the client.
    assert 20 * 60_000 < client.holder.charged < 20 * 65_000
    client.transport.client_reads = True
    client.transport.catch_up()
    assert len(client.read()) == 20
    assert [output.closed for output in outputs] == [1] * 20


# Hazard 21.
async def test_large_output_is_read_only_as_fast_as_the_client_reads(client: Client) -> None:
    client.transport.client_reads = False
    output = large(pieces=40)
    client.put(output, small(b"next"))
    for _ in range(8):
        await settle()
        assert WRITE_BUFFER_BYTES < len(client.transport.unread) <= WRITE_BUFFER_BYTES + 2 * ESCAPE_BYTES
        assert (client.sent, output.closed) == ([], 0)
        client.transport.catch_up()
    client.transport.client_reads = True
    client.transport.catch_up()
    await settle()
    assert client.read() == ["x" * WRITE_BUFFER_BYTES * 40, "next"]
    assert len(client.sent) == 2
    assert output.closed == 1


async def test_small_results_wait_for_an_earlier_large_one(client: Client) -> None:
    client.put(large(), small(b"b"), large(), small(b"d"))
    assert client.read() == []
    await settle()
    assert [text[:1] for text in client.read()] == ["x", "b", "x", "d"]
    assert len(client.sent) == 4


async def test_pause_and_resume_are_idempotent(client: Client) -> None:
    client.result_writer.resume()
    client.result_writer.pause()
    client.result_writer.pause()
    client.put(small(b"a"))
    assert client.read() == []
    client.result_writer.resume()
    client.result_writer.resume()
    assert client.read() == ["a"]


async def test_exchange_without_a_result_sends_nothing(client: Client) -> None:
    client.result_writer.write(Exchange(None, 0))
    assert client.transport.written == b""
