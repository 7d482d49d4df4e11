import ctypes
import errno
from types import SimpleNamespace

import pytest

from execwire.adapters.linux.subreaper import become_subreaper


@pytest.mark.parametrize("result", [0, -1])
def test_kernel_without_subreapers_is_an_error(monkeypatch: pytest.MonkeyPatch, result: int) -> None:
    calls: list[tuple[int, ...]] = []

    def prctl(*arguments: int) -> int:
        calls.append(arguments)
        ctypes.set_errno(errno.EINVAL)
        return result

    def load(name: object, *, use_errno: bool) -> SimpleNamespace:
        assert (name, use_errno) == (None, True)
        return SimpleNamespace(prctl=prctl)

    monkeypatch.setattr(ctypes, "CDLL", load)
    if result:
        with pytest.raises(OSError) as error:  # noqa: PT011 -- errno is checked below
            become_subreaper()
        assert error.value.errno == errno.EINVAL
    else:
        become_subreaper()
    assert calls == [(36, 1, 0, 0, 0)]
