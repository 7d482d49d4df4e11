"""One example of the fuzz: its connections, each held against the model of what it has sent."""

import contextlib
import itertools
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis.stateful import RuleBasedStateMachine
from proc import alive_with, is_alive

from . import strategies
from .checker import compare
from .commands import Programs
from .fuzz_connection import Peer, pump
from .model import answers
from .result_format import Id
from .runner import CheckFailedError

ANSWER_SECONDS = 30.0
FLOOD_SECONDS = 0.2


@dataclass
class FuzzContext:
    """What the examples work on: an agent's port, its worker, and a count of what was done."""

    port: int
    worker: int
    programs: Programs
    marker: str
    counts: Counter[str] = field(default_factory=Counter[str])
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Example(RuleBasedStateMachine):
    """What rules do; `bench` is that of the subclass that has the rules."""

    bench: FuzzContext

    def __init__(self) -> None:
        """Begin without a connection."""
        super().__init__()
        self.peers: list[Peer] = []
        # Files of the daemons that were left on purpose.
        self.daemons: list[Path] = []
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
                raise CheckFailedError(f"the agent takes no more; {len(peer.outgoing)} bytes are left")
        self.bench.counts["lines"] += data.count(b"\n")
        if answers(bytes(peer.sent), self.bench.programs, at_end=False).closes:
            self.finish(peer)
        elif peer.at_end:
            raise CheckFailedError("the agent has closed by itself")

    def stays(self, timeout: int | None, request_id: Id | None, *, su: bool = False) -> bytes:
        """Return a line for a family under a marker of its own."""
        marker = f"{self.bench.marker}-{next(self.bench.numbers)}"
        return b"\n" + strategies.stays(self.bench.programs, marker, timeout, request_id, su=su) + b"\n"

    def writes_on(self, request_id: Id | None) -> bytes:
        """Return a line for a daemon that leaves a file of its own when it has written all."""
        file = self.bench.programs.folder / f"written-{next(self.bench.numbers)}"
        return b"\n" + strategies.writes_on(self.bench.programs, str(file), request_id) + b"\n"

    def flood(self, data: bytes) -> None:
        """Send this on a connection of its own, as far as it is taken, and read nothing."""
        self.bench.counts["floods"] += 1
        client = socket.create_connection(("127.0.0.1", self.bench.port), timeout=FLOOD_SECONDS)
        with client, contextlib.suppress(OSError):
            client.sendall(data)

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
            raise CheckFailedError(f"{len(peer.results)} of {len(wanted)} answers (closed: {peer.at_end})")
        if not peer.at_end:
            raise CheckFailedError("the agent has answered everything, and does not close")
        self.bench.counts["answers"] += len(peer.results)
        for one, result in itertools.product(wanted, peer.results):
            if (
                one.command
                and one.command == result.command
                and one.command[:2] == self.bench.programs.script("writes-on")
            ):
                self.daemons.append(Path(one.command[2]))
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
            raise CheckFailedError("the worker has died")
        self.bench.counts["daemons that write"] += len(self.daemons)
        _see("still running", lambda: alive_with(self.bench.marker))
        _see("could not write to their end", lambda: [path for path in self.daemons if not path.exists()])


def can_su() -> bool:
    """Tell whether su(1) asks for no password."""
    return os.geteuid() == 0 and shutil.which("su") is not None


def _see(what: str, remains: Callable[[], Sequence[object]]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while left := remains():
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{what}: {left}")
        time.sleep(0.01)
