"""Who may send requests: the kernel knows which user is at the other end of a local connection."""

from dataclasses import dataclass

from .peers import Peer

ROOT = 0


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The users that are allowed, by number; None allows everybody.

    `remote` allows clients of other hosts, of whom nothing can be known. `unmapped` is the number that tells nobody.
    """

    users: frozenset[int] | None
    remote: bool = False
    unmapped: int | None = None

    def refusal(self, peer: Peer) -> str | None:
        """Return why a client that has just been accepted may not send requests, None if it may.

        Root may where it has connected itself, that is by a Unix socket. Of a TCP socket only its creator is known, and
        many a service creates sockets as root and hands them to processes of other users.
        """
        if self.users is None or (self.remote and not peer.is_local):
            return None
        if peer.user is not None and peer.user == self.unmapped:
            return (
                "refused: your user is not mapped into the agent's user namespace, where it cannot be told from others;"
                " map it, or start the agent with --allow-user '*' to allow all"
            )
        if peer.user in self.users or (peer.attested and peer.user == ROOT):
            return None
        if peer.user is None:
            return "refused: the kernel does not say which user this connection belongs to; --allow-user '*' allows all"
        if peer.user == ROOT:
            return (
                "refused: root may not send requests here over TCP, by which the kernel tells who created a socket, not"
                " who uses it; connect to the agent's Unix socket (--unix), or start the agent with --allow-user root"
            )
        return (
            f"refused: user {peer.user} may not send requests here; start the agent with --allow-user {peer.user}"
            " to allow it"
        )
