"""Compiles the client and the reference servers from this folder into a temporary one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .servers import ServerSpec

_SOURCES = Path(__file__).resolve().parent.parent


class CannotBuildError(Exception):
    """A compiler is missing or has failed; the text says what to do."""


def build_client(folder: Path) -> Path:
    """Compile the load client, without which nothing can be measured."""
    return _compile_c(_SOURCES / "client.c", folder / "client")


def build_reference_servers(folder: Path) -> list[ServerSpec]:
    """Compile those for which this machine has a compiler; report on stderr which column is omitted."""
    go, baseline = folder / "goserver", folder / "baseline"
    specs: list[ServerSpec] = []
    try:
        _compile_go(_SOURCES / "reference_servers" / "goserver", go)
        specs.append(ServerSpec("go", (str(go), "-listen", "127.0.0.1:{port}")))
    except CannotBuildError as error:
        print(f"no column for go: {error}", file=sys.stderr)
    _compile_c(_SOURCES / "reference_servers" / "baseline.c", baseline)
    specs.append(ServerSpec("baseline", (str(baseline), "{port}"), happy_path_only=True))
    return specs


def _compile_c(source: Path, target: Path) -> Path:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        message = "no C compiler found: install one (Debian: apt-get install gcc libc6-dev) or name it in CC"
        raise CannotBuildError(message)
    _run([compiler, "-O2", "-o", str(target), str(source)], source.parent)
    return target


def _compile_go(source: Path, target: Path) -> None:
    compiler = shutil.which("go")
    if compiler is None:
        message = "go is not installed"
        raise CannotBuildError(message)
    _run([compiler, "build", "-o", str(target), "."], source)


def _run(command: list[str], folder: Path) -> None:
    # Measure the installed Go: it must not download another version.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CannotBuildError(str(error)) from error
    if answer.returncode != 0:
        message = f"{' '.join(command)} failed:\n{answer.stderr.strip()}"
        raise CannotBuildError(message)
