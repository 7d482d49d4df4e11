import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from proc import eventually

from execwire.adapters.tcp import refused_client
from execwire.adapters.tcp.closing_clients import DISCARD_BYTES
from execwire.adapters.tcp.refused_client import RefusedClient

REASON = "refused: not you"
_RESET = struct.pack("ii", 1, 0)


class Refused:
    """A RefusedClient over a real connection, and the client's side of it."""

    def __init__(self, client: socket.socket, accepted: socket.socket) -> None:
        self.client = client
        self.accepted = accepted
        self.classified: list[bool] = []
        self.closed: list[RefusedClient] = []
        self.refused = RefusedClient(accepted, self.classified.append, self.closed.append)

    def tell(self) -> None:
        self.refused.tell(REASON, 1_700_000_000)

    def flood(self) -> int:
        """Send until the socket blocks; return the number of bytes."""
        self.client.settimeout(0.05)
        sent = 0
        try:
            while True:
                sent += self.client.send(bytes(256 * 1024))
        except TimeoutError:
            return sent


@asynccontextmanager
async def refused() -> AsyncGenerator[Refused]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        client.setblocking(False)  # noqa: FBT003 -- its only form
        accepted, _ = listener.accept()
        accepted.setblocking(False)  # noqa: FBT003 -- its only form
        harness = Refused(client, accepted)
        try:
            yield harness
        finally:
            if not harness.closed and accepted.fileno() >= 0:
                harness.refused.abort()
            assert accepted.fileno() < 0


async def read_all(client: socket.socket) -> bytes:
    text = b""
    async with asyncio.timeout(20):
        while piece := await asyncio.get_running_loop().sock_recv(client, 4096):
            text += piece
    return text


async def test_client_gets_one_result_and_end_of_file_and_is_closed_after_its_close() -> None:
    async with refused() as harness:
        harness.client.send(b'{"command":["true"]}\n')
        harness.tell()
        result = json.loads(await read_all(harness.client))
        assert (result["command"], result["exit_code"], result["error"]) == ([], -1, REASON)
        assert harness.closed == []
        harness.client.close()
        await eventually(lambda: harness.closed == [harness.refused])
        assert harness.classified == [True]


@pytest.mark.parametrize("linger", [None, _RESET])
async def test_close_without_a_byte_is_recognised(linger: bytes | None) -> None:
    async with refused() as harness:
        if linger:
            harness.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        harness.client.close()
        harness.tell()
        await eventually(lambda: harness.closed == [harness.refused])
        assert harness.classified == [False]


async def test_silent_client_is_closed_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_client, "CLOSE_SECONDS", 0.01)
    async with refused() as harness:
        harness.tell()
        await eventually(lambda: harness.closed == [harness.refused])
        assert harness.classified == [True]
        assert REASON.encode() in await read_all(harness.client)


async def test_little_is_read_from_a_client_that_sends_without_end() -> None:
    async with refused() as harness:
        harness.tell()
        await asyncio.to_thread(harness.flood)
        await eventually(lambda: harness.refused.discarded == DISCARD_BYTES)
        assert REASON.encode() in await asyncio.get_running_loop().sock_recv(harness.client, 4096)


async def test_abort_after_received_bytes_does_not_reset_the_connection() -> None:
    async with refused() as harness:
        harness.tell()
        harness.client.send(bytes(DISCARD_BYTES // 2))
        harness.refused.abort()
        assert REASON.encode() in await read_all(harness.client)
        assert harness.closed == []
