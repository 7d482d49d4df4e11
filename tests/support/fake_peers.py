"""The kernel's word on peers, faked."""

import socket
from dataclasses import dataclass

from execwire.adapters.tcp.peers import Peers, Presence


@dataclass
class FakePeer:
    """A Peer of whom a test says whether it is there, and whose it is; by default a TCP client of this host."""

    answer: Presence = Presence.PRESENT
    user: int | None = None
    attested: bool = False
    is_local: bool = True
    asked: int = 0

    def presence(self) -> Presence:
        self.asked += 1
        return self.answer


class FakePeers(Peers):
    """Peers that are all the same one."""

    def __init__(self, peer: FakePeer | None = None) -> None:
        super().__init__()
        self.peer = peer or FakePeer()

    def identify(self, client: socket.socket) -> FakePeer:
        client.getpeername()
        return self.peer
