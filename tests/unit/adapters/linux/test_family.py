"""Children of processes, with and without the kernel's lists of children."""

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
def test_children_and_zombies_are_found(child: int, kind: type[Family]) -> None:
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


def test_processes_are_scanned_if_the_kernel_lists_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    ProcessTable(listed=True).install(monkeypatch)
    assert isinstance(family(), ListedFamily)
    ProcessTable(listed=False).install(monkeypatch)
    assert isinstance(family(), ScannedFamily)


def not_visible(_: int) -> None:
    """Replace procfs.stat: no process is visible."""


def test_hidden_processes_are_a_problem_only_without_lists_of_children(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknowable() is None
    monkeypatch.setattr(procfs, "lists_children", lambda: False)
    assert unknowable() is None
    monkeypatch.setattr(procfs, "stat", not_visible)
    reason = unknowable()
    assert reason is not None
    assert "hidepid" in reason


@pytest.mark.parametrize("me", ["1234567", ""])
def test_missing_proc_or_one_of_another_namespace_is_reported(monkeypatch: pytest.MonkeyPatch, me: str) -> None:
    def readlink(_: str) -> str:
        if not me:
            raise FileNotFoundError
        return me

    monkeypatch.setattr(os, "readlink", readlink)
    reason = unknowable()
    assert reason is not None
    assert "another PID namespace" in reason
