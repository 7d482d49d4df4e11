"""What the real kernel reports about the other end of a Unix socket."""

import os
import socket

from execwire.adapters.tcp.peers import Peers, Presence


def test_user_of_a_unix_peer_is_known_and_a_hang_up_means_disconnected() -> None:
    client, served = socket.socketpair()
    with client, served:
        peer = Peers().identify(served)
        assert (peer.user, peer.attested, peer.is_local) == (os.geteuid(), True, True)
        assert peer.presence() is Presence.PRESENT
        client.shutdown(socket.SHUT_WR)
        assert peer.presence() is Presence.PRESENT
        client.close()
        assert peer.presence() is Presence.DISCONNECTED
