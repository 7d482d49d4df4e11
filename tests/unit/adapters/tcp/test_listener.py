import errno
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from execwire.adapters.tcp.listener import format_address, is_loopback, open_listeners
from execwire.adapters.tcp.unix_listener import UnixListener


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_addresses_are_recognised(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "fe80::1%1"])  # noqa: S104 -- as text
def test_addresses_that_other_hosts_may_reach_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0..1", "a" * 64])
def test_invalid_host_name_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError) as error:  # noqa: PT011 -- any reason, as long as there is one
        is_loopback(host)
    assert error.value.strerror


@pytest.mark.parametrize(
    ("family", "name", "text"),
    [
        (socket.AF_INET, ("127.0.0.1", 3000), "127.0.0.1:3000"),
        (socket.AF_INET6, ("::1", 3000, 0, 0), "[::1]:3000"),
        (socket.AF_UNIX, "/run/execwire.sock", "/run/execwire.sock"),
    ],
)
def test_address_is_formatted_as_host_and_port(family: int, name: object, text: str) -> None:
    listener = SimpleNamespace(family=family, getsockname=lambda: name)
    assert format_address(cast("socket.socket", listener)) == text


def test_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not a socket"):
        UnixListener(path)
    assert path.read_text() == "mine"


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes every name resolve to its arguments."""

    def resolve(*addresses: str) -> None:
        def getaddrinfo(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve


def opened(port: int) -> list[str]:
    listeners = open_listeners("name", port)
    try:
        assert len({listener.getsockname()[1] for listener in listeners}) == 1
        return [listener.getsockname()[0] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


REMOTE_ADDRESS = "192.0.2.77"


def test_each_local_address_of_a_name_gets_one_listener_on_the_same_port(
    resolved: Callable[..., None],
) -> None:
    resolved("127.0.0.1", REMOTE_ADDRESS, "127.0.0.2", "127.0.0.1")
    assert opened(0) == ["127.0.0.1", "127.0.0.2"]


def test_port_that_is_free_on_the_first_address_only_is_not_used(
    resolved: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved("127.0.0.1", "127.0.0.2")
    tried: list[str] = []
    real = socket.socket.bind

    def bind(bound: socket.socket, name: tuple[str, int]) -> None:
        tried.append(name[0])
        if len(tried) == 2:
            raise OSError(errno.EADDRINUSE, "simulated")
        real(bound, name)

    monkeypatch.setattr(socket.socket, "bind", bind)
    assert opened(0) == ["127.0.0.1", "127.0.0.2"]
    assert tried == ["127.0.0.1", "127.0.0.2"] * 2


def test_name_without_local_address_is_an_error_with_the_address(resolved: Callable[..., None]) -> None:
    resolved(REMOTE_ADDRESS)
    with pytest.raises(OSError, match="Cannot assign") as error:
        open_listeners("name", 0)
    assert error.value.filename == f"{REMOTE_ADDRESS}:0"
