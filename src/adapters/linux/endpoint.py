"""One end of a TCP connection, in the form that kernel interfaces use."""

import socket
from dataclasses import dataclass
from typing import TypeAlias

Name: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""As getsockname(2) and getpeername(2) return it for IPv4 and IPv6."""
_IPV6_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"
"""The prefix of an IPv4-mapped IPv6 address."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port; `interface` is the index of a link-local address's interface, else 0."""

    address: bytes
    """In network byte order, 4 or 16 bytes; an IPv4-mapped IPv6 address is stored as IPv4."""
    port: int
    interface: int

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6, by the address."""
        return socket.AF_INET6 if len(self.address) == _IPV6_BYTES else socket.AF_INET


def endpoint(name: Name) -> Endpoint:
    """Return the endpoint for the name of a socket."""
    host = name[0].partition("%")[0]
    if ":" not in host:
        return Endpoint(socket.inet_pton(socket.AF_INET, host), name[1], 0)
    packed = socket.inet_pton(socket.AF_INET6, host)
    if packed.startswith(_MAPPED):
        return Endpoint(packed[len(_MAPPED) :], name[1], 0)
    return Endpoint(packed, name[1], name[3] if len(name) > 2 else 0)  # noqa: PLR2004 -- the longer form of a Name
