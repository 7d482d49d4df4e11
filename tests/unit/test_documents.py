"""What the documents and the unit for systemd say of the program is so."""

import ast
import errno
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from execwire.adapters.tcp.context import MEMORY_USED_UP, STORE_FULL
from execwire.app.agent.container import QUEUE_IS_FULL
from execwire.app.settings.model import Settings
from execwire.app.settings.sources import read_settings
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


def test_every_line_of_the_sample_settings_is_accepted(tmp_path: Path) -> None:
    lines = (ROOT / "contrib" / "execwire.toml").read_text(encoding="utf-8").splitlines()
    settings = [line[1:] for line in lines if re.match(r"#\w+ = ", line)]
    assert len(settings) > 10
    assert all(line.startswith("# ") or not line for line in lines if line[1:] not in settings)
    file = tmp_path / "execwire.toml"
    file.write_text("\n".join(settings), encoding="utf-8")
    file.chmod(0o644)
    odd: list[str] = []
    read = read_settings(file, {}, {}, odd.append)
    assert odd == []
    examples = {"unix": "/run/execwire/agent.sock", "allow_user": ("scheduler",), "task_oom_score_adj": 1000}
    assert read == replace(Settings(), **examples)  # type: ignore[arg-type]
    assert directives()["ExecStart"].endswith(" serve --config /etc/execwire.toml")


def test_every_text_that_operators_are_told_of_is_one_of_the_program() -> None:
    known = texts_of_the_program()
    for text in told_texts():
        for part in re.split(r"…|\.\.\.", text):
            assert any(part.strip(": ") in whole for whole in known), text


def test_every_warning_and_error_of_the_log_is_told_to_operators() -> None:
    told = [re.escape(text).replace("…", ".*") for text in told_texts()]
    logged = set(re.findall(r'log\.(?:info|warning|error|exception)\(\s*"([^"]+)"', sources()))
    logged |= set(re.findall(r'RateLimitedLog\(\s*"([^"]+)"', sources())) | {MEMORY_USED_UP, STORE_FULL, QUEUE_IS_FULL}
    assert len(logged) > 30
    for event in logged:
        assert any(re.match(text, event) for text in told), event


def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))


def texts_of_the_program() -> set[str]:
    """Every text in the code; those with values in them in parts."""
    found = {node.value for node in ast.walk(ast.parse(sources())) if isinstance(node, ast.Constant)}
    whole = {text for text in found if isinstance(text, str)}
    return whole | {os.strerror(number) for number in errno.errorcode}


def told_texts() -> list[str]:
    """What docs/operations.md quotes: in the first column of its tables, and in the lists of events."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    text = text[text.index("## Log lines") :]
    cells = [
        quoted for row in re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE) for quoted in re.findall("`(.+?)`", row)
    ]
    defects = text[text.index("### Defects") : text.index("## Messages at the start")]
    return [cell for cell in cells if not cell.startswith("exit_code")] + re.findall("`([^`]+)`", defects)


KEYWORDS = (
    "RLIMIT_NOFILE", "/dev/null", "/proc", "processes", "pidfd_open", "waitid", "PR_SET_CHILD_SUBREAPER", "eventfd",
    "splice", "posix_spawn", "RLIMIT_LOCKS", "sock_diag",
)  # fmt: skip
