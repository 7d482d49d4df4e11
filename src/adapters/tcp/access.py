"""Which users may send requests; the kernel knows the user at the other end of a local connection."""

from dataclasses import dataclass

from .peers import Peer

ROOT = 0


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The user IDs that are allowed; None allows all users.

    `remote` allows clients on other hosts, whose user is unknown. `unmapped` is the user ID by which the kernel shows
    all users that are not mapped into the user namespace.
    """

    users: frozenset[int] | None
    remote: bool = False
    unmapped: int | None = None

    def refusal(self, peer: Peer) -> str | None:
        """Return the reason why a client may not send requests, None if it may.

        Root may if the kernel attests that it connected itself, that is over a Unix socket. Of a TCP socket only the
        creator is known, and many services create sockets as root and pass them to processes of other users.
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
