"""Who waits, of which client, and who is next: clients take turns, and each client's own come in order of arrival."""

import asyncio
from collections import OrderedDict

Place = asyncio.Future[bool]


class FairQueue:
    """A round-robin queue: whoever has one place waits for one of each other client, however many those have.

    Everything is O(1). `size` counts those who wait.
    """

    __slots__ = ("_clients", "size")

    def __init__(self) -> None:
        # By client, in the order of their turns; none without a place.
        self._clients: OrderedDict[object, OrderedDict[Place, None]] = OrderedDict()
        self.size = 0

    @property
    def clients(self) -> int:
        """How many clients wait."""
        return len(self._clients)

    def append(self, client: object, place: Place) -> None:
        """Wait behind this client's other ones; a client that had none is the last to have its turn."""
        self._clients.setdefault(client, OrderedDict())[place] = None
        self.size += 1

    def remove(self, client: object, place: Place) -> None:
        """Wait no more; harmless if it does not."""
        places = self._clients.get(client)
        if places is None or place not in places:
            return
        del places[place]
        self.size -= 1
        if not places:
            del self._clients[client]

    def pop(self) -> Place:
        """Return the first place of the client whose turn it is; raises KeyError when nobody waits."""
        client, places = self._clients.popitem(last=False)
        place, _ = places.popitem(last=False)
        self.size -= 1
        if places:
            self._clients[client] = places
        return place
