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
