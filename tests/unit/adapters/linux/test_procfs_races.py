import errno
import os

import pytest

from execwire.adapters.linux import procfs

DISCONNECTED = 2**22 + 1


class Opened:
    """Replaces os.open and os.read: the file can be opened, and reading it fails with `error`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
        self.descriptor = -1
        self._open, self._error = os.open, error
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(os, "read", self.read)

    def open(self, path: str, flags: int) -> int:
        assert path == f"/proc/{DISCONNECTED}/stat"
        self.descriptor = self._open(os.devnull, flags)
        return self.descriptor

    def read(self, descriptor: int, _: int) -> bytes:
        assert descriptor == self.descriptor
        raise self._error

    @property
    def closed(self) -> bool:
        try:
            os.fstat(self.descriptor)
        except OSError:
            return True
        return False


@pytest.mark.parametrize("error", [ProcessLookupError(), PermissionError(), FileNotFoundError()])
def test_process_that_exits_or_hides_between_open_and_read_is_not_visible(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    opened = Opened(monkeypatch, error)
    assert procfs.stat(DISCONNECTED) is None
    assert opened.closed


# Hazard 15.
def test_read_failure_does_not_mean_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened(monkeypatch, OSError(errno.ENOMEM, "Cannot allocate memory"))
    with pytest.raises(OSError, match="Cannot allocate memory"):
        procfs.stat(DISCONNECTED)
    assert opened.closed
