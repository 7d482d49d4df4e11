"""Failure injection: raises an error in place of any call made by the code of one package."""

import inspect
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

NEVER_FAIL = frozenset({"close", "cancel", "isinstance", "unregister", "discard", "clear", "done", "get", "pop"})
"""Functions that allocate no memory; most of them release resources."""


_SUSPENDABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
"""Code whose frames exist when they are resumed: resuming takes no memory, unlike the first call."""


class Injection:
    """Raises `error` at call number `number` of the code below `folder`; `steps` counts its calls."""

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
    """Activate the injection within the context, in this thread."""
    sys.setprofile(injection.profile)
    try:
        yield injection
    finally:
        sys.setprofile(None)
