import errno
import os
from pathlib import Path

import pytest

from execwire.adapters.subprocess.lookup import explain, find_executable


def program(path: Path, mode: int = 0o755, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def found(name: str, *folders: Path | str) -> str:
    return os.fsdecode(find_executable(os.fsencode(name), os.fsencode(":".join(map(str, folders)))))


def why(number: int, path: Path | str) -> str:
    return explain(OSError(number, os.strerror(number)), os.fsencode(path))


def test_a_name_with_a_slash_is_taken_as_it_is() -> None:
    assert found("./missing", "/bin") == "./missing"
    assert found("/missing", "/bin") == "/missing"


def test_the_first_folder_of_the_path_wins(tmp_path: Path) -> None:
    program(tmp_path / "b" / "tool")
    program(tmp_path / "c" / "tool")
    assert found("tool", tmp_path / "a", tmp_path / "b", tmp_path / "c") == str(tmp_path / "b" / "tool")


def test_an_empty_folder_of_the_path_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "tool")
    monkeypatch.chdir(tmp_path)
    assert found("tool", "/nonexistent", "") == "./tool"


def test_what_may_not_be_executed_is_passed_over_for_what_may(tmp_path: Path) -> None:
    program(tmp_path / "a" / "tool", 0o644)
    program(tmp_path / "b" / "tool")
    assert found("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "b" / "tool")


def test_a_folder_is_no_program_though_it_may_be_entered(tmp_path: Path) -> None:
    (tmp_path / "a" / "tool").mkdir(parents=True)
    program(tmp_path / "b" / "tool")
    assert found("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "b" / "tool")


def test_the_first_that_may_not_be_executed_is_named_where_none_may(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        program(tmp_path / folder / "tool", 0o644)
    assert found("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "a" / "tool")


def test_what_is_nowhere_is_said_to_be_missing_in_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        found("tool", tmp_path)
    assert explain(error.value, b"tool") == "cannot start tool: No such file or directory in PATH"


def test_the_systems_reason_comes_with_the_file(tmp_path: Path) -> None:
    path = program(tmp_path / "tool", 0o644)
    assert why(errno.EACCES, path) == f"cannot start {path}: Permission denied"
    assert why(errno.ENOMEM, path) == f"cannot start {path}: Cannot allocate memory"


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    assert why(errno.EACCES, tmp_path) == f"cannot start {tmp_path}: Permission denied (it is a directory)"


@pytest.mark.parametrize(
    ("text", "interpreter"),
    [
        ("#!/nonexistent/sh -e\n", "/nonexistent/sh"),
        ("#! /nonexistent/sh\n", "/nonexistent/sh"),
        ("#!\n", "the loader that the program names"),
        ("\x7fELF", "the loader that the program names"),
        ("#!" + "x" * 300, "x" * 254),
    ],
)
def test_a_file_that_exists_and_is_not_found_lacks_its_interpreter(tmp_path: Path, text: str, interpreter: str) -> None:
    path = program(tmp_path / "tool", text=text)
    assert why(errno.ENOENT, path) == f"cannot start {path}: bad interpreter: {interpreter}: No such file or directory"


def test_an_interpreter_that_cannot_be_read_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "tool", text="#!/nonexistent/sh\n")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert "bad interpreter: the loader" in why(errno.ENOENT, path)


def test_a_missing_file_is_missing() -> None:
    assert why(errno.ENOENT, "/nonexistent/tool") == "cannot start /nonexistent/tool: No such file or directory"


def test_what_is_no_program_is_said_to_be_neither_this_nor_that(tmp_path: Path) -> None:
    path = program(tmp_path / "tool", text="echo hi\n")
    assert "Exec format error (neither a program for this machine nor a script" in why(errno.ENOEXEC, path)


def test_too_long_arguments_point_to_the_manual() -> None:
    assert "Argument list too long (see execve(2)" in why(errno.E2BIG, "/bin/echo")


def test_a_reason_without_a_text_and_a_name_that_is_not_text_can_be_said_too() -> None:
    assert explain(OSError("odd"), b"\xff") == "cannot start \N{REPLACEMENT CHARACTER}: odd"
