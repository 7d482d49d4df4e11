import os
from pathlib import Path

import pytest

from execwire.app.settings import cores
from execwire.app.settings.cores import MAX_WORKERS, default_workers


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the control groups, of which this process has none."""
    monkeypatch.setattr(cores, "CGROUPS", tmp_path)
    monkeypatch.setattr(cores, "OWN_CGROUPS", tmp_path / "own")
    return tmp_path


def of_machine(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    def affinity(_: int) -> set[int]:
        return set(range(count))

    monkeypatch.setattr(os, "sched_getaffinity", affinity)


def limit(folder: Path, quota: str, period: str = "100000") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(f"{quota} {period}\n")


@pytest.mark.parametrize(("count", "workers"), [(1, 1), (2, 2), (3, 3), (4, 4), (64, MAX_WORKERS)])
def test_one_worker_for_each_core_of_the_affinity(
    groups: Path, monkeypatch: pytest.MonkeyPatch, count: int, workers: int
) -> None:
    assert not (groups / "own").exists()
    of_machine(monkeypatch, count)
    assert default_workers() == workers


@pytest.mark.parametrize(
    ("quota", "workers"), [("max", 4), ("400000", 4), ("150000", 2), ("100000", 1), ("1000", 1), ("nonsense", 4)]
)
def test_quota_of_a_control_group_is_rounded_up(
    groups: Path, monkeypatch: pytest.MonkeyPatch, quota: str, workers: int
) -> None:
    of_machine(monkeypatch, 8)
    (groups / "own").write_text("0::/service/execwire\n")
    limit(groups / "service/execwire", quota)
    assert default_workers() == workers


def test_lowest_quota_of_all_ancestors_counts(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_machine(monkeypatch, 8)
    (groups / "own").write_text("0::/a/b\n")
    limit(groups / "a/b", "300000")
    limit(groups / "a", "200000")
    assert default_workers() == 2


def test_root_counts_where_the_path_is_outside_of_the_container(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_machine(monkeypatch, 8)
    (groups / "own").write_text("0::/../../elsewhere\n")
    limit(groups, "100000")
    assert default_workers() == 1


def test_quota_of_version_1(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_machine(monkeypatch, 8)
    (groups / "own").write_text("5:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n")
    folder = groups / "cpu/docker/abc"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text("250000\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert default_workers() == 3
    (folder / "cpu.cfs_quota_us").write_text("-1\n")
    assert default_workers() == 4
