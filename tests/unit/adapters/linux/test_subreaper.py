import ctypes
import errno
from types import SimpleNamespace

import pytest

from execwire.adapters.linux.subreaper import become_subreaper


@pytest.mark.parametrize("answer", [0, -1])
def test_a_kernel_that_knows_no_subreapers_is_an_error(monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    asked: list[tuple[int, ...]] = []

    def prctl(*arguments: int) -> int:
        asked.append(arguments)
        ctypes.set_errno(errno.EINVAL)
        return answer

    def load(name: object, *, use_errno: bool) -> SimpleNamespace:
        assert (name, use_errno) == (None, True)
        return SimpleNamespace(prctl=prctl)

    monkeypatch.setattr(ctypes, "CDLL", load)
    if answer:
        with pytest.raises(OSError) as error:  # noqa: PT011 -- the number is looked at below
            become_subreaper()
        assert error.value.errno == errno.EINVAL
    else:
        become_subreaper()
    assert asked == [(36, 1, 0, 0, 0)]
