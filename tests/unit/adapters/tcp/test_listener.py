import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from execwire.adapters.tcp.listener import address_of, is_loopback, open_unix_listener


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "fe80::1%1"])  # noqa: S104 -- as text
def test_addresses_that_other_hosts_may_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0..1", "a" * 64])
def test_what_is_no_host_is_an_error_of_the_system(host: str) -> None:
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
def test_an_address_is_written_as_people_write_it(family: int, name: object, text: str) -> None:
    listener = SimpleNamespace(family=family, getsockname=lambda: name)
    assert address_of(cast("socket.socket", listener)) == text


def test_a_file_that_is_no_socket_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not a socket"):
        open_unix_listener(path)
    assert path.read_text() == "mine"
