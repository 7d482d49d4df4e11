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
def test_descriptors_are_free_inside_and_reserved_again_afterwards(spare_descriptors: SpareDescriptors) -> None:
    held = open_descriptors()
    for _ in range(3):
        with spare_descriptors:
            assert len(held - open_descriptors()) == COUNT
        assert len(held - open_descriptors()) == 0


def test_descriptors_are_reserved_again_after_an_exception(spare_descriptors: SpareDescriptors) -> None:
    held = open_descriptors()
    with pytest.raises(LookupError), spare_descriptors:
        raise LookupError
    assert len(held - open_descriptors()) == 0


# Hazard 15.
def test_descriptors_that_cannot_be_opened_are_opened_the_next_time(
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
def test_descriptors_are_not_inheritable(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    really_open = os.open

    def remember(path: str, flags: int) -> int:
        opened.append(really_open(path, flags))
        return opened[-1]

    monkeypatch.setattr(os, "open", remember)
    spare_descriptors = SpareDescriptors()
    assert [os.get_inheritable(descriptor) for descriptor in opened] == [False] * COUNT
    spare_descriptors.close()


def test_close_closes_all_descriptors() -> None:
    before = open_descriptors()
    spare_descriptors = SpareDescriptors()
    assert len(open_descriptors() - before) == COUNT
    spare_descriptors.close()
    spare_descriptors.close()
    assert open_descriptors() - before == set()


# Hazard 15.
def test_too_few_descriptors_at_the_start_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        SpareDescriptors()
