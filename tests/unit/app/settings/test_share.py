import dataclasses

import pytest

from execwire.app.settings.model import Settings, per_worker

TOTALS = ("max_connections", "max_running", "max_queued", "max_spool", "max_memory")


def test_single_worker_gets_the_totals() -> None:
    settings = Settings()
    assert per_worker(settings) == settings


@pytest.mark.parametrize("workers", [2, 3, 7])
def test_totals_are_divided_and_rounded_up(workers: int) -> None:
    settings = Settings(workers=workers, max_running=10, max_queued=100, max_spool=1000, max_memory=7)
    part = per_worker(settings)
    for name in TOTALS:
        total = getattr(settings, name)
        assert total <= getattr(part, name) * workers < total + workers, name


def test_each_worker_gets_at_least_one() -> None:
    part = per_worker(Settings(workers=8, max_running=1, max_connections=3))
    assert (part.max_running, part.max_connections) == (1, 1)


def test_zero_is_divided_into_zeros() -> None:
    part = per_worker(Settings(workers=4, max_queued=0, max_spool=0, max_memory=0))
    assert (part.max_queued, part.max_spool, part.max_memory) == (0, 0, 0)


def test_limits_of_one_task_or_connection_are_not_divided() -> None:
    settings = Settings(workers=4)
    part = per_worker(settings)
    for setting in dataclasses.fields(Settings):
        if setting.name not in TOTALS:
            assert getattr(part, setting.name) == getattr(settings, setting.name), setting.name
