"""What domain/control.py promises of a task that is ended early, asked of every TaskExecutor that there is."""

import asyncio

import pytest
from executing import cancelled, executing, text_of
from phrasebook import Phrasebook
from proc import eventually
from turns import past, settle

from execwire.domain.control import TaskControl
from execwire.domain.outcome import Cancelled, Exited, Outcome, Refused, TimedOut
from execwire.domain.task import TaskRequest

LONG = 60.0
SHORT = 0.1
BOUND_SECONDS = 15.0
BEING_STOPPED = Refused("the agent is stopping")


class Stopped:
    """A task that runs, and its control."""

    def __init__(self, book: Phrasebook, command: tuple[str, ...]) -> None:
        self.control = TaskControl()
        self.task = executing(book, command, self.control)

    async def outcome(self) -> tuple[Outcome, bytes]:
        async with asyncio.timeout(BOUND_SECONDS):
            execution = await self.task
        return execution.outcome, await text_of(execution.output)


async def running(book: Phrasebook, command: tuple[str, ...], name: str) -> Stopped:
    stopped = Stopped(book, command)
    await eventually(lambda: book.is_settled(name))
    return stopped


@pytest.mark.parametrize("verdict", [Cancelled(), TimedOut()])
async def test_a_stopped_task_ends_with_the_verdict_and_what_it_wrote(
    book: Phrasebook, name: str, verdict: Outcome
) -> None:
    before = book.what_is_open()
    stopped = await running(book, book.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(verdict)
    assert await stopped.outcome() == (verdict, b"until then")
    assert not book.runs(name)
    assert book.what_is_open() == before


async def test_a_refusal_has_no_output(book: Phrasebook, name: str) -> None:
    before = book.what_is_open()
    stopped = await running(book, book.writes_much_and_runs_for_ever(1_500_000, name), name)
    stopped.control.stop(BEING_STOPPED)
    assert await stopped.outcome() == (BEING_STOPPED, b"")
    await eventually(lambda: book.what_is_open() == before)


async def test_nothing_of_a_family_is_left_when_the_answer_comes(book: Phrasebook, name: str) -> None:
    stopped = await running(book, book.is_a_large_family(name), name)
    stopped.control.stop(Cancelled())
    assert (await stopped.outcome())[0] == Cancelled()
    assert not book.runs(name)


async def test_what_was_stopped_before_it_came_is_not_started(book: Phrasebook, name: str) -> None:
    control = TaskControl()
    control.stop(BEING_STOPPED)
    control.stop(Cancelled())
    execution = await book.executor.execute(TaskRequest(book.writes("text")), control)
    assert (execution.outcome, execution.output.size) == (BEING_STOPPED, 0)
    assert not book.runs(name)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("grace", [0.0, LONG])
async def test_stopping_at_once_leaves_nothing_either(book: Phrasebook, name: str, turns: int, grace: float) -> None:
    before = book.what_is_open()
    stopped = Stopped(book, book.runs_for_ever(name))
    await settle(turns)
    stopped.control.stop(Cancelled(), grace)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not book.runs(name)
    assert book.what_is_open() == before


async def test_stopping_what_ends_by_itself_gives_one_of_the_two_and_loses_nothing(book: Phrasebook) -> None:
    before = book.what_is_open()
    for turns in range(20):
        stopped = Stopped(book, book.writes("text"))
        await settle(turns * 20)
        stopped.control.stop(Cancelled())
        outcome, text = await stopped.outcome()
        assert outcome == Cancelled() or (outcome, text) == (Exited(0), b"text")
    assert book.what_is_open() == before


async def test_a_task_that_has_ended_is_not_stopped_any_more(book: Phrasebook) -> None:
    stopped = Stopped(book, book.writes("text"))
    assert await stopped.outcome() == (Exited(0), b"text")
    stopped.control.stop(Cancelled(), LONG)
    stopped.control.stop(Cancelled())


async def test_who_obeys_has_no_need_of_its_grace(book: Phrasebook, name: str) -> None:
    stopped = await running(book, book.writes_and_runs_for_ever("until then", name), name)
    stopped.control.stop(Cancelled(), LONG)
    assert await stopped.outcome() == (Cancelled(), b"until then")


async def test_who_does_not_obey_is_killed_when_its_grace_is_over_and_not_before(book: Phrasebook, name: str) -> None:
    stopped = await running(book, book.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), 3 * SHORT)
    await past(SHORT)
    assert book.runs(name)
    assert await stopped.outcome() == (Cancelled(), b"")
    assert not book.runs(name)


async def test_the_leaders_end_alone_does_not_end_a_grace(book: Phrasebook, name: str) -> None:
    stopped = await running(book, book.has_a_child_that_says_goodbye("goodbye", name), name)
    stopped.control.stop(TimedOut(), LONG)
    assert await stopped.outcome() == (TimedOut(), b"goodbye")


@pytest.mark.parametrize(("first", "second"), [(LONG, 0.0), (LONG, SHORT), (SHORT, LONG)])
async def test_the_first_verdict_and_the_shortest_grace_count(
    book: Phrasebook, name: str, first: float, second: float
) -> None:
    stopped = await running(book, book.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), first)
    stopped.control.stop(TimedOut(), second)
    assert (await stopped.outcome())[0] == Cancelled()
    assert not book.runs(name)


async def test_a_timeout_ends_a_grace_and_changes_no_verdict(book: Phrasebook, name: str) -> None:
    control = TaskControl()
    task = asyncio.create_task(book.executor.execute(TaskRequest(book.ignores_sigterm(name), 1500), control))
    await eventually(lambda: book.is_settled(name))
    control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        assert (await task).outcome == Cancelled()


async def test_cancelling_what_is_given_a_grace_kills_it(book: Phrasebook, name: str) -> None:
    stopped = await running(book, book.ignores_sigterm(name), name)
    stopped.control.stop(Cancelled(), LONG)
    async with asyncio.timeout(BOUND_SECONDS):
        await cancelled(stopped.task)
    assert not book.runs(name)
