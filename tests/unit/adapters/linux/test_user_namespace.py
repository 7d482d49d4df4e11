"""Whether the map of the user namespace contains all users."""

from pathlib import Path

import pytest

from execwire.adapters.linux import user_namespace
from execwire.adapters.linux.user_namespace import unmapped_user


def unmapped(
    monkeypatch: pytest.MonkeyPatch, folder: Path, uid_map: str | None, overflow: str | None = "65533\n"
) -> int | None:
    for name, text in (("_MAP", uid_map), ("_OVERFLOW", overflow)):
        path = folder / name
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(user_namespace, name, path)
    return unmapped_user()


@pytest.mark.parametrize(
    "uid_map", ["         0          0 4294967295\n", "0 0 1000\n1000 100000 4294966295\n", "0 5 4294967295\n"]
)
def test_complete_map_leaves_no_user_unmapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid_map: str) -> None:
    assert unmapped(monkeypatch, tmp_path, uid_map) is None


@pytest.mark.parametrize("uid_map", ["", "0 1000 1\n", "0 100000 65536\n", "0 0 65534\n65535 65535 4294901760\n"])
def test_incomplete_map_leaves_users_unmapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid_map: str) -> None:
    assert unmapped(monkeypatch, tmp_path, uid_map) == 65533


def test_kernel_without_user_namespaces_leaves_no_user_unmapped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert unmapped(monkeypatch, tmp_path, None) is None


def test_unreadable_map_counts_as_incomplete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert unmapped(monkeypatch, tmp_path / "", "0 0 1\n", None) == 65534
    monkeypatch.setattr(user_namespace, "_MAP", tmp_path / "no-proc" / "uid_map")
    assert unmapped_user() == 65534
