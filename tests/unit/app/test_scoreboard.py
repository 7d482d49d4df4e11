import os
import warnings

from execwire.app.scoreboard import CLIENTS, RUNNING, Scoreboard


def test_number_outlives_the_process_that_wrote_it() -> None:
    scoreboard = Scoreboard(2)
    first, second = scoreboard.claim(), scoreboard.claim()
    with warnings.catch_warnings():
        # Other tests may have left threads running; the child does nothing that needs one.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        scoreboard.mine[RUNNING] += 7
        scoreboard.mine[CLIENTS] = 3
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert scoreboard.release(second) == (7, 3)
    assert scoreboard.release(first) == (0, 0)


def test_row_is_cleared_when_it_is_claimed_again() -> None:
    scoreboard = Scoreboard(1)
    row = scoreboard.claim()
    scoreboard.mine[RUNNING] = 5
    assert scoreboard.release(row) == (5, 0)
    assert scoreboard.release(scoreboard.claim()) == (0, 0)
