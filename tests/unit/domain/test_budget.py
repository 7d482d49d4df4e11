import pytest

from execwire.domain.budget import Budget


# Hazard 20.
@pytest.mark.parametrize(("wanted", "granted"), [(9, 9), (10, 10), (11, 10), (0, 0)])
def test_budget_grants_at_most_the_free_bytes(wanted: int, granted: int) -> None:
    budget = Budget(10)
    assert budget.reserve(wanted) == granted
    assert budget.free == 10 - granted
    budget.release(granted)
    assert budget.free == 10


def test_what_other_workers_use_is_missing_here() -> None:
    budget = Budget(100)
    assert budget.reserve(30) == 30
    budget.subtract_others(50)
    assert (budget.free, budget.used) == (20, 30)
    # Both may have used what was free, until they heard of it.
    budget.subtract_others(80)
    assert (budget.free, budget.reserve(10)) == (-10, 0)
    budget.release(30)
    budget.subtract_others(0)
    assert (budget.free, budget.used) == (100, 0)
