"""Which modules a running worker has imported: unused optional parts are not loaded."""

import asyncio
import os
import sys
from pathlib import Path

from agent import running_agent
from programs import made

PACKAGES = {"dependency_injector", "execwire", "msgspec", "sitecustomize", "structlog", "typing_extensions", "uvloop"}
NOT_NEEDED = {"curses", "http", "multiprocessing", "sqlite3", "tkinter", "unittest", "xmlrpc"}
"""Modules of the standard library."""
REPORT_MODULES = """
import os, sys, threading
sys.modules["rich"] = None
def report():
    with open(os.environ["MODULES_FIFO"], "w") as fifo:
        fifo.write(" ".join(name for name, module in sys.modules.items() if module is not None))
os.register_at_fork(after_in_child=lambda: threading.Thread(target=report, daemon=True).start())
"""
"""Each worker writes the names of its modules to a FIFO when a reader opens it. structlog imports rich if installed,
as it is with the development tools; here the import is blocked."""


async def test_running_worker_imports_no_optional_modules(tmp_path: Path) -> None:
    made(tmp_path / "sitecustomize.py", REPORT_MODULES)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    environment = {"PYTHONPATH": str(tmp_path), "MODULES_FIFO": str(fifo)}
    async with running_agent("--workers", "1", environment=environment) as agent:
        assert (await agent.run("echo", "text"))["output"] == "text\n"
        modules = set((await asyncio.to_thread(fifo.read_text)).split())
    packages = {name.partition(".")[0] for name in modules}
    assert "execwire.adapters.subprocess.executor" in modules
    foreign = {
        name for name in packages if name not in sys.stdlib_module_names and not name.startswith(("_", "cython"))
    }
    assert foreign <= PACKAGES
    assert packages & NOT_NEEDED == set()
    assert "execwire.testing" not in modules
