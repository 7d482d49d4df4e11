"""Commands that cannot be started: an ordinary result with the error of the system and the name of the file."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import Agent, running_agent
from module_agent import module_agent
from programs import made, written_to


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with module_agent("--max-line", "8MiB") as agent:
        yield agent


def reason_of(result: dict[str, Any]) -> str:
    """Return the error; check that the rest of the result is that of a task that never ran."""
    assert (result["exit_code"], result["output"]) == (-1, "")
    reason: str = result["error"]
    return reason


async def test_path_that_does_not_exist(agent: Agent, tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    assert reason_of(await agent.run(path)) == f"cannot start {path}: No such file or directory"


async def test_name_that_is_not_in_path_variable(agent: Agent) -> None:
    reason = reason_of(await agent.run("no-such-command"))
    assert reason == "cannot start no-such-command: No such file or directory in PATH"


async def test_path_through_non_directory(agent: Agent) -> None:
    reason = reason_of(await agent.run("/dev/null/program"))
    assert reason == "cannot start /dev/null/program: Not a directory"


async def test_file_without_execute_permission(agent: Agent, tmp_path: Path) -> None:
    path = made(tmp_path / "script", "#!/bin/sh\n", stat.S_IRUSR | stat.S_IWUSR)
    assert reason_of(await agent.run(path)) == f"cannot start {path}: Permission denied"


async def test_path_that_is_a_directory(agent: Agent, tmp_path: Path) -> None:
    reason = reason_of(await agent.run(str(tmp_path)))
    assert reason == f"cannot start {tmp_path}: Permission denied (it is a directory)"


async def test_file_that_is_neither_program_nor_script(agent: Agent, tmp_path: Path) -> None:
    path = made(tmp_path / "text", "echo not run by any shell\n")
    reason = reason_of(await agent.run(path))
    assert reason.startswith(f"cannot start {path}: Exec format error (")


async def test_missing_script_interpreter_is_named(agent: Agent, tmp_path: Path) -> None:
    path = made(tmp_path / "script", "#! /no/such/interpreter -x\n")
    reason = reason_of(await agent.run(path))
    assert reason == f"cannot start {path}: bad interpreter: /no/such/interpreter: No such file or directory"


async def test_arguments_too_long_in_total(agent: Agent) -> None:
    result = await agent.run("/bin/echo", *["x" * 100_000] * 40)
    assert reason_of(result).startswith("cannot start /bin/echo: Argument list too long (")
    assert len(result["command"]) == 41


async def test_single_argument_too_long(agent: Agent) -> None:
    result = await agent.run("/bin/echo", "x" * 2_000_000)
    assert reason_of(result).startswith("cannot start /bin/echo: Argument list too long (")


async def test_failed_start_is_quick_and_timestamped_and_next_task_runs(agent: Agent) -> None:
    async with await agent.connect() as client:
        result = await client.ask(command=["/no/such/file"], id="first")
        assert result["executed_at"] > 1_700_000_000
        assert 0 <= result["duration_ms"] < 5000
        assert list(result)[-1] == "id"
        assert (await client.ask(command=["echo", "next"]))["output"] == "next\n"


async def test_name_is_looked_up_like_execvp(tmp_path: Path) -> None:
    closed, folder, first, second = (tmp_path / name for name in ("closed", "folder", "first", "second"))
    made(closed / "tool", "#!/bin/sh\n", stat.S_IRUSR)
    made(closed / "only", "#!/bin/sh\n", stat.S_IRUSR)
    made(folder / "tool" / "anything", "")
    made(first / "tool", "#!/bin/sh\necho first\n")
    made(second / "tool", "#!/bin/sh\necho second\n")
    search_path = ":".join(map(str, (tmp_path / "absent", closed, folder, first, second)))
    async with running_agent(environment={"PATH": search_path}) as agent:
        assert (await agent.run("tool"))["output"] == "first\n"
        # No later directory has the program, so the error names the file without permission.
        assert reason_of(await agent.run("only")) == f"cannot start {closed / 'only'}: Permission denied"


# Hazard 16: a program that has just been written may still be open for writing in another process forked meanwhile.
async def test_file_open_for_writing_is_started_after_close(agent: Agent, tmp_path: Path) -> None:
    path = made(tmp_path / "program", "#!/bin/sh\necho started\n")
    async with await agent.connect() as client:
        with written_to(path):
            await client.request(command=[path])
            # A later request has a result, so the program was tried.
            assert (await client.ask(command=["true"], id="after it"))["id"] == "after it"
        assert (await client.result())["output"] == "started\n"


async def test_file_that_stays_open_for_writing_is_reported(agent: Agent, tmp_path: Path) -> None:
    path = made(tmp_path / "program", "#!/bin/sh\necho started\n")
    with written_to(path):
        assert "Text file busy" in reason_of(await agent.run(str(path)))


# Hazard 16 in practice: every task writes a program and starts it while all others are being forked.
async def test_programs_that_tasks_write_and_start_immediately_all_start(agent: Agent, tmp_path: Path) -> None:
    async with await agent.connect() as client:
        for number in range(100):
            path = tmp_path / f"program-{number}"
            write = f"cp /bin/true {path}"
            await client.request(command=["sh", "-c", write])
            await client.request(command=["sh", "-c", f"{write}.again && exec {path}.again"])
        results = [await client.result() for _ in range(200)]
        assert {(result["exit_code"], result["error"]) for result in results} == {(0, "")}
        for number in range(100):
            await client.request(command=[str(tmp_path / f"program-{number}")])
        results = [await client.result() for _ in range(100)]
    assert {(result["exit_code"], result["error"]) for result in results} == {(0, "")}
