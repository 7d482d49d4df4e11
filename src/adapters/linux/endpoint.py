"""One end of a TCP connection, as the kernel's interfaces want it."""

import socket
from dataclasses import dataclass
from typing import TypeAlias

Name: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""As getsockname(2) and getpeername(2) give it for IPv4 and IPv6."""
_IPV6_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv4 address begins with where IPv6 has it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port; `interface` is the index of the one that a link-local address belongs to, else 0."""

    address: bytes
    """In network byte order, 4 or 16 bytes; an IPv4 address as such, also where an IPv6 socket has it."""
    port: int
    interface: int

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6, by the address."""
        return socket.AF_INET6 if len(self.address) == _IPV6_BYTES else socket.AF_INET


def endpoint(name: Name) -> Endpoint:
    """Return the end of a connection that has this name."""
    host = name[0].partition("%")[0]
    if ":" not in host:
        return Endpoint(socket.inet_pton(socket.AF_INET, host), name[1], 0)
    packed = socket.inet_pton(socket.AF_INET6, host)
    if packed.startswith(_MAPPED):
        return Endpoint(packed[len(_MAPPED) :], name[1], 0)
    return Endpoint(packed, name[1], name[3] if len(name) > 2 else 0)  # noqa: PLR2004 -- the longer form of a Name
