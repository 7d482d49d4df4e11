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
        self.meant: list[bool] = []
        self.closed: list[RefusedClient] = []
        self.refused = RefusedClient(accepted, self.meant.append, self.closed.append)

    def tell(self) -> None:
        self.refused.tell(REASON, 1_700_000_000)

    def flood(self) -> int:
        """Send as much as is taken; return how much that was."""
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
        one = Refused(client, accepted)
        try:
            yield one
        finally:
            if not one.closed and accepted.fileno() >= 0:
                one.refused.abort()
            assert accepted.fileno() < 0


async def all_of(client: socket.socket) -> bytes:
    text = b""
    async with asyncio.timeout(20):
        while piece := await asyncio.get_running_loop().sock_recv(client, 4096):
            text += piece
    return text


async def test_it_gets_one_result_and_the_end_and_is_closed_when_it_has_closed() -> None:
    async with refused() as one:
        one.client.send(b'{"command":["true"]}\n')
        one.tell()
        result = json.loads(await all_of(one.client))
        assert (result["command"], result["exit_code"], result["error"]) == ([], -1, REASON)
        assert one.closed == []
        one.client.close()
        await eventually(lambda: one.closed == [one.refused])
        assert one.meant == [True]


@pytest.mark.parametrize("linger", [None, _RESET])
async def test_one_that_closes_without_a_byte_is_known(linger: bytes | None) -> None:
    async with refused() as one:
        if linger:
            one.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        one.client.close()
        one.tell()
        await eventually(lambda: one.closed == [one.refused])
        assert one.meant == [False]


async def test_one_that_waits_in_silence_is_closed_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_client, "CLOSE_SECONDS", 0.01)
    async with refused() as one:
        one.tell()
        await eventually(lambda: one.closed == [one.refused])
        assert one.meant == [True]
        assert REASON.encode() in await all_of(one.client)


async def test_of_one_that_sends_without_end_little_is_read() -> None:
    async with refused() as flooded:
        flooded.tell()
        await asyncio.to_thread(flooded.flood)
        await eventually(lambda: flooded.refused.discarded == DISCARD_BYTES)
        assert REASON.encode() in await asyncio.get_running_loop().sock_recv(flooded.client, 4096)


async def test_what_it_has_sent_before_it_is_closed_resets_nothing() -> None:
    async with refused() as one:
        one.tell()
        one.client.send(bytes(DISCARD_BYTES // 2))
        one.refused.abort()
        assert REASON.encode() in await all_of(one.client)
        assert one.closed == []
