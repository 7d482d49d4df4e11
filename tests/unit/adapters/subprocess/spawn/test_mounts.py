"""Which paths are on local file systems, by the text of mountinfo alone."""

import os
from pathlib import Path

import pytest

from execwire.adapters.subprocess.spawn.mounts import MountTable

ROOT = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


def table(*lines: bytes) -> MountTable:
    return MountTable(b"\n".join((ROOT, *lines)))


def mount(point: str | Path, kind: str, device: str = "0:50") -> bytes:
    return f"40 27 {device} / {point} rw,relatime shared:1 - {kind} source rw".encode()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "vfat", "squashfs"])
def test_file_system_with_a_block_device_is_local(kind: str) -> None:
    assert table(mount("/opt", kind, "8:1")).is_local(b"/opt/tool")


@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "btrfs", "zfs"])
def test_local_file_system_without_a_block_device_is_local(kind: str) -> None:
    assert table(mount("/opt", kind)).is_local(b"/opt/tool")


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "autofs", "a-kind-of-next-year", "proc"])
def test_other_file_system_without_a_block_device_is_not_local(kind: str) -> None:
    mounts = table(mount("/opt", kind))
    assert not mounts.is_local(b"/opt/tool")
    assert not mounts.is_local(b"/opt")
    assert mounts.is_local(b"/optional/tool")


@pytest.mark.parametrize("kind", ["fuseblk", "gfs2", "ocfs2"])
def test_fuse_and_cluster_file_systems_with_a_block_device_are_not_local(kind: str) -> None:
    assert not table(mount("/opt", kind, "8:1")).is_local(b"/opt/tool")


def test_innermost_and_latest_mount_counts() -> None:
    mounts = table(
        mount("/net", "nfs4"), mount("/net/scratch", "ext4", "8:2"), mount("/opt", "nfs4"), mount("/opt", "tmpfs")
    )
    assert not mounts.is_local(b"/net/tool")
    assert not mounts.is_local(b"/net/scratch/tool")  # reached through a file system that is not local
    assert mounts.is_local(b"/opt/tool")


def test_escaped_space_in_a_mount_point_is_decoded() -> None:
    assert not table(mount(r"/my\040disk", "nfs4")).is_local(b"/my disk/tool")


def test_symbolic_link_is_followed_to_its_file_system(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("remote/tool")
    (tmp_path / "back").symlink_to("remote/../local")
    mounts = table(mount(tmp_path / "remote", "nfs4"))
    assert mounts.is_local(os.fsencode(tmp_path / "tool"))
    assert not mounts.is_local(os.fsencode(tmp_path / "link"))
    assert not mounts.is_local(os.fsencode(tmp_path / "back"))


def test_path_that_is_not_local_is_not_accessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accessed: list[bytes] = []

    def readlink(path: bytes) -> bytes:
        accessed.append(path)
        raise OSError

    monkeypatch.setattr(os, "readlink", readlink)
    assert not table(mount(tmp_path, "nfs4")).is_local(os.fsencode(tmp_path / "tool"))
    assert not any(path.startswith(os.fsencode(tmp_path)) for path in accessed)


def test_relative_path_starts_at_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    mounts = table(mount(tmp_path / "here", "nfs4"))
    assert not mounts.is_local(b"./tool")
    assert mounts.is_local(b"/tool")


def test_cycle_of_symbolic_links_is_not_local(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert not table().is_local(os.fsencode(tmp_path / "one"))


def test_current_mounts_can_be_read() -> None:
    assert not MountTable.now().is_local(b"/proc/self/exe")
