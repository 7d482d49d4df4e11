"""For any stream and any segmentation: the same requests, the same results, one for each, and no exception."""

from typing import Any

from connection_harness import MAX_LINE, Limits, Served, ask
from event_loop import played, settle
from hypothesis import example, given
from hypothesis import strategies as st

from execwire.adapters.tcp.batch import LINES_AT_ONCE

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5)
REQUESTS = st.tuples(WORDS, st.integers(1, 3)).map(lambda drawn: ask(drawn[0], id=drawn[1]))
PLAIN_REQUESTS = WORDS.map(ask)
LINES = st.one_of(
    REQUESTS,
    PLAIN_REQUESTS,
    st.sampled_from([b"\n", b"{}\n", b'{"command":[]}\n', b'{"command":["a"],"timeout":-1}\n', b"\xff\n", b" \r\n"]),
    st.sampled_from([b"x" * (MAX_LINE + 1) + b"\n", b" " * (MAX_LINE - 1) + b"\n"]),
    st.binary(max_size=20).map(lambda data: data + b"\n"),
)
FOREIGN = st.sampled_from([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"])
BEGINNINGS = st.sampled_from([b"", b"{}\n", b" \r\n", b"\n\n\t{}\n", b"x\n"])
# With more lines than one batch, an id of a later line may still be in flight or not, depending on timing.
STREAMS = (
    st.tuples(BEGINNINGS, st.lists(LINES | st.binary(max_size=20) | FOREIGN, max_size=8).map(b"".join))
    .map(b"".join)
    .filter(lambda stream: stream.count(b"\n") <= LINES_AT_ONCE)
)
LIMITS = st.builds(Limits, requests=st.integers(1, 4))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end]


async def answers(
    pieces: list[bytes], limits: Limits | None = None, *, paced: bool = False
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the commands started and the results; a paced client waits for all results before each next piece."""
    async with Served(limits=limits) as served:
        for piece in pieces:
            served.transport.deliver(piece)
            if paced:
                await settle()
        await served.end_of_file()
        assert served.transport.closing
        assert not served.transport.aborted
        return served.taken, served.results


# Hazard 24.
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"\x16\x03", [1])
@example(ask("ü") + b"POST / HTTP/1.1\n" + ask("evil"), [*range(30)])
def test_any_segmentation_of_a_stream_gives_the_same_tasks_and_results(stream: bytes, cuts: list[int]) -> None:
    assert played(answers(cut(stream, cuts))) == played(answers([stream]))


# Hazard 24.
@given(STREAMS.filter(lambda stream: b'"id"' not in stream), st.lists(st.integers(0, 10_000), max_size=12))
def test_pauses_between_segments_change_nothing(stream: bytes, cuts: list[int]) -> None:
    assert played(answers(cut(stream, cuts), paced=True)) == played(answers([stream]))


@given(st.lists(LINES, max_size=12), LIMITS)
def test_every_line_gets_exactly_one_result_whatever_the_limit_of_requests(lines: list[bytes], limits: Limits) -> None:
    stream = b"".join([b"{}\n", *lines])
    taken, results = played(answers([stream], limits))
    assert len(results) == sum(bool(line.strip()) or len(line) > MAX_LINE for line in stream.split(b"\n"))
    assert len(taken) == sum(result["command"] != [] for result in results)


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True),
    st.randoms(use_true_random=False),
    st.integers(1, 6),
    st.booleans(),
)
def test_results_are_in_request_order_whatever_order_tasks_end_in(
    names: list[str],
    random: Any,  # noqa: ANN401 -- hypothesis does not export its type
    limit: int,
    half_closed: bool,  # noqa: FBT001
) -> None:
    async def play() -> list[str]:
        async with Served(*names, limits=Limits(requests=limit)) as served:
            await served.send(*map(ask, names))
            if half_closed:
                await served.end_of_file()
            order = list(names)
            random.shuffle(order)
            for name in order:
                await served.let_go(name)
            return served.commands

    assert played(play()) == names


@given(
    st.lists(
        st.one_of(
            LINES.map(lambda data: ("send", data)),
            st.binary(max_size=5).map(lambda data: ("send", data)),
            st.sampled_from(["eof", "slow", "read", "fill", "room", "leave", "abort", "go", "iterate"]).map(
                lambda event: (event, b"")
            ),
        ),
        max_size=25,
    ),
    LIMITS,
)
def test_nothing_is_lost_or_left_after_any_sequence_of_events(events: list[tuple[str, bytes]], limits: Limits) -> None:
    async def play() -> None:
        async with Served("a", limits=limits) as served:
            first: list[tuple[str, bytes]] = [("send", b"{}\n")]
            for event, data in [*first, *events, ("room", b""), ("go", b""), ("read", b"")]:
                await apply_event(served, event, data)
            await settle()
            answered = len(served.transport.written.splitlines())
            assert served.lost or answered >= len(served.taken)

    played(play())


async def apply_event(served: Served, event: str, data: bytes) -> None:
    match event:
        case "send":
            served.transport.deliver(data)
        case "eof":
            served.transport.deliver(None)
        case "slow":
            served.transport.client_reads = False
        case "read":
            served.transport.client_reads = True
            served.transport.catch_up()
        case "fill":
            served.intake.fill()
        case "room":
            served.intake.release_all()
        case "leave":
            served.connection.shut_down()
        case "abort":
            served.connection.abort()
        case "go":
            served.intake.gates["a"].set()
        case _:
            await settle(1)
