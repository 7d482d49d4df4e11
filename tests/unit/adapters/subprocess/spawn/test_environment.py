"""Which variables of the agent's environment tasks get."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from execwire.adapters.subprocess.spawn.environment import parse, task_environment


def test_variables_are_passed_byte_for_byte() -> None:
    block = b"A=1\0odd\xff\xfe=\x80=\n\x01\0EMPTY=\0"
    assert parse(block) == {b"A": b"1", b"odd\xff\xfe": b"\x80=\n\x01", b"EMPTY": b""}


def test_first_of_two_variables_with_one_name_counts() -> None:
    assert parse(b"A=first\0A=second\0") == {b"A": b"first"}


def test_entries_that_are_not_variables_are_left_out() -> None:
    assert parse(b"no equals sign\0=no name\0\0A=1") == {b"A": b"1"}
    assert parse(b"") == {}


def test_variables_for_the_agent_alone_are_left_out() -> None:
    own = (
        b"NOTIFY_SOCKET=/run/x", b"LISTEN_FDS=1", b"LISTEN_PID=5", b"LISTEN_FDNAMES=a", b"WATCHDOG_USEC=1",
        b"WATCHDOG_PID=5", b"MAKEFLAGS=-j", b"MFLAGS=-j", b"MAKELEVEL=1", b"EXECWIRE_PORT=1", b"EXECWIRE_TOKEN=x",
    )  # fmt: skip
    assert parse(b"\0".join((*own, b"MAKE=1", b"LISTENER=1", b"execwire_x=1"))) == {
        b"MAKE": b"1", b"LISTENER": b"1", b"execwire_x": b"1",
    }  # fmt: skip


def test_variables_that_python_adds_are_left_out() -> None:
    program = (
        "import os; from execwire.adapters.subprocess.spawn.environment import task_environment as given; "
        "os.environ['ADDED'] = '1'; print(sorted(given()), 'LC_CTYPE' in os.environ)"
    )
    environment = {"A": "1", "PATH": os.environ["PATH"], os.fsdecode(b"\xff"): os.fsdecode(b"\xff")}
    root = Path(__file__).parents[5]
    result = subprocess.run([sys.executable, "-c", program], env=environment, cwd=root, capture_output=True, check=True)
    assert result.stdout == b"[b'A', b'PATH', b'\\xff'] True\n"


def test_unreadable_environment_is_replaced_by_that_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setitem(os.environ, "ODD", os.fsdecode(b"\xff=\n"))
    monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", "/x")
    environment = task_environment()
    assert environment[b"ODD"] == b"\xff=\n"
    assert b"NOTIFY_SOCKET" not in environment
