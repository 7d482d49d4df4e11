"""The documents and the systemd unit agree with the program."""

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


def test_unit_stops_the_supervisor_only_and_waits_for_it() -> None:
    unit = directives()
    assert unit["KillMode"] == "mixed"
    assert float(unit["TimeoutStopSec"]) >= Settings().drain_seconds + 20
    assert "ExecStop" not in unit
    assert "ExecStopPost" not in unit


def test_unit_meets_the_requirements_and_restricts_no_tasks() -> None:
    unit = directives()
    assert unit["LimitLOCKS"] == "infinity"
    assert unit["OOMPolicy"] == "continue"
    assert unit["TasksMax"] == "infinity"
    breaking = {
        "NoNewPrivileges", "CapabilityBoundingSet", "MemoryDenyWriteExecute", "SystemCallFilter", "RestrictNamespaces",
        "PrivateDevices", "DeviceAllow", "ProtectClock", "ProtectHome", "PrivateTmp", "DynamicUser", "PrivateUsers",
        "PrivateNetwork", "RestrictAddressFamilies", "ProcSubset", "ProtectProc",
        # With User=, systemd before version 255 implies NoNewPrivileges=yes for these.
        "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectHostname", "RestrictRealtime",
        "RestrictSUIDSGID", "LockPersonality", "SystemCallArchitectures", "SystemCallLog",
    }  # fmt: skip
    assert unit.keys() & breaking == set()
    text = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    for name in breaking | {"KillMode", "OOMPolicy", "LimitLOCKS", "TasksMax", "TimeoutStopSec"}:
        assert f"{name}=" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_unit_passes_systemd_analyze(tmp_path: Path) -> None:
    program = tmp_path / "execwire"
    program.touch(mode=0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/execwire/bin/execwire", str(program)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], check=False, capture_output=True, text=True
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_table_of_requirements_has_a_row_for_each_probe() -> None:
    rows = [
        line for line in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"
    ]
    for need in (*NEEDS, SOCK_DIAG):
        word = next(word for word in KEYWORDS if word in need.what)
        assert any(word in row for row in rows), need.what


def test_architecture_lists_all_files_of_the_sources() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"[`(/](\w+\.py)", text[text.index("## The files") : text.index("## The life")]))
    existing = {path.name for path in (ROOT / "src").rglob("*.py")} - {"__init__.py"}
    assert listed == existing


def test_all_lines_of_the_sample_settings_are_accepted(tmp_path: Path) -> None:
    lines = (ROOT / "contrib" / "execwire.toml").read_text(encoding="utf-8").splitlines()
    settings = [line[1:] for line in lines if re.match(r"#\w+ = ", line)]
    assert len(settings) > 10
    assert all(line.startswith("# ") or not line for line in lines if line[1:] not in settings)
    file = tmp_path / "execwire.toml"
    file.write_text("\n".join(settings), encoding="utf-8")
    file.chmod(0o644)
    warnings: list[str] = []
    read = read_settings(file, {}, {}, warnings.append)
    assert warnings == []
    examples = {"unix": "/run/execwire/agent.sock", "allow_user": ("scheduler",), "task_oom_score_adj": 1000}
    assert read == replace(Settings(), **examples)  # type: ignore[arg-type]
    assert directives()["ExecStart"].endswith(" serve --config /etc/execwire.toml")


def test_texts_quoted_for_operators_are_in_the_program() -> None:
    known = program_texts()
    for text in documented_texts():
        for part in re.split(r"…|\.\.\.", text):
            assert any(part.strip(": ") in whole for whole in known), text


def test_all_log_events_are_documented_for_operators() -> None:
    documented = [re.escape(text).replace("…", ".*") for text in documented_texts()]
    logged = set(re.findall(r'log\.(?:info|warning|error|exception)\(\s*"([^"]+)"', sources()))
    logged |= set(re.findall(r'RateLimitedLog\(\s*"([^"]+)"', sources())) | {MEMORY_USED_UP, STORE_FULL, QUEUE_IS_FULL}
    assert len(logged) > 30
    for event in logged:
        assert any(re.match(text, event) for text in documented), event


def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))


def program_texts() -> set[str]:
    """Return all string constants of the code, f-strings in parts, and the system's error messages."""
    constants = {node.value for node in ast.walk(ast.parse(sources())) if isinstance(node, ast.Constant)}
    texts = {text for text in constants if isinstance(text, str)}
    return texts | {os.strerror(number) for number in errno.errorcode}


def documented_texts() -> list[str]:
    """Return the texts that docs/operations.md quotes: in the first column of its tables, and in lists of events."""
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
