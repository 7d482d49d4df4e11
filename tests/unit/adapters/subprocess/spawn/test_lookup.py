import os
from pathlib import Path

import pytest

from execwire.adapters.subprocess.spawn.lookup import find_executable


def program(path: Path, mode: int = 0o755, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def find(name: str, *directories: Path | str) -> str:
    return os.fsdecode(find_executable(os.fsencode(name), os.fsencode(":".join(map(str, directories)))))


def test_name_with_a_slash_is_returned_unchanged() -> None:
    assert find("./missing", "/bin") == "./missing"
    assert find("/missing", "/bin") == "/missing"


def test_first_directory_of_the_path_wins(tmp_path: Path) -> None:
    program(tmp_path / "b" / "tool")
    program(tmp_path / "c" / "tool")
    assert find("tool", tmp_path / "a", tmp_path / "b", tmp_path / "c") == str(tmp_path / "b" / "tool")


def test_empty_entry_of_the_path_is_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "tool")
    monkeypatch.chdir(tmp_path)
    assert find("tool", "/nonexistent", "") == "./tool"


def test_file_that_may_not_be_executed_is_skipped_for_one_that_may(tmp_path: Path) -> None:
    program(tmp_path / "a" / "tool", 0o644)
    program(tmp_path / "b" / "tool")
    assert find("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "b" / "tool")


def test_directory_with_the_name_of_the_program_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a" / "tool").mkdir(parents=True)
    program(tmp_path / "b" / "tool")
    assert find("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "b" / "tool")


def test_first_file_that_may_not_be_executed_is_returned_if_none_may(tmp_path: Path) -> None:
    for directory in ("a", "b"):
        program(tmp_path / directory / "tool", 0o644)
    assert find("tool", tmp_path / "a", tmp_path / "b") == str(tmp_path / "a" / "tool")


def test_missing_program_is_reported_as_missing_in_the_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file or directory in PATH"):
        find("tool", tmp_path)


def test_program_in_a_directory_that_may_not_be_searched_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed" / "tool"
    real_stat = os.stat

    def refuse(path: bytes | str | Path, **options: bool) -> os.stat_result:
        if path == os.fsencode(closed):
            raise PermissionError
        return real_stat(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        assert find("tool", tmp_path / "closed", tmp_path) == str(closed)
        program(tmp_path / "tool")
        assert find("tool", tmp_path / "closed", tmp_path) == str(tmp_path / "tool")
