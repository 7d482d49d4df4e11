"""A fair queue: round-robin between clients, first in, first out for the tasks of one client."""

import asyncio
from collections import OrderedDict

Place = asyncio.Future[bool]


class FairQueue:
    """A round-robin queue: the first place of a client waits for at most one place of each other client.

    All operations are O(1). `size` is the number of places in the queue.
    """

    __slots__ = ("_clients", "size")

    def __init__(self) -> None:
        # The places by client, clients in the order in which they are served; no client without a place.
        self._clients: OrderedDict[object, OrderedDict[Place, None]] = OrderedDict()
        self.size = 0

    @property
    def clients(self) -> int:
        """The number of clients with places in the queue."""
        return len(self._clients)

    def append(self, client: object, place: Place) -> None:
        """Add a place behind those of the same client; a client that had none is served after all others."""
        self._clients.setdefault(client, OrderedDict())[place] = None
        self.size += 1

    def remove(self, client: object, place: Place) -> None:
        """Remove a place; does nothing if it is not in the queue."""
        places = self._clients.get(client)
        if places is None or place not in places:
            return
        del places[place]
        self.size -= 1
        if not places:
            del self._clients[client]

    def pop(self) -> Place:
        """Remove and return the first place of the next client; raises KeyError if the queue is empty."""
        client, places = self._clients.popitem(last=False)
        place, _ = places.popitem(last=False)
        self.size -= 1
        if places:
            self._clients[client] = places
        return place
