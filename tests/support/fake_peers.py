"""Fake information of the kernel about peers."""

import socket
from dataclasses import dataclass

from execwire.adapters.tcp.peers import Peers, Presence


@dataclass
class FakePeer:
    """A Peer whose presence and user a test sets; by default a TCP client of this host."""

    answer: Presence = Presence.PRESENT
    user: int | None = None
    attested: bool = False
    is_local: bool = True
    asked: int = 0

    def presence(self) -> Presence:
        self.asked += 1
        return self.answer


class FakePeers(Peers):
    """Identifies every client as the same peer."""

    def __init__(self, peer: FakePeer | None = None) -> None:
        super().__init__()
        self.peer = peer or FakePeer()

    def identify(self, client: socket.socket) -> FakePeer:
        client.getpeername()
        return self.peer
