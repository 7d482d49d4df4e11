"""Files that tests create for tasks."""

import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def made(path: Path, content: str | bytes, mode: int = stat.S_IRWXU) -> str:
    """Write a file and create its directories; return its path as a string."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return str(path)


@contextmanager
def written_to(path: str) -> Generator[None]:
    """Hold a file open for writing."""
    with Path(path).open("ab"):
        yield
