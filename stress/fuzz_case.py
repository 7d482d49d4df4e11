"""One example of the fuzz test: its connections, each checked against the model for the data it has sent."""

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
    """The shared state of all examples: an agent's port, its worker, and counts of actions."""

    port: int
    worker: int
    programs: Programs
    marker: str
    counts: Counter[str] = field(default_factory=Counter[str])
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Example(RuleBasedStateMachine):
    """The actions of rules; the subclass with the rules defines `bench`."""

    bench: FuzzContext

    def __init__(self) -> None:
        """Begin without connections."""
        super().__init__()
        self.peers: list[Peer] = []
        # Files that the daemons create when they have finished.
        self.daemons: list[Path] = []
        self.bench.counts["examples"] += 1

    def peer(self, number: int) -> Peer:
        """Return an open connection; a new one if there are few."""
        if number >= len(self.peers):
            self.peers.append(Peer(self.bench.port))
            self.bench.counts["connections"] += 1
        return self.peers[min(number, len(self.peers) - 1)]

    def begun(self, number: int) -> Peer:
        """Return an open connection that has begun with an object, so that any other line may follow."""
        peer = self.peer(number)
        if not peer.sent:
            self.send(peer, b"{}\n", [])
        return peer

    def send(self, peer: Peer, data: bytes, where: list[float]) -> None:
        """Send data in pieces, split at these fractions of its length."""
        places = [0, *sorted(int(part * len(data)) for part in where), len(data)]
        for begin, end in itertools.pairwise(places):
            peer.put(data[begin:end])
            self.bench.counts["pieces"] += 1
            self.bench.counts["bytes"] += end - begin
            if not pump(self.peers, lambda: peer.at_end or not peer.outgoing, ANSWER_SECONDS):
                raise CheckFailedError(f"the agent has stopped reading; {len(peer.outgoing)} bytes are unsent")
        self.bench.counts["lines"] += data.count(b"\n")
        if answers(bytes(peer.sent), self.bench.programs, at_end=False).closes:
            self.finish(peer)
        elif peer.at_end:
            raise CheckFailedError("the agent has closed the connection unexpectedly")

    def stays(self, timeout: int | None, request_id: Id | None, *, su: bool = False) -> bytes:
        """Return a request for a process tree with a unique marker."""
        marker = f"{self.bench.marker}-{next(self.bench.numbers)}"
        return b"\n" + strategies.stays(self.bench.programs, marker, timeout, request_id, su=su) + b"\n"

    def writes_on(self, request_id: Id | None) -> bytes:
        """Return a request for a daemon that creates a unique file when it has written all output."""
        file = self.bench.programs.folder / f"written-{next(self.bench.numbers)}"
        return b"\n" + strategies.writes_on(self.bench.programs, str(file), request_id) + b"\n"

    def flood(self, data: bytes) -> None:
        """Send data on a separate connection, as much as the agent reads, and read nothing."""
        self.bench.counts["floods"] += 1
        client = socket.create_connection(("127.0.0.1", self.bench.port), timeout=FLOOD_SECONDS)
        with client, contextlib.suppress(OSError):
            client.sendall(data)

    def go(self, peer: Peer, *, reset: bool) -> None:
        """Disconnect without waiting for results."""
        self.hold(peer)
        peer.close(reset=reset)
        self.peers.remove(peer)
        self.bench.counts["abandoned"] += 1

    def hold(self, peer: Peer) -> None:
        """Compare the results so far with the model."""
        wanted = answers(bytes(peer.sent), self.bench.programs, at_end=peer.half_closed)
        compare(wanted.expected, peer.results)

    def finish(self, peer: Peer) -> None:
        """Check that all results arrive and the agent closes."""
        peer.paused = False
        peer.half_close()
        pump(self.peers, lambda: peer.at_end, ANSWER_SECONDS)
        self.hold(peer)
        wanted = answers(bytes(peer.sent), self.bench.programs, at_end=True).expected
        if len(peer.results) < len(wanted):
            raise CheckFailedError(f"{len(peer.results)} of {len(wanted)} results (closed: {peer.at_end})")
        if not peer.at_end:
            raise CheckFailedError("the agent has sent all results, and does not close")
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
        """Check that all results arrive, a new connection is served, and nothing remains."""
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
        _check_none("still running", lambda: alive_with(self.bench.marker))
        _check_none("could not finish writing", lambda: [path for path in self.daemons if not path.exists()])


def can_su() -> bool:
    """Return whether su(1) works without a password."""
    return os.geteuid() == 0 and shutil.which("su") is not None


def _check_none(what: str, remains: Callable[[], Sequence[object]]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while found := remains():
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{what}: {found}")
        time.sleep(0.01)
