import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.protocol.truncated import read_id

IDS = st.integers() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=128
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "x"]), inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(st.text().filter(lambda name: name != "id"), VALUES, max_size=4), IDS, st.booleans(), st.data())
def test_id_is_read_if_the_line_is_truncated_after_it(
    before: dict[str, Any],
    request_id: str | int,
    ascii_only: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    beginning = json.dumps({**before, "id": request_id}, ensure_ascii=ascii_only).encode()[:-1]
    line = beginning + b',"command":["' + b"x" * 50
    cut = data.draw(st.integers(0, len(line)))
    assert read_id(line[:cut]) == (request_id if cut > len(beginning) else None)
    assert read_id(beginning + b'x"') is None


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"{",
        b'"id":5,',
        b'["id",5,',
        b'{"id" 5,',
        b'{"id":5',
        b'{"id":true,"x":1',
        b'{"id":1.5,"x":1',
        b'{"id":"","x":1',
        b'{"id":"a\\u0000","x":1',
        b'{"id":"\\ud800","x":1',
        b'{"id":' + b"9" * 5000 + b",",
        b'{"x":{"id":5},',
        b'{"x":"{\\"id\\":5,"',
        b'{"x":[{"id":5}],"y',
        b'{"x":nul,"id":5,',
        b'{"x":' + b"[" * 5000 + b'"id"',
        b"\xff" + b'{"id":5,',
    ],
)
def test_no_id_is_read_if_the_object_has_no_valid_one(start: bytes) -> None:
    assert read_id(start) is None


def test_first_of_several_ids_is_read() -> None:
    assert read_id(b' {\t"x" : [1, {"id": 2}] , "id" : "a" , "id" : "b" , "command":["') == "a"
