import math
from dataclasses import FrozenInstanceError

import pytest

from execwire.domain.output import NO_OUTPUT
from execwire.domain.task import InvalidTaskError, TaskRequest, TaskResult

NUL = "a\0b"
SURROGATE = "a\udc80b"


def a_result(*, executed_at: int = 0, duration_ms: float = 0.0, exit_code: int = 0, error: str = "") -> TaskResult:
    return TaskResult(("true",), executed_at, duration_ms, exit_code, NO_OUTPUT, error)


@pytest.mark.parametrize("command", [("true",), ("/bin/echo", ""), ("printf", "ü\U0001f600\n\t\x01"), ("a b", "-c")])
def test_argument_is_any_text_without_nul(command: tuple[str, ...]) -> None:
    assert TaskRequest(command).command == command


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ((), "command"),
        (("",), "command[0]"),
        (("", "x"), "command[0]"),
        ((NUL,), "command[0]"),
        (("echo", "x", NUL), "command[2]"),
        ((SURROGATE,), "command[0]"),
        (("echo", SURROGATE), "command[1]"),
        (("echo", "\ud83d"), "command[1]"),
    ],
)
def test_command_that_execve_cannot_take_is_rejected_with_its_path(command: tuple[str, ...], field: str) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        TaskRequest(command)
    assert caught.value.field == field
    assert caught.value.reason
    assert str(caught.value) == caught.value.reason


@pytest.mark.parametrize("timeout_ms", [None, 1, 0.001, 250.5, 1e300])
def test_timeout_is_none_or_any_duration_above_zero(timeout_ms: float | None) -> None:
    assert TaskRequest(("true",), timeout_ms).timeout_ms == timeout_ms


@pytest.mark.parametrize("timeout_ms", [0, -1, -0.001, math.nan, math.inf, -math.inf])
def test_timeout_that_no_timer_can_take_is_rejected(timeout_ms: float) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        TaskRequest(("true",), timeout_ms)
    assert caught.value.field == "timeout"


def test_invalid_task_error_is_a_value_error() -> None:
    assert issubclass(InvalidTaskError, ValueError)


def test_task_request_is_immutable() -> None:
    request = TaskRequest(("true",))
    with pytest.raises(FrozenInstanceError):
        request.timeout_ms = 5.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("exit_code", [0, 1, 255, 128 + 64])
def test_result_with_an_exit_code_needs_no_error(exit_code: int) -> None:
    assert a_result(exit_code=exit_code).exit_code == exit_code


def test_result_without_an_exit_code_may_have_an_error() -> None:
    assert a_result(exit_code=-1, error="timeout exceeded").error == "timeout exceeded"


def test_result_without_an_exit_code_and_without_an_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="exit code -1"):
        a_result(exit_code=-1)


def test_exit_code_below_minus_one_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="exit code -9"):
        a_result(exit_code=-9, error="terminated by signal SIGKILL")


@pytest.mark.parametrize(("executed_at", "duration_ms"), [(-1, 0.0), (0, -0.001), (0, math.nan)])
def test_result_with_negative_times_is_a_value_error(executed_at: int, duration_ms: float) -> None:
    with pytest.raises(ValueError, match="executed at"):
        a_result(executed_at=executed_at, duration_ms=duration_ms)
