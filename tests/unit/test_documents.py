"""What the documents and the unit for systemd say of the program is so."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from execwire.app.settings.model import Settings
from execwire.app.supervision.system_check import NEEDS, SOCK_DIAG

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "contrib" / "execwire.service"


def directives() -> dict[str, str]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_unit_stops_the_supervisor_alone_and_gives_it_time() -> None:
    unit = directives()
    assert unit["KillMode"] == "mixed"
    assert float(unit["TimeoutStopSec"]) >= Settings().drain_seconds + 20
    assert "ExecStop" not in unit
    assert "ExecStopPost" not in unit


def test_the_unit_has_what_the_agent_needs_and_nothing_that_breaks_tasks() -> None:
    unit = directives()
    assert unit["LimitLOCKS"] == "infinity"
    assert unit["OOMPolicy"] == "continue"
    assert unit["TasksMax"] == "infinity"
    breaking = {
        "NoNewPrivileges", "CapabilityBoundingSet", "MemoryDenyWriteExecute", "SystemCallFilter", "RestrictNamespaces",
        "PrivateDevices", "DeviceAllow", "ProtectClock", "ProtectHome", "PrivateTmp", "DynamicUser", "PrivateUsers",
        "PrivateNetwork", "RestrictAddressFamilies", "ProcSubset", "ProtectProc",
    }  # fmt: skip
    assert unit.keys() & breaking == set()
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    for name in breaking | {"KillMode", "OOMPolicy", "LimitLOCKS", "TasksMax", "TimeoutStopSec"}:
        assert f"{name}=" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "execwire"
    program.touch(mode=0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/execwire/bin/execwire", str(program)))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_the_table_of_requirements_has_a_row_for_each_probe() -> None:
    rows = [
        line for line in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"
    ]
    for need in (*NEEDS, SOCK_DIAG):
        word = next(word for word in KEYWORDS if word in need.what)
        assert any(word in row for row in rows), need.what


def test_the_list_of_files_in_the_architecture_is_that_of_the_folder() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"[`(/](\w+\.py)", text[text.index("## The files") : text.index("## The life")]))
    existing = {path.name for path in (ROOT / "src").rglob("*.py")} - {"__init__.py"}
    assert listed == existing


KEYWORDS = (
    "RLIMIT_NOFILE", "/dev/null", "/proc", "processes", "pidfd_open", "waitid", "PR_SET_CHILD_SUBREAPER", "eventfd",
    "splice", "posix_spawn", "RLIMIT_LOCKS", "sock_diag",
)  # fmt: skip
