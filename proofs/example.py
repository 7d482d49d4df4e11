"""One example of the fuzz: its connections, each held against the model of what it has sent."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis.stateful import RuleBasedStateMachine
from proc import alive_with, is_alive

from . import lines
from .comparison import compare
from .contract import Id
from .model import answers
from .peer import Peer, pump
from .programs import Programs
from .verdict import BrokenError

ANSWER_SECONDS = 30.0


@dataclass
class Bench:
    """What the examples work on: an agent's port, its worker, and a count of what was done."""

    port: int
    worker: int
    programs: Programs
    marker: str
    counts: Counter[str] = field(default_factory=Counter[str])
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Example(RuleBasedStateMachine):
    """What rules do; `bench` is that of the subclass that has the rules."""

    bench: Bench

    def __init__(self) -> None:
        """Begin without a connection."""
        super().__init__()
        self.peers: list[Peer] = []
        self.bench.counts["examples"] += 1

    def peer(self, number: int) -> Peer:
        """Return one of those that are open; a new one if there are few."""
        if number >= len(self.peers):
            self.peers.append(Peer(self.bench.port))
            self.bench.counts["connections"] += 1
        return self.peers[min(number, len(self.peers) - 1)]

    def begun(self, number: int) -> Peer:
        """Return one of those that are open and have begun with an object, so that any other line may follow."""
        peer = self.peer(number)
        if not peer.sent:
            self.send(peer, b"{}\n", [])
        return peer

    def send(self, peer: Peer, data: bytes, where: list[float]) -> None:
        """Send this in pieces, cut at these parts of its length."""
        places = [0, *sorted(int(part * len(data)) for part in where), len(data)]
        for begin, end in itertools.pairwise(places):
            peer.put(data[begin:end])
            self.bench.counts["pieces"] += 1
            self.bench.counts["bytes"] += end - begin
            if not pump(self.peers, lambda: peer.at_end or not peer.outgoing, ANSWER_SECONDS):
                raise BrokenError(f"the agent takes no more; {len(peer.outgoing)} bytes are left")
        self.bench.counts["lines"] += data.count(b"\n")
        if answers(bytes(peer.sent), self.bench.programs, at_end=False).closes:
            self.finish(peer)
        elif peer.at_end:
            raise BrokenError("the agent has closed by itself")

    def stays(self, timeout: int | None, request_id: Id | None) -> bytes:
        """Return a line for a family under a marker of its own."""
        marker = f"{self.bench.marker}-{next(self.bench.numbers)}"
        return b"\n" + lines.stays(self.bench.programs, marker, timeout, request_id) + b"\n"

    def go(self, peer: Peer, *, reset: bool) -> None:
        """Leave without waiting for anything."""
        self.hold(peer)
        peer.close(reset=reset)
        self.peers.remove(peer)
        self.bench.counts["abandoned"] += 1

    def hold(self, peer: Peer) -> None:
        """Hold what has come against the model."""
        wanted = answers(bytes(peer.sent), self.bench.programs, at_end=peer.half_closed)
        compare(wanted.expected, peer.results)

    def finish(self, peer: Peer) -> None:
        """See all answers come, and the agent close."""
        peer.paused = False
        peer.half_close()
        pump(self.peers, lambda: peer.at_end, ANSWER_SECONDS)
        self.hold(peer)
        wanted = answers(bytes(peer.sent), self.bench.programs, at_end=True).expected
        if len(peer.results) < len(wanted):
            raise BrokenError(f"{len(peer.results)} of {len(wanted)} answers (closed: {peer.at_end})")
        if not peer.at_end:
            raise BrokenError("the agent has answered everything, and does not close")
        self.bench.counts["answers"] += len(peer.results)
        peer.close()
        self.peers.remove(peer)

    def teardown(self) -> None:
        """See every answer, a fresh connection served, and nothing left."""
        try:
            while self.peers:
                self.finish(self.peers[0])
            self.send(self.peer(0), b'{"command":["true"]}\n', [])
            self.finish(self.peers[0])
        finally:
            for peer in self.peers:
                peer.close(reset=True)
        if not is_alive(self.bench.worker):
            raise BrokenError("the worker has died")
        _see_nothing_left(self.bench.marker)


def _see_nothing_left(marker: str) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while left := alive_with(marker):
        if time.monotonic() > deadline:
            raise BrokenError(f"still running: {left}")
        time.sleep(0.01)
