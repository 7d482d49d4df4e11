import pytest

from execwire.app.settings.descriptors import (
    CLIENT_DESCRIPTORS,
    MIN_DESCRIPTORS,
    OWN_DESCRIPTORS,
    PART_KEPT,
    TASK_DESCRIPTORS,
    fit,
    lowered,
)
from execwire.app.settings.model import Settings


def available(limit: int) -> int:
    return limit - limit // PART_KEPT - OWN_DESCRIPTORS


def needed(settings: Settings) -> int:
    return settings.max_connections * CLIENT_DESCRIPTORS + settings.max_running * TASK_DESCRIPTORS


@pytest.mark.parametrize("limit", [MIN_DESCRIPTORS, 128, 256, 1024, 4096, 20_000])
@pytest.mark.parametrize(("clients", "tasks"), [(4096, 4096), (1, 4096), (4096, 1), (50, 50)])
def test_limits_fit_into_the_open_files_and_are_never_raised(limit: int, clients: int, tasks: int) -> None:
    configured = Settings(max_connections=clients, max_running=tasks)
    fitting = fit(configured, limit)
    assert needed(fitting) <= available(limit)
    assert 1 <= fitting.max_connections <= clients
    assert 1 <= fitting.max_running <= tasks
    if needed(configured) <= available(limit):
        assert fitting == configured
        assert lowered(configured, limit) == {}
    else:
        # The limits are not lower than necessary.
        assert needed(fitting) > available(limit) - CLIENT_DESCRIPTORS - TASK_DESCRIPTORS


def test_lowered_limits_are_reported_with_the_reason() -> None:
    # Of one worker, which may get all connections and tasks of the agent.
    fields = lowered(Settings(workers=4), 128)
    assert (fields["max_connections"], fields["max_running"]) == (12, 12)
    assert "128 open files" in str(fields["lowered"])
