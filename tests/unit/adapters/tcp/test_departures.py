import pytest

from execwire.adapters.tcp.departures import Departures


class FakeDeparting:
    def __init__(self) -> None:
        self.aborted = 0

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def clients() -> list[FakeDeparting]:
    return [FakeDeparting() for _ in range(5)]


def test_past_the_limit_the_oldest_is_closed(clients: list[FakeDeparting]) -> None:
    departures = Departures(limit=3)
    for client in clients:
        departures.add(client)
    assert [client.aborted for client in clients] == [1, 1, 0, 0, 0]
    assert len(departures) == 3


def test_who_has_closed_by_itself_makes_room(clients: list[FakeDeparting]) -> None:
    departures = Departures(limit=1)
    for client in clients:
        departures.add(client)
        departures.remove(client)
        departures.remove(client)
    departures.abort_all()
    assert [client.aborted for client in clients] == [0] * 5


def test_all_can_be_closed_at_once(clients: list[FakeDeparting]) -> None:
    departures = Departures()
    for client in clients:
        departures.add(client)
    departures.abort_all()
    departures.abort_all()
    assert [client.aborted for client in clients] == [1] * 5
    assert len(departures) == 0
