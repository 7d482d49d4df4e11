"""Finds out whether an address is this host's own, by the kernel's routes: rtnetlink(7)."""

import errno
import struct

from .endpoint import Endpoint
from .netlink import Message, Netlink, Refusal

_NETLINK_ROUTE = 0
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTA_DST, _RTA_OIF = 1, 4
_RTN_LOCAL = 2
_ROUTE = struct.Struct("=BBxxxxxBI")
"""struct rtmsg: family, length of the destination in bits, type, flags."""
_ATTRIBUTE = struct.Struct("=HH")
"""struct rtattr: length, type."""
_NOWHERE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})


class Routes:
    """Looks up routes over one netlink socket, which the first request opens."""

    def __init__(self) -> None:
        self._netlink = Netlink(_NETLINK_ROUTE)

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def is_own(self, end: Endpoint) -> bool:
        """Return whether packets to that address stay on this host; True, too, if the kernel does not say.

        bind(2) would be no test: with the sysctl ip_nonlocal_bind, it succeeds for any address.
        """
        attributes = _attribute(_RTA_DST, end.address)
        if end.interface:
            attributes += _attribute(_RTA_OIF, struct.pack("=I", end.interface))
        request = _ROUTE.pack(end.family, 8 * len(end.address), 0, 0) + attributes
        match self._netlink.ask(_RTM_GETROUTE, request):
            case Message(kind, body) if kind == _RTM_NEWROUTE:
                return bool(_ROUTE.unpack_from(body)[2] == _RTN_LOCAL)
            case Refusal(code):
                return code not in _NOWHERE
            case _:
                return True


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
