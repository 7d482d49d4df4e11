"""What the kernel says of the other end of a Unix socket, asked."""

import os
import socket

from execwire.adapters.tcp.peers import Peers, Presence


def test_its_user_is_known_and_a_hang_up_says_that_it_has_gone() -> None:
    client, served = socket.socketpair()
    with client, served:
        peer = Peers().identify(served)
        assert (peer.user, peer.attested, peer.is_local) == (os.geteuid(), True, True)
        assert peer.presence() is Presence.PRESENT
        client.shutdown(socket.SHUT_WR)
        assert peer.presence() is Presence.PRESENT
        client.close()
        assert peer.presence() is Presence.DISCONNECTED
