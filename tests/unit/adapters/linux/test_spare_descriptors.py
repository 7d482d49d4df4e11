import errno
import os
from collections.abc import Iterator

import pytest
from proc import open_descriptors

from execwire.adapters.linux.spare_descriptors import COUNT, SpareDescriptors


@pytest.fixture
def spare_descriptors() -> Iterator[SpareDescriptors]:
    spare_descriptors = SpareDescriptors()
    yield spare_descriptors
    spare_descriptors.close()


# Hazard 15.
def test_what_it_holds_is_to_be_had_inside_and_is_taken_back_afterwards(spare_descriptors: SpareDescriptors) -> None:
    held = open_descriptors()
    for _ in range(3):
        with spare_descriptors:
            assert len(held - open_descriptors()) == COUNT
        assert len(held - open_descriptors()) == 0


def test_it_is_taken_back_when_what_was_done_inside_has_failed(spare_descriptors: SpareDescriptors) -> None:
    held = open_descriptors()
    with pytest.raises(LookupError), spare_descriptors:
        raise LookupError
    assert len(held - open_descriptors()) == 0


# Hazard 15.
def test_what_is_not_to_be_had_now_is_taken_the_next_time(
    spare_descriptors: SpareDescriptors, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = open_descriptors()

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with spare_descriptors:
            pass
    assert len(held - open_descriptors()) == COUNT
    with spare_descriptors:
        pass
    assert len(held - open_descriptors()) == 0


# Hazard 13.
def test_no_task_inherits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    really_open = os.open

    def remember(path: str, flags: int) -> int:
        opened.append(really_open(path, flags))
        return opened[-1]

    monkeypatch.setattr(os, "open", remember)
    spare_descriptors = SpareDescriptors()
    assert [os.get_inheritable(descriptor) for descriptor in opened] == [False] * COUNT
    spare_descriptors.close()


def test_closed_it_holds_none() -> None:
    before = open_descriptors()
    spare_descriptors = SpareDescriptors()
    assert len(open_descriptors() - before) == COUNT
    spare_descriptors.close()
    spare_descriptors.close()
    assert open_descriptors() - before == set()


# Hazard 15.
def test_where_there_are_too_few_to_start_with_that_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        SpareDescriptors()
