import os
from pathlib import Path

import pytest

from execwire.adapters.subprocess.spawn.lookup import find_executable


def program(path: Path, mode: int = 0o755, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def found(name: str, *folders: Path | str) -> str:
    return os.fsdecode(find_executable(os.fsencode(name), os.fsencode(":".join(map(str, folders)))))


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
    with pytest.raises(FileNotFoundError, match="No such file or directory in PATH"):
        found("tool", tmp_path)


def test_a_directory_that_may_not_be_searched_is_no_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed" / "tool"
    real_stat = os.stat

    def refuse(path: bytes | str | Path, **options: bool) -> os.stat_result:
        if path == os.fsencode(closed):
            raise PermissionError
        return real_stat(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        assert found("tool", tmp_path / "closed", tmp_path) == str(closed)
        program(tmp_path / "tool")
        assert found("tool", tmp_path / "closed", tmp_path) == str(tmp_path / "tool")
