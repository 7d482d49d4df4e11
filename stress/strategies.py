"""Strategies for the data of the fuzz test: valid requests, nearly valid ones, and arbitrary bytes."""

import json
from typing import Any

from hypothesis import strategies as st

from .commands import SIGNALS, Programs
from .model import MAX_LINE

Pairs = list[tuple[str, Any]]

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ANY_TEXT = st.one_of(st.text(max_size=20), st.sampled_from(["\0", "\ud800", "a\udfffb", "", "é" * 200]))
NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([10**30, -(10**400), 10**400])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANY_TEXT, inner, max_size=4)),
    max_leaves=8,
)
IDS = st.one_of(
    st.integers(min_value=-3, max_value=3),
    st.integers(),
    WORDS.filter(bool),
    st.sampled_from(["x" * 128, "1", "é" * 128]),
)
BAD_IDS: st.SearchStrategy[Any] = st.sampled_from(["", "x" * 129, "a\0", "\ud800", 1.5, True, [], {}])
TIMEOUTS: st.SearchStrategy[float | None] = st.sampled_from(
    [None, 0, 0.0, -0.0, 60_000, 1e300, 30_000.5, 5, 0.5, 5e-324]
)
BAD_TIMEOUTS: st.SearchStrategy[Any] = st.sampled_from([-1, -1e-9, "5", True, [], 10**400])
BAD_COMMANDS: st.SearchStrategy[Any] = st.sampled_from(
    [
        [],
        [""],
        ["", "x"],
        ["true", 1],
        ["true", None],
        ["a\0b"],
        ["true", "\udc00"],
        "true",
        5,
        None,
        {"0": "true"},
        [[]],
    ]
)
JUNK = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"\0", b"{", b"[" * 5000, b"null", b"[]", b"5", b'"x"', b"\xef\xbb\xbf{}", b"\xff\xfe", b"NaN", b"\x0b",
         b'{"command":["true"],"timeout":1e999}', b'{"command":["true"],"timeout":NaN}', b'{"command":["true"]}}',
         b'{"command":["true"],"x":"\xff"}', b'{"command":["true"],"\xed\xa0\x80":1}', b"{'command':['true']}",
         b'{"command":["true"],"timeout":01}', b'{"command":["tr\tue"]}', b'{"command":["true"],}', b"{}",
         b'{"command":["true"],"x":"\\ud800"}', b'{"command":["true"],"x":1e999,"timeout":0}',
         b'{"command":["true"],"timeout":1e-400}', b'{"command":["true"],"timeout":-1e-400}',
         b'{"command":5,"command":["true"],"x":' + b"9" * 5000 + b"}", b'{"x":' + b'{"y":' * 1500 + b"1" + b"}" * 1501]
    ),
    st.integers(-2, 3).map(lambda over: b"x" * (MAX_LINE + over)),
    st.integers(-2, 3).map(lambda over: b'{"command":["true"]}'.ljust(MAX_LINE + over)),
    st.integers(-1, 9).map(lambda number: b'{"id":%d,"command":["true"]}'.ljust(MAX_LINE + 2) % number),
    st.just(b"y" * (MAX_LINE * 20)),
)  # fmt: skip
MADE_UP_METHODS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", min_size=1)
"""HTTP methods: any token is one (RFC 9110, section 9.1)."""
RECORDED_FOREIGN = st.sampled_from(
    [b"GET / HTTP/1.1", b"POST /x HTTP/1.1\r\nHost: h\r\n\r\n" + b'{"command":["true"]}\n',
     b"\x16\x03\x01\x02\x00\x01",
     b"FOO / HTTP/1.1\r\n\r\n" + b'{"command":["true"]}\n', b"OPTIONS " + b"/" * (2 * MAX_LINE),
     b'[{"command":["true"]}]',
     b"\0\0\0\x24", b"SSH-2.0-x\r\n", b"\xef\xbb\xbf{}\n"]
)  # fmt: skip
FOREIGN = RECORDED_FOREIGN | MADE_UP_METHODS.map(
    lambda method: method.encode() + b' / HTTP/1.1\r\nHost: h\r\n\r\n{"command":["true"]}\n'
)
BLANKS = st.text(" \t\r\n", max_size=9).map(str.encode)


def quick_commands(programs: Programs) -> st.SearchStrategy[list[str]]:
    """Return commands that exit immediately."""
    return st.one_of(
        st.just(["true"]),
        st.lists(WORDS, max_size=4).map(lambda words: ["printf", "%s", *words]),
        st.lists(st.sampled_from(sorted(programs.files)), min_size=1, max_size=4).map(lambda paths: ["cat", *paths]),
        st.tuples(st.integers(1, 6000), st.integers(1, 60)).map(
            lambda size_count: programs.script("packets", *map(str, size_count))
        ),
        st.integers(0, 255).map(lambda status: programs.script("exits", str(status))),
        st.sampled_from(sorted(SIGNALS)).map(lambda name: programs.script("dies", name)),
        WORDS.map(lambda word: ["/nonexistent/" + word]),
        st.sampled_from([["/"], ["/dev/null/x"], ["/nonexistent/" + "x" * 5000]]),
    )


@st.composite
def requests(draw: st.DrawFn, programs: Programs) -> bytes:
    """Draw a request that is valid, or has one invalid field."""
    pairs: Pairs = [("command", draw(quick_commands(programs)))]
    if draw(st.booleans()):
        pairs.append(("timeout", draw(TIMEOUTS)))
    if draw(st.booleans()):
        pairs.append(("id", draw(IDS)))
    if draw(st.integers(0, 5)) == 0:
        pairs = [*pairs, (draw(WORDS), draw(VALUES))]
    if draw(st.integers(0, 5)) == 0:
        wrong: list[tuple[str, Any]] = [
            ("command", draw(BAD_COMMANDS)), ("timeout", draw(BAD_TIMEOUTS)), ("id", draw(BAD_IDS)),
            ("command", draw(VALUES)),
        ]  # fmt: skip
        pairs.append(draw(st.sampled_from(wrong)))
    return rendered(draw, draw(st.permutations(pairs)))


@st.composite
def mutants(draw: st.DrawFn, programs: Programs) -> bytes:
    """Draw a request with a missing, duplicated or replaced piece."""
    line = draw(requests(programs))
    begin = draw(st.integers(0, len(line)))
    end = min(len(line), begin + draw(st.integers(0, 6)))
    middle = draw(st.one_of(st.just(b""), st.just(line[begin:end] * 2), st.binary(max_size=3)))
    return line[:begin] + middle.replace(b"\n", b" ") + line[end:]


def rendered(draw: st.DrawFn, pairs: Pairs) -> bytes:
    """Encode an object in one of the notations of JSON; keys may be duplicated."""
    ascii_only, comma, colon = (
        draw(st.booleans()),
        draw(st.sampled_from([",", " ,\t"])),
        draw(st.sampled_from([":", " : "])),
    )
    members = [_key(draw, key) + colon + json.dumps(value, ensure_ascii=ascii_only) for key, value in pairs]
    return ("{" + comma.join(members) + "}").encode("utf-8", "surrogatepass")


def _key(draw: st.DrawFn, key: str) -> str:
    if key and draw(st.integers(0, 9)) == 0 and key.isascii():
        return '"' + "".join(f"\\u{ord(character):04x}" for character in key) + '"'
    return json.dumps(key)


def stays(programs: Programs, marker: str, timeout: float | None, request_id: str | int | None, *, su: bool) -> bytes:
    """Return a request for a process tree with a daemon that runs until killed; with `su`, in a PAM session."""
    command = programs.script("stays", marker)
    if su:
        command = ["su", "root", "-s", "/bin/sh", "-c", " ".join(command)]
    return json.dumps({"command": command, "timeout": timeout, "id": request_id}).encode()


def writes_on(programs: Programs, file: str, request_id: str | int | None) -> bytes:
    """Return a request whose command leaves a daemon that writes, and touches `file` when it has finished."""
    return json.dumps({"command": programs.script("writes-on", file), "id": request_id}).encode()
