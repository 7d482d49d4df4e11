"""How clients are refused when they are accepted: they are told, it is logged, and nobody who is served pays for it."""

import asyncio
import socket
from functools import partial

import structlog

from ...domain.ports.clock import Clock
from ..rate_limited_log import RateLimitedLog
from .client_log import address_text
from .closing_clients import ClosingClients
from .refused_client import RefusedClient

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

STOPPING = "refused: the agent is stopping; connect again once it is back"


class Refusals:
    """Passes who is refused on to `departures`; the log has a line for them, and counts while they keep coming."""

    def __init__(self, clock: Clock, departures: ClosingClients) -> None:
        """Needs the running loop; `clock` stamps what they are told."""
        loop = asyncio.get_running_loop()
        self._clock = clock
        self._departures = departures
        self._refused = RateLimitedLog("client refused", loop.time, loop.call_later)

    def refuse(self, client: socket.socket, reason: str) -> None:
        """Tell a client that has just been accepted, and close it in the end."""
        try:
            name = address_text(client.getpeername())
            client.setblocking(False)  # noqa: FBT003 -- its only form
            refused = RefusedClient(client, partial(self._judged, reason, name), self._departures.remove)
            refused.tell(reason, int(self._clock.unix_seconds()))
        except OSError as error:
            _log.debug("client disconnected before it was rejected", reason=error.strerror)
            client.close()
        else:
            self._departures.add(refused)

    def close(self) -> None:
        """Log what has only been counted."""
        self._refused.flush()

    def _judged(self, reason: str, name: str, meant: bool) -> None:  # noqa: FBT001 -- RefusedClient calls it
        if not meant:
            _log.debug("client closed without having sent anything", client=name)
        elif reason != STOPPING:
            self._refused.warning(client=name, reason=reason)
