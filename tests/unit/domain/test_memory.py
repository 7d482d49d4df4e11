from execwire.domain.memory import LEAST_SHARE_BYTES, MemoryBudget, MemoryHolder

MIB = 1024 * 1024


class Holders:
    """Several holders of one budget; who was asked to hold less is noted."""

    def __init__(self, total: int, count: int) -> None:
        self.budget = MemoryBudget(total)
        self.asked: list[int] = []
        self.holders = [
            MemoryHolder(self.budget, lambda number=number: self.asked.append(number))  # type: ignore[misc]
            for number in range(count)
        ]


def test_half_of_it_is_common_and_the_other_half_is_shares() -> None:
    held = Holders(100 * MIB, 10)
    assert (held.budget.free, held.budget.share) == (50 * MIB, 5 * MIB)
    held.holders[0].close()
    assert held.budget.share == 50 * MIB // 9


def test_a_share_is_never_less_than_a_client_needs() -> None:
    assert Holders(MIB, 100).budget.share == LEAST_SHARE_BYTES


def test_only_when_it_is_used_up_and_only_those_with_more_than_their_share_have_to_wait() -> None:
    held = Holders(100 * MIB, 10)
    much, little = held.holders[:2]
    much.charge(49 * MIB)
    assert not much.must_wait
    little.charge(2 * MIB)
    assert (much.must_wait, little.must_wait) == (True, False)
    much.charge(-45 * MIB)
    assert not much.must_wait


def test_what_is_claimed_is_what_is_free_and_those_with_too_much_are_asked_for_the_rest() -> None:
    held = Holders(100 * MIB, 10)
    held.holders[3].charge(40 * MIB)
    assert held.budget.reserve(10 * MIB) == 10 * MIB
    assert held.asked == []
    assert held.budget.reserve(1) == 0
    assert held.asked == [3]
    held.holders[3].charge(20 * MIB)
    assert held.budget.reserve(1) == 0


def test_who_waits_is_called_once_when_something_is_free() -> None:
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


def test_one_at_a_time_is_let_past_and_when_that_one_is_through_the_first_who_waits_is_called() -> None:
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
