"""Descriptions of why a program could not be executed; each names what has to be fixed."""

import errno
import os
from pathlib import Path

import pytest
from programs import made

from execwire.adapters.subprocess.spawn.start_failure import cannot_start, describe_failure

NOT_FOUND = os.strerror(errno.ENOENT)


def describe(number: int, path: Path | str) -> str:
    return describe_failure(OSError(number, os.strerror(number)), os.fsencode(path))


def real_reason(path: Path) -> str:
    """Return the description of a start that the kernel refuses."""
    try:
        os.posix_spawn(path, [str(path)], {})
    except OSError as error:
        return describe_failure(error, os.fsencode(path))
    raise AssertionError


def test_name_is_shown_as_requested_with_visible_control_characters() -> None:
    assert cannot_start(b"to\rol\xff", "Reason") == "cannot start to\\rol\N{REPLACEMENT CHARACTER}: Reason"


def test_systems_reason_is_unchanged(tmp_path: Path) -> None:
    path = made(tmp_path / "tool", "#!/bin/sh\n", 0o644)
    assert describe(errno.EACCES, path) == "Permission denied"
    assert describe(errno.ENOMEM, path) == "Cannot allocate memory"


def test_directory_is_reported_as_a_directory(tmp_path: Path) -> None:
    assert real_reason(tmp_path) == "Permission denied (it is a directory)"


@pytest.mark.parametrize(
    ("text", "interpreter"),
    [
        ("#!/nonexistent/sh -e\n", "/nonexistent/sh"),
        ("#! \t/nonexistent/sh\n", "/nonexistent/sh"),
        ("#!/nonexistent/sh\t-x", "/nonexistent/sh"),
        ("#!" + "x" * 300, "x" * 254),
    ],
)
def test_missing_interpreter_is_named(tmp_path: Path, text: str, interpreter: str) -> None:
    path = made(tmp_path / "tool", text)
    assert describe(errno.ENOENT, path) == f"bad interpreter: {interpreter}: {NOT_FOUND}"


@pytest.mark.parametrize("text", ["#!\n", "\x7fELF"])
def test_missing_loader_of_a_program_is_called_its_loader(tmp_path: Path, text: str) -> None:
    path = made(tmp_path / "tool", text)
    assert describe(errno.ENOENT, path) == f"bad interpreter: the loader that the program names: {NOT_FOUND}"


def test_windows_line_ends_are_explained_and_shown(tmp_path: Path) -> None:
    path = Path(made(tmp_path / "tool", "#!/bin/sh\r\necho hi\r\n"))
    assert real_reason(path) == (
        "bad interpreter: /bin/sh\\r: No such file or directory "
        "(the script has Windows line ends: its first line ends with a carriage return, shown as \\r)"
    )


def test_missing_one_of_several_interpreters_is_named(tmp_path: Path) -> None:
    inner = made(tmp_path / "inner", "#!/nonexistent/inner\n")
    middle = made(tmp_path / "middle", f"#!{inner}\n")
    outer = Path(made(tmp_path / "outer", f"#!{middle}\n"))
    assert real_reason(outer) == "bad interpreter: /nonexistent/inner: No such file or directory"


def test_interpreter_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    closed = made(tmp_path / "closed", "#!/bin/sh\n", 0o644)
    outer = Path(made(tmp_path / "outer", f"#!{closed}\n"))
    assert real_reason(outer) == f"bad interpreter: {closed}: Permission denied"


def test_interpreter_that_is_not_a_program_is_named(tmp_path: Path) -> None:
    text = made(tmp_path / "text", "no program\n")
    outer = Path(made(tmp_path / "outer", f"#!{text}\n"))
    assert real_reason(outer) == f"bad interpreter: {text}: Exec format error"


def test_interpreter_below_a_file_is_named(tmp_path: Path) -> None:
    outer = Path(made(tmp_path / "outer", "#!/dev/null/sh\n"))
    assert real_reason(outer) == "bad interpreter: /dev/null/sh: Not a directory"


def test_more_interpreters_than_the_kernel_follows_are_reported(tmp_path: Path) -> None:
    path = Path(made(tmp_path / "0", "#!/bin/sh\n"))
    for number in range(1, 8):
        path = Path(made(tmp_path / str(number), f"#!{path}\n"))
    assert real_reason(path).endswith("(more than 5 scripts are one another's interpreter)")


def test_script_that_is_its_own_interpreter_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "loop"
    made(path, f"#!{path}\n")
    assert real_reason(path).startswith(os.strerror(errno.ELOOP))


def test_dangling_symbolic_link_is_reported_as_missing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    assert real_reason(tmp_path / "link") == NOT_FOUND


def test_interpreter_of_an_unreadable_script_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "tool", "#!/nonexistent/sh\n")

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert describe(errno.ENOENT, path) == f"bad interpreter: the loader that the program names: {NOT_FOUND}"


def test_missing_file_is_reported_as_missing() -> None:
    assert describe(errno.ENOENT, "/nonexistent/tool") == NOT_FOUND
    assert describe(errno.ENOENT, "tool") == NOT_FOUND


def test_file_that_is_neither_a_program_nor_a_script_is_explained(tmp_path: Path) -> None:
    path = Path(made(tmp_path / "tool", "echo hi\n"))
    expected = "Exec format error (neither a program for this machine nor a script that begins with #!)"
    assert real_reason(path) == expected


def test_reason_for_too_long_arguments_refers_to_execve() -> None:
    assert "Argument list too long (see execve(2)" in describe(errno.E2BIG, "/bin/echo")
