import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[3]
BUILD = [sys.executable, "-m", "hatchling", "build"]
SECONDS = 60


def build(source: Path, target: str, folder: Path) -> Path:
    command = [*BUILD, "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=SECONDS)
    (package,) = folder.iterdir()
    return package


@contextmanager
def extracted(package: Path, folder: Path) -> Generator[Path]:
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
        yield folder / package.name.removesuffix(".tar.gz")


def installed(wheel: Path, folder: Path) -> Path:
    """Install a wheel into an environment with its dependencies but without this checkout; return its `bin`."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-index", "--no-deps", str(wheel)], check=True, timeout=SECONDS)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A directory named by a .pth file is not searched for other .pth files, which would lead to this checkout.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin"


def answer_of(program: Path, folder: Path) -> str:
    """Start the agent in an empty folder, send one request, stop it; return the output."""
    folder.mkdir()
    with subprocess.Popen(
        [program, "serve", "--port", "0"], cwd=folder, stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
    ) as agent:
        try:
            assert agent.stderr is not None
            log = b""
            while not (listening := re.search(rb"listening on 127\.0\.0\.1:(\d+)", log)):
                assert select.select([agent.stderr], [], [], SECONDS)[0], log
                piece = os.read(agent.stderr.fileno(), 65536)
                assert piece, log
                log += piece
            with socket.create_connection(("127.0.0.1", int(listening[1])), timeout=SECONDS) as client:
                client.sendall(b'{"command":["echo","hello"]}\n')
                output: str = json.loads(client.makefile().readline())["output"]
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.communicate(timeout=SECONDS)
        assert agent.returncode == 0
    return output


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The source archive of this checkout, unpacked."""
    folder = tmp_path_factory.mktemp("packages")
    with extracted(build(ROOT, "sdist", folder / "sdist"), folder) as source:
        yield source


def test_wheel_serves_without_checkout(tmp_path: Path, unpacked: Path) -> None:
    wheel = build(unpacked, "wheel", tmp_path / "wheel")
    assert ZipFile(wheel).namelist() == ZipFile(build(ROOT, "wheel", tmp_path / "directly")).namelist()
    programs = installed(wheel, tmp_path / "environment")
    where = [str(programs / "python"), "-c", "import execwire; print(execwire.__file__)"]
    assert str(tmp_path) in subprocess.run(where, check=True, capture_output=True, cwd=tmp_path).stdout.decode()
    assert answer_of(programs / "execwire", tmp_path / "empty") == "hello\n"


def test_source_archive_is_complete(unpacked: Path) -> None:
    # The archive cannot contain the symlink; `make` creates it.
    subprocess.run(["make", "execwire"], cwd=unpacked, check=True, capture_output=True)
    assert (unpacked / "execwire" / "domain" / "task.py").samefile(unpacked / "src" / "domain" / "task.py")
    ignored = [*(ROOT / ".gitignore").read_text(encoding="utf-8").replace("/", "").split(), ".git"]
    for entry in ROOT.iterdir():
        if not any(fnmatch(entry.name, pattern) for pattern in ignored):
            assert (unpacked / entry.name).exists(), entry
