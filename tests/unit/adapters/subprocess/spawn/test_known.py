"""Which programs are started on the event loop, and when one is forgotten."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from execwire.adapters.subprocess.spawn import known as known_module
from execwire.adapters.subprocess.spawn.known import KnownPrograms
from execwire.adapters.subprocess.spawn.start_order import Program

PROGRAM = Program(b"/bin/true", (), (b"/bin/true",))


@pytest.fixture
async def known() -> AsyncIterator[KnownPrograms]:
    known = KnownPrograms()
    yield known
    known.close()


async def test_learned_program_is_known_until_it_is_forgotten(known: KnownPrograms) -> None:
    assert known.get("true") is None
    known.learn("true", PROGRAM)
    assert known.get("true") is PROGRAM
    known.forget("true")
    known.forget("true")
    assert known.get("true") is None


async def test_oldest_program_above_the_maximum_is_forgotten(
    known: KnownPrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_module, "MAX_KNOWN", 3)
    for name in ("a", "b", "c", "c", "a", "d"):
        known.learn(name, PROGRAM)
    assert [name for name in "abcd" if known.get(name)] == ["b", "c", "d"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
async def test_all_programs_are_forgotten_when_a_file_system_is_mounted() -> None:
    # In a separate mount namespace, so that no other process sees the mount.
    program = (
        "import asyncio, subprocess\n"
        "from execwire.adapters.subprocess.spawn.known import KnownPrograms\n"
        "from execwire.adapters.subprocess.spawn.start_order import Program\n"
        "async def main():\n"
        "    known = KnownPrograms()\n"
        "    known.learn('true', Program(b'/bin/true', (), ()))\n"
        "    await asyncio.sleep(0.1)\n"
        "    assert known.get('true')\n"
        "    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], check=True)\n"
        "    async with asyncio.timeout(10):\n"
        "        while known.get('true'):\n"
        "            await asyncio.sleep(0.01)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        "unshare", "--mount", sys.executable, "-c", program, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    if b"unshare failed" in errors:
        pytest.skip("this system does not allow separate mount namespaces")
    assert (process.returncode, errors) == (0, b"")


async def test_no_program_is_known_if_mounts_cannot_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_module, "MOUNTINFO", "/nonexistent/mountinfo")
    known = KnownPrograms()
    known.learn("true", PROGRAM)
    assert known.get("true") is None
    known.close()
