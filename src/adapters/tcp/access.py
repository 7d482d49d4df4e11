"""Who may send requests: the kernel knows which user is at the other end of a local connection."""

import os
import socket
import struct
from dataclasses import dataclass

from .peers import Peers

_CREDENTIALS = struct.Struct("=iii")
ROOT = 0


@dataclass(frozen=True, slots=True)
class Access:
    """The users that are let in, by number; None lets in everybody.

    `remote` lets in clients of other hosts, of whom nothing can be known.
    """

    users: frozenset[int] | None
    remote: bool = False

    def refusal(self, client: socket.socket, peers: Peers) -> str | None:
        """Return why a client that has just been accepted may not send requests, None if it may.

        A client that has closed already cannot be told from a stranger: the kernel shows its socket as root's.
        """
        if self.users is None:
            return None
        if client.family == socket.AF_UNIX:
            return self._judge(_unix_user(client))
        ours, theirs = client.getsockname()[:2], client.getpeername()[:2]
        if self.remote and not peers.is_local(ours, theirs):
            return None
        return self._judge(peers.user(ours, theirs))

    def _judge(self, user: int | None) -> str | None:
        if self.users is None or user in self.users:
            return None
        if user is None:
            return (
                "refused: the kernel does not say which user this connection belongs to; --allow-user '*' lets in all"
            )
        return f"refused: user {user} may not send requests here; start the agent with --allow-user {user} to allow it"


def own_and_root() -> frozenset[int]:
    """Return the users that are let in by default."""
    return frozenset({os.geteuid(), ROOT})


def _unix_user(client: socket.socket) -> int:
    user: int
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return user
