import pytest

from execwire.adapters.tcp.closing_clients import ClosingClients


class FakeDeparting:
    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def clients() -> list[FakeDeparting]:
    return [FakeDeparting() for _ in range(5)]


def test_past_the_limit_the_oldest_is_closed(clients: list[FakeDeparting]) -> None:
    closing = ClosingClients(limit=3)
    for client in clients:
        closing.add(client)
    assert [client.aborted for client in clients] == [1, 1, 0, 0, 0]
    assert len(closing) == 3


def test_who_has_closed_by_itself_makes_room(clients: list[FakeDeparting]) -> None:
    closing = ClosingClients(limit=1)
    for client in clients:
        closing.add(client)
        closing.remove(client)
        closing.remove(client)
    closing.abort_all()
    assert [client.aborted for client in clients] == [0] * 5


def test_all_can_be_closed_at_once(clients: list[FakeDeparting]) -> None:
    closing = ClosingClients()
    for client in clients:
        closing.add(client)
    closing.abort_all()
    closing.abort_all()
    assert [client.aborted for client in clients] == [1] * 5
    assert len(closing) == 0
