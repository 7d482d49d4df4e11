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


def room(limit: int) -> int:
    return limit - limit // PART_KEPT - OWN_DESCRIPTORS


def needed(settings: Settings) -> int:
    return settings.max_connections * CLIENT_DESCRIPTORS + settings.max_running * TASK_DESCRIPTORS


@pytest.mark.parametrize("limit", [MIN_DESCRIPTORS, 128, 256, 1024, 4096, 20_000])
@pytest.mark.parametrize(("clients", "tasks"), [(4096, 4096), (1, 4096), (4096, 1), (50, 50)])
def test_clients_and_tasks_fit_into_the_limit_and_none_is_raised(limit: int, clients: int, tasks: int) -> None:
    asked = Settings(max_connections=clients, max_running=tasks)
    fitting = fit(asked, limit)
    assert needed(fitting) <= room(limit)
    assert 1 <= fitting.max_connections <= clients
    assert 1 <= fitting.max_running <= tasks
    if needed(asked) <= room(limit):
        assert fitting == asked
        assert lowered(asked, limit) == {}
    else:
        # And nothing is given away.
        assert needed(fitting) > room(limit) - CLIENT_DESCRIPTORS - TASK_DESCRIPTORS


def test_what_is_lowered_is_said_of_all_workers_together() -> None:
    said = lowered(Settings(workers=4), 128)
    assert (said["max_connections"], said["max_running"]) == (48, 48)
    assert "128 open files" in str(said["lowered"])
