"""The fuzz test as a state machine: actions of clients, in any order, on several connections at once."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from . import strategies
from .floods import FLOODS
from .fuzz_case import Example, FuzzContext, can_su
from .fuzz_connection import pump
from .result_format import Id

MAX_PEERS = 6
MOMENT_SECONDS = 0.02


def machine(work: FuzzContext) -> type[RuleBasedStateMachine]:  # noqa: C901 -- rules need their strategies at definition
    """Return the state machine for this agent; hypothesis creates one instance per example."""
    line = st.one_of(
        strategies.requests(work.programs),
        strategies.requests(work.programs),
        strategies.mutants(work.programs),
        strategies.JUNK,
    )
    ends = st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n", b"\n \n"])
    batches = st.lists(st.tuples(line, ends).map(b"".join), min_size=1, max_size=12).map(b"".join)
    which, cuts = st.integers(0, MAX_PEERS - 1), st.lists(st.floats(0, 1), max_size=4)

    class Machine(Example):
        bench = work

        @rule(number=which, data=batches, where=cuts)
        def send_lines(self, number: int, data: bytes, where: list[float]) -> None:
            self.send(self.begun(number), data, where)

        @rule(number=which, data=line, where=cuts)
        def send_half_a_line(self, number: int, data: bytes, where: list[float]) -> None:
            self.send(self.begun(number), data[: len(data) // 2], where)

        @rule(number=which, blanks=strategies.BLANKS, data=strategies.FOREIGN, where=cuts)
        def send_what_is_foreign(self, number: int, blanks: bytes, data: bytes, where: list[float]) -> None:
            self.send(self.peer(number), b"\n" + blanks + data, where)

        @rule(number=which, blanks=strategies.BLANKS, data=line, where=cuts)
        def send_any_line_first(self, number: int, blanks: bytes, data: bytes, where: list[float]) -> None:
            self.send(self.peer(number), blanks + data + b"\n", where)

        @rule(number=which, timeout=st.integers(1, 80), request_id=st.one_of(st.none(), strategies.IDS))
        def send_what_stays(self, number: int, timeout: int, request_id: Id | None) -> None:
            self.send(self.peer(number), self.stays(timeout, request_id), [])

        @rule(number=which, timeout=st.integers(50, 200), request_id=st.one_of(st.none(), strategies.IDS))
        def send_what_stays_in_a_session_of_su(self, number: int, timeout: int, request_id: Id | None) -> None:
            self.send(self.peer(number), self.stays(timeout, request_id, su=can_su()), [])

        @rule(number=which, request_id=st.one_of(st.none(), strategies.IDS))
        def leave_a_daemon_that_writes(self, number: int, request_id: Id | None) -> None:
            self.send(self.peer(number), self.writes_on(request_id), [])

        @rule(kind=st.sampled_from(sorted(FLOODS)), whole=st.booleans())
        def flood_and_read_nothing(self, kind: str, whole: bool) -> None:  # noqa: FBT001 -- named by its rule
            data = FLOODS[kind]()
            self.flood(data if whole else data[: len(data) // 2])

        @rule(number=which, count=st.integers(1, 4), reset=st.booleans())
        def go_while_it_runs(self, number: int, count: int, reset: bool) -> None:  # noqa: FBT001 -- named by its rule
            peer = self.peer(number)
            self.send(peer, b"".join(self.stays(None, None) for _ in range(count)), [])
            self.go(peer, reset=reset)

        @rule(number=which, reset=st.booleans())
        def leave(self, number: int, reset: bool) -> None:  # noqa: FBT001 -- named by its rule
            self.go(self.peer(number), reset=reset)

        @rule(number=which)
        def stop_or_go_on_reading(self, number: int) -> None:
            peer = self.peer(number)
            peer.paused = not peer.paused

        @rule()
        def let_a_moment_pass(self) -> None:
            pump(self.peers, lambda: False, MOMENT_SECONDS)
            for peer in self.peers:
                self.hold(peer)

        @rule(number=which)
        def half_close(self, number: int) -> None:
            self.finish(self.peer(number))

    return Machine
