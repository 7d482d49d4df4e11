"""Which task a process belongs to by its marks, and which second marks are in use, with a fake process table."""

import errno

import pytest
from fake_process_table import ProcessTable
from proc import eventually
from structlog.testing import capture_logs
from tree_walks import enrolled

from execwire.adapters.linux.procfs import STRAY
from execwire.adapters.linux.survivors import CLEAN_SCANS
from execwire.adapters.linux.timer_slack import SECOND_MARKS, TimerSlack
from execwire.adapters.subprocess.slices import Slices
from execwire.adapters.subprocess.task_marks import TaskMarks


class Slack(TimerSlack):
    """The second marks of the processes in a table."""

    def __init__(self) -> None:
        super().__init__(50_000)
        self.second_marks: dict[int, int] = {}

    def second_mark(self, pid: int) -> int:
        return self.second_marks.get(pid, 0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProcessTable:
    table = ProcessTable()
    table.install(monkeypatch)
    return table


@pytest.fixture
def slack() -> Slack:
    return Slack()


@pytest.fixture
async def marks(table: ProcessTable, slack: Slack) -> TaskMarks:
    assert table.walks == 0
    return TaskMarks(Slices(), slack)


async def test_process_is_identified_by_its_first_or_its_second_mark(
    table: ProcessTable, slack: Slack, marks: TaskMarks
) -> None:
    first, second = marks.new(), marks.new()
    by_mark, by_second_mark, stray = table.start(mark=first), table.start(), table.start()
    slack.second_marks = {by_mark: second, by_second_mark: second}
    assert [marks.whose(pid) for pid in (by_mark, by_second_mark, stray)] == [first, second, STRAY]


async def test_process_whose_marks_cannot_be_read_is_unknown_and_not_stray(
    table: ProcessTable, marks: TaskMarks
) -> None:
    hidden = table.start()
    table.rows[hidden].hidden = table.rows[hidden].others = True
    assert marks.whose(hidden) is None


async def test_marks_of_another_range_belong_to_another_agent(
    table: ProcessTable, slack: Slack, marks: TaskMarks
) -> None:
    mark = marks.new()
    nested, foreign = table.start(mark=2**50 + mark), table.start(mark=2**50 + mark)
    slack.second_marks = {nested: mark}
    assert [marks.whose(pid) for pid in (nested, foreign)] == [mark, STRAY]


async def test_marks_of_living_processes_and_running_tasks_are_not_reused(
    table: ProcessTable, slack: Slack, marks: TaskMarks
) -> None:
    running, ended, free = marks.new(), marks.new(), marks.new()
    enrolled(table, marks.tree, running)
    below = table.start(table.start())
    slack.second_marks = {below: ended}
    for _ in range(SECOND_MARKS // 2):
        marks.new()
    await eventually(lambda: table.walks == CLEAN_SCANS)
    reused = {marks.new() % SECOND_MARKS for _ in range(SECOND_MARKS // 2 + 5)}
    assert free in reused
    assert {running, ended}.isdisjoint(reused)
    assert marks.whose(below) == ended


async def test_failed_recount_is_logged_and_repeated(table: ProcessTable, marks: TaskMarks) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    for _ in range(SECOND_MARKS // 2):
        marks.new()
    table.before["children", table.me] = refuse
    with capture_logs() as logs:
        await eventually(lambda: bool(logs))
    assert logs[0]["event"] == "cannot look for processes of earlier tasks"
    for _ in range(SECOND_MARKS // 2):
        marks.new()
    await eventually(lambda: marks.new() % SECOND_MARKS != 0)


async def test_nothing_is_counted_without_second_marks(table: ProcessTable) -> None:
    marks = TaskMarks(Slices(), None)
    new_marks = [marks.new() for _ in range(2 * SECOND_MARKS)]
    assert len(set(new_marks)) == len(new_marks)
    assert table.walks == 0
    assert marks.whose(table.start()) == STRAY
