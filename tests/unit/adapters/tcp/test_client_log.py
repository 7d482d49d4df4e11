import pytest
from connection_harness import Served, ask
from structlog.testing import capture_logs

from execwire.adapters.tcp.client_log import address_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5"),
        (("::1", 5, 0, 0), "[::1]:5"),
        (("fe80::1%eth0", 5, 0, 2), "[fe80::1%eth0]:5"),
        ("", "unix"),
        (b"\0name", "unix"),
        (None, "unix"),
    ],
)
def test_addresses_are_formatted_as_host_and_port(name: object, text: str) -> None:
    assert address_text(name) == text


async def test_disconnect_before_results_is_logged_with_address_user_and_requests() -> None:
    with capture_logs() as logs:
        async with Served("a", "b") as served:
            served.peer.user = 1000
            await served.send(ask("a"), ask("b"), ask("c"))
    ((client, user, requests),) = [
        (log["client"], log["user"], log["requests"])
        for log in logs
        if log["event"] == "client disconnected before its answers"
    ]
    assert (client, user, requests) == ("127.0.0.1:50000", 1000, 3)


async def test_disconnect_after_all_results_is_not_logged() -> None:
    with capture_logs() as logs:
        async with Served() as served:
            await served.send(ask("a"))
    assert logs == []
