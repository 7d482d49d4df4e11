"""Failures at every step: where the code of one package is about to call something, as memory may run out there."""

import inspect
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

NEVER_FAIL = frozenset({"close", "cancel", "isinstance", "unregister", "discard", "clear", "done", "get", "pop"})
"""What allocates nothing; mostly what others are given back by."""


_SUSPENDABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
"""Code whose frames are there already when they are gone on with: that takes no memory, unlike their beginning."""


class Injection:
    """Raises `error` at the `number`th call that the code below `folder` makes; `steps` are all that it made."""

    def __init__(self, folder: str, number: int, error: Exception) -> None:
        self.steps = 0
        self.where = ""
        self._folder = folder
        self._number = number
        self._error = error

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call":
            caller, name = frame, getattr(argument, "__name__", "")
        elif event == "call" and frame.f_back is not None:
            caller, name = frame.f_back, frame.f_code.co_name
        else:
            return
        if event == "call" and frame.f_code.co_flags & _SUSPENDABLE and frame.f_lineno != frame.f_code.co_firstlineno:
            return
        if not caller.f_code.co_filename.startswith(self._folder) or name in NEVER_FAIL:
            return
        self.steps += 1
        if self.steps == self._number:
            self.where = f"{caller.f_code.co_qualname}:{caller.f_lineno} calls {name}"
            raise self._error


@contextmanager
def injected(injection: Injection) -> Generator[Injection]:
    """Have it raise within the block, in this thread."""
    sys.setprofile(injection.profile)
    try:
        yield injection
    finally:
        sys.setprofile(None)
