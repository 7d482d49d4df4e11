"""Recognizes environment variables that Kubernetes sets for a Service named after this program, not settings."""

import re

_NAME = re.compile(
    r"EXECWIRE_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_PORT_NAME = re.compile(r"EXECWIRE_(?:[A-Z0-9_]+_)?PORT")
_PORT_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://\S+")


def is_service_variable(name: str, value: str) -> bool:
    """Return whether a variable describes a Kubernetes Service named `execwire` or `execwire-…`.

    Kubernetes gives every container `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT…`, `NAME_PORT=tcp://…` and
    `NAME_PORT_3000_TCP…` for each Service of its namespace ("Accessing the Service" in the Kubernetes documentation).
    """
    return bool(_NAME.fullmatch(name) or (_PORT_NAME.fullmatch(name) and _PORT_ADDRESS.fullmatch(value)))
