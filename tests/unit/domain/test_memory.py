from execwire.domain.memory import LEAST_SHARE_BYTES, MemoryBudget, MemoryHolder

MIB = 1024 * 1024


class Holders:
    """Several holders of one budget; `pressed` has the numbers of those whose `on_pressure` was called."""

    def __init__(self, total: int, count: int) -> None:
        self.budget = MemoryBudget(total)
        self.pressed: list[int] = []
        self.holders = [
            MemoryHolder(self.budget, lambda number=number: self.pressed.append(number))  # type: ignore[misc]
            for number in range(count)
        ]


def test_half_of_the_budget_is_common_and_the_other_half_is_shares() -> None:
    held = Holders(100 * MIB, 10)
    assert (held.budget.free, held.budget.share) == (50 * MIB, 5 * MIB)
    held.holders[0].close()
    assert held.budget.share == 50 * MIB // 9


def test_share_has_a_lower_limit() -> None:
    assert Holders(MIB, 100).budget.share == LEAST_SHARE_BYTES


def test_holders_above_their_share_wait_when_the_budget_is_used_up() -> None:
    held = Holders(100 * MIB, 10)
    much, little = held.holders[:2]
    much.charge(49 * MIB)
    assert not much.must_wait
    little.charge(2 * MIB)
    assert (much.must_wait, little.must_wait) == (True, False)
    much.charge(-45 * MIB)
    assert not much.must_wait


def test_reserve_grants_the_free_bytes_and_presses_holders_above_their_share() -> None:
    held = Holders(100 * MIB, 10)
    held.holders[3].charge(40 * MIB)
    assert held.budget.reserve(10 * MIB) == 10 * MIB
    assert held.pressed == []
    assert held.budget.reserve(1) == 0
    assert held.pressed == [3]
    held.holders[3].charge(20 * MIB)
    assert held.budget.reserve(1) == 0


def test_waiting_callback_is_called_once_when_bytes_are_free() -> None:
    held = Holders(100 * MIB, 2)
    called: list[str] = []
    held.holders[0].charge(60 * MIB)
    first, second = (lambda: called.append("first")), (lambda: called.append("second"))
    for callback in (first, second):
        held.budget.wait(callback)
    held.budget.forget(second)
    held.holders[0].charge(-5 * MIB)
    assert called == []
    held.holders[0].charge(-10 * MIB)
    held.holders[0].charge(-10 * MIB)
    assert called == ["first"]


def test_one_caller_at_a_time_exceeds_the_budget_and_then_the_first_waiting_one_is_called() -> None:
    held = Holders(100 * MIB, 2)
    held.holders[0].charge(60 * MIB)
    called: list[str] = []
    through = False
    assert held.budget.let_past(lambda: through)
    assert not held.budget.let_past(lambda: True)
    for name in ("first", "second"):
        held.budget.wait(lambda name=name: called.append(name))  # type: ignore[misc]
    held.budget.wake()
    assert called == []
    through = True
    held.holders[0].charge(-MIB)
    assert called == ["first"]
    assert held.budget.let_past(lambda: True)


def test_what_other_workers_use_is_missing_here_and_their_holders_have_shares_too() -> None:
    held = Holders(100 * MIB, 5)
    held.holders[0].charge(10 * MIB)
    held.budget.subtract_others(30 * MIB, holders=5)
    assert (held.budget.free, held.budget.share) == (10 * MIB, 5 * MIB)
    assert (held.budget.used, held.budget.holders) == (10 * MIB, 5)
    held.budget.subtract_others(0)
    assert (held.budget.free, held.budget.share) == (40 * MIB, 10 * MIB)


def test_waiting_callbacks_are_called_when_other_workers_release_memory() -> None:
    held, called = Holders(100 * MIB, 2), list[str]()
    held.budget.subtract_others(60 * MIB, holders=2)
    held.budget.wait(lambda: called.append("now"))
    held.budget.subtract_others(55 * MIB, holders=2)
    assert called == []
    held.budget.subtract_others(20 * MIB, holders=2)
    assert called == ["now"]


def test_holders_of_much_are_asked_to_release_memory_that_other_workers_need() -> None:
    held = Holders(100 * MIB, 2)
    held.holders[0].charge(40 * MIB)
    held.budget.subtract_others(5 * MIB, holders=2)
    assert held.pressed == []
    held.budget.subtract_others(10 * MIB, holders=2)
    assert held.pressed == [0]
