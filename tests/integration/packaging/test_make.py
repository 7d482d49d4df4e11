import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Like Debian's python3: without python3-venv it fails and leaves an incomplete environment.
PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && exec test {complete} ;;
*) exec {python} "$@" ;;
esac
"""


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that contains only the Makefile."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_missing_venv_package_is_reported_and_make_works_after_its_installation(checkout: Path) -> None:
    incomplete = script(checkout / "incomplete", PYTHON.format(python=sys.executable, complete=""))
    complete = script(checkout / "complete", PYTHON.format(python=sys.executable, complete="yes"))
    refused = make(checkout, ".venv/.created", f"PYTHON={incomplete}")
    assert refused.returncode == 2
    assert "apt install python3-venv" in refused.stderr
    assert not (checkout / ".venv").exists()
    # An incomplete environment, as left by a power failure.
    partial = checkout / ".venv" / "bin" / "partial"
    partial.mkdir(parents=True)
    assert make(checkout, ".venv/.created", f"PYTHON={complete}").returncode == 0
    subprocess.run([checkout / ".venv" / "bin" / "python", "-m", "pip", "--version"], check=True, capture_output=True)
    assert not partial.exists()


def test_missing_or_too_old_interpreter_is_reported_in_one_line(checkout: Path) -> None:
    old = script(checkout / "old", "#!/bin/sh\nexit 1\n")
    for python in (old, checkout / "missing"):
        refused = make(checkout, ".venv/.created", f"PYTHON={python}")
        assert refused.returncode == 2
        assert f"make: {python} is missing or not Python 3.11 to 3.13" in refused.stderr


def test_only_pinned_packages_are_installed(tmp_path: Path) -> None:
    commands = make(ROOT, "--dry-run", "--always-make", f"VENV={tmp_path}", "check").stdout
    commands += make(ROOT, "--dry-run", "--always-make", f"PREFIX={tmp_path}", "install-to").stdout
    installs = [line for line in commands.splitlines() if re.search(r"-m pip .*\binstall ", line)]
    assert any("requirements/dev.txt" in line for line in installs)
    for line in installs:
        pinned = "--only-binary :all: --require-hashes" in line
        assert pinned or re.search(r"--no-deps --no-build-isolation (--editable|--force-reinstall) \.$", line), line
    for file in (ROOT / "requirements").glob("*.txt"):
        # pip rejects a requirement without a hash where hashes are required; a URL would bind it to one index.
        assert "://" not in file.read_text(encoding="utf-8")


def test_service_copy_is_independent_of_checkout_and_world_readable(tmp_path: Path) -> None:
    commands = make(ROOT, "--dry-run", f"PREFIX={tmp_path}/new", "install-to").stdout.splitlines()
    assert any(line.startswith("umask 022 &&") for line in commands)
    assert any(
        f"{tmp_path}/new/bin/python -m pip" in line and line.endswith("--force-reinstall .") for line in commands
    )
    assert not any("--editable" in line for line in commands)


def test_install_to_rejects_folder_that_it_did_not_create(checkout: Path) -> None:
    foreign = checkout / "foreign"
    (foreign / "bin").mkdir(parents=True)
    (foreign / "pyvenv.cfg").touch()  # a foreign virtual environment is rejected too
    for prefix in ("", "relative", f"{checkout}/with blank", foreign):
        refused = make(checkout, "install-to", f"PREFIX={prefix}")
        assert refused.returncode == 2
        assert "PREFIX=" in refused.stderr
    assert sorted(path.name for path in foreign.iterdir()) == ["bin", "pyvenv.cfg"]
