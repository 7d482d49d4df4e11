import pytest

from execwire.adapters.tcp.closing_clients import ClosingClients


class FakeClient:
    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def clients() -> list[FakeClient]:
    return [FakeClient() for _ in range(5)]


def test_oldest_client_is_closed_past_the_limit(clients: list[FakeClient]) -> None:
    closing = ClosingClients(limit=3)
    for client in clients:
        closing.add(client)
    assert [client.aborted for client in clients] == [1, 1, 0, 0, 0]
    assert len(closing) == 3


def test_client_that_has_closed_does_not_count(clients: list[FakeClient]) -> None:
    closing = ClosingClients(limit=1)
    for client in clients:
        closing.add(client)
        closing.remove(client)
        closing.remove(client)
    closing.abort_all()
    assert [client.aborted for client in clients] == [0] * 5


def test_all_clients_can_be_closed_at_once(clients: list[FakeClient]) -> None:
    closing = ClosingClients()
    for client in clients:
        closing.add(client)
    closing.abort_all()
    closing.abort_all()
    assert [client.aborted for client in clients] == [1] * 5
    assert len(closing) == 0
