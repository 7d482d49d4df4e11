"""What a running worker has imported: optional parts cost nobody who does not use them."""

import asyncio
import os
import sys
from pathlib import Path

from agent import running_agent
from programs import made

PACKAGES = {"dependency_injector", "execwire", "msgspec", "sitecustomize", "structlog", "typing_extensions", "uvloop"}
NOT_NEEDED = {"curses", "http", "multiprocessing", "sqlite3", "tkinter", "unittest", "xmlrpc"}
"""Of the standard library."""
TELL = """
import os, sys, threading
sys.modules["rich"] = None
def tell():
    with open(os.environ["TELL"], "w") as fifo:
        fifo.write(" ".join(name for name, module in sys.modules.items() if module is not None))
os.register_at_fork(after_in_child=lambda: threading.Thread(target=tell, daemon=True).start())
"""
"""Each worker says what it has imported to whoever opens that FIFO. structlog imports rich where that is, as it
is beside the tools of development; here it is not."""


async def test_running_worker_imports_no_optional_modules(tmp_path: Path) -> None:
    made(tmp_path / "sitecustomize.py", TELL)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    environment = {"PYTHONPATH": str(tmp_path), "TELL": str(fifo)}
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
