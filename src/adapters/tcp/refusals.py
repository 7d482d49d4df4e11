"""Rejects clients right after accept(2): sends the reason, logs it, and limits the cost for served clients."""

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
    """Sends rejections and adds the clients to `closing_clients`; logs them at a limited rate, with a count."""

    def __init__(self, clock: Clock, closing_clients: ClosingClients) -> None:
        """Needs a running event loop; `clock` gives the time stamp of a rejection."""
        loop = asyncio.get_running_loop()
        self._clock = clock
        self._closing_clients = closing_clients
        self._refused = RateLimitedLog("client refused", loop.time, loop.call_later)

    def refuse(self, client: socket.socket, reason: str) -> None:
        """Send the reason to a client that has just been accepted, and close it."""
        try:
            name = address_text(client.getpeername())
            client.setblocking(False)  # noqa: FBT003 -- its only form
            refused = RefusedClient(client, partial(self._log_refusal, reason, name), self._closing_clients.remove)
            refused.tell(reason, int(self._clock.unix_seconds()))
        except OSError as error:
            _log.debug("client disconnected before it was rejected", reason=error.strerror)
            client.close()
        else:
            self._closing_clients.add(refused)

    def close(self) -> None:
        """Log rejections that have only been counted so far."""
        self._refused.flush()

    def _log_refusal(self, reason: str, name: str, is_client: bool) -> None:  # noqa: FBT001 -- RefusedClient calls it
        if not is_client:
            _log.debug("client closed without having sent anything", client=name)
        elif reason != STOPPING:
            self._refused.warning(client=name, reason=reason)
