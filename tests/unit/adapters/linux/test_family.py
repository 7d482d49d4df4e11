"""Who is whose child, with the kernel's lists of children and without."""

import os
import subprocess
from collections.abc import Iterator

import pytest
from fake_process_table import ProcessTable

from execwire.adapters.linux import procfs
from execwire.adapters.linux.family import Family, ListedFamily, ScannedFamily, family, unknowable


@pytest.fixture
def child() -> Iterator[int]:
    with subprocess.Popen(("sh", "-c", "sleep 600 & wait"), stdout=subprocess.DEVNULL, start_new_session=True) as child:
        yield child.pid
        os.killpg(child.pid, 9)


@pytest.mark.parametrize("kind", [ListedFamily, ScannedFamily])
def test_children_are_found_and_zombies_among_them(child: int, kind: type[Family]) -> None:
    found = kind()

    def look(pid: int) -> list[int]:
        for _ in found.refresh():
            pass
        return found.children(pid)

    while not look(child):
        pass
    (grandchild,) = look(child)
    assert look(grandchild) == []
    os.killpg(child, 9)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert child in look(os.getpid())


def test_without_lists_of_children_the_processes_are_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    ProcessTable(listed=True).install(monkeypatch)
    assert isinstance(family(), ListedFamily)
    ProcessTable(listed=False).install(monkeypatch)
    assert isinstance(family(), ScannedFamily)


def not_visible(_: int) -> None:
    """See nothing of a process."""


def test_without_lists_of_children_what_is_hidden_could_not_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknowable() is None
    monkeypatch.setattr(procfs, "lists_children", lambda: False)
    assert unknowable() is None
    monkeypatch.setattr(procfs, "stat", not_visible)
    reason = unknowable()
    assert reason is not None
    assert "hidepid" in reason


@pytest.mark.parametrize("me", ["1234567", ""])
def test_a_proc_of_another_namespace_or_none_shows_nobody_of_ours(monkeypatch: pytest.MonkeyPatch, me: str) -> None:
    def readlink(_: str) -> str:
        if not me:
            raise FileNotFoundError
        return me

    monkeypatch.setattr(os, "readlink", readlink)
    reason = unknowable()
    assert reason is not None
    assert "another PID namespace" in reason
