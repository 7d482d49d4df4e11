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
def test_any_text_but_nul_may_be_an_argument(command: tuple[str, ...]) -> None:
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
def test_a_command_that_execve_cannot_take_is_refused_and_its_place_named(command: tuple[str, ...], field: str) -> None:
    with pytest.raises(InvalidTaskError) as refusal:
        TaskRequest(command)
    assert refusal.value.field == field
    assert refusal.value.reason
    assert str(refusal.value) == refusal.value.reason


@pytest.mark.parametrize("timeout_ms", [None, 1, 0.001, 250.5, 1e300])
def test_a_timeout_is_none_or_any_span_above_zero(timeout_ms: float | None) -> None:
    assert TaskRequest(("true",), timeout_ms).timeout_ms == timeout_ms


@pytest.mark.parametrize("timeout_ms", [0, -1, -0.001, math.nan, math.inf, -math.inf])
def test_a_timeout_that_no_timer_can_keep_is_refused(timeout_ms: float) -> None:
    with pytest.raises(InvalidTaskError) as refusal:
        TaskRequest(("true",), timeout_ms)
    assert refusal.value.field == "timeout"


def test_an_invalid_task_is_a_value_error_for_those_who_do_not_know_it() -> None:
    assert issubclass(InvalidTaskError, ValueError)


def test_a_request_does_not_change_once_it_is_made() -> None:
    request = TaskRequest(("true",))
    with pytest.raises(FrozenInstanceError):
        request.timeout_ms = 5.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("exit_code", [0, 1, 255, 128 + 64])
def test_a_result_with_an_exit_code_needs_no_error(exit_code: int) -> None:
    assert a_result(exit_code=exit_code).exit_code == exit_code


def test_a_result_may_have_no_exit_code_where_it_says_why() -> None:
    assert a_result(exit_code=-1, error="timeout exceeded").error == "timeout exceeded"


def test_a_result_without_an_exit_code_that_does_not_say_why_cannot_be() -> None:
    with pytest.raises(ValueError, match="exit code -1"):
        a_result(exit_code=-1)


def test_an_exit_code_below_minus_one_cannot_be() -> None:
    with pytest.raises(ValueError, match="exit code -9"):
        a_result(exit_code=-9, error="terminated by signal SIGKILL")


@pytest.mark.parametrize(("executed_at", "duration_ms"), [(-1, 0.0), (0, -0.001), (0, math.nan)])
def test_a_result_whose_times_run_backwards_cannot_be(executed_at: int, duration_ms: float) -> None:
    with pytest.raises(ValueError, match="executed at"):
        a_result(executed_at=executed_at, duration_ms=duration_ms)
