from agent import running_agent


async def test_command_runs_and_returns_result() -> None:
    async with running_agent() as agent:
        result = await agent.run("/bin/echo", "hi", timeout=5000)
        assert list(result) == ["command", "executed_at", "duration_ms", "exit_code", "output", "error"]
        assert (result["exit_code"], result["output"], result["error"]) == (0, "hi\n", "")
