import asyncio
import dataclasses
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from agent import running_agent

from execwire import __version__
from execwire.app.settings.model import Settings


async def execwire(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int | None, str, str]:
    """Run the program to its end; return its exit status and what it wrote to stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "execwire", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_version_and_help_are_printed_on_stdout() -> None:
    version, top, serve = await asyncio.gather(execwire("--version"), execwire("--help"), execwire("serve", "--help"))
    assert version == (0, f"execwire {__version__}\n", "")
    assert (top[0], top[2], "serve" in top[1]) == (0, "", True)
    assert (serve[0], serve[2]) == (0, "")
    for setting in dataclasses.fields(Settings):
        assert f"  --{setting.name.replace('_', '-')}" in serve[1]


async def test_configuration_errors_are_one_line_and_status_2(tmp_path: Path) -> None:
    config = tmp_path / "execwire.toml"
    config.write_text("max_runing = 5\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        wrong = {
            ("--port", port): f"cannot listen on 127.0.0.1:{port}: it is taken by pid {os.getpid()}",
            ("--port", "http"): "--port is 'http'",
            ("--max-runing", "5"): "the nearest known one is --max-running",
            ("--config", str(config)): f"unknown setting max_runing in {config}; the nearest known one is max_running",
            ("--config", str(tmp_path)): f"cannot read {tmp_path}: Is a directory",
            ("--host", "0.0.0.0"): "--insecure-bind",  # noqa: S104 -- to be refused
            ("--unix", str(tmp_path / "missing" / "socket"), "--port", "0"): "No such file or directory",
            ("--allow-user", "nobody-of-that-name"): "this machine has no such user",
        }
        ends = await asyncio.gather(*(execwire("serve", *arguments) for arguments in wrong))
    for (status, output, errors), text in zip(ends, wrong.values(), strict=True):
        assert (status, output) == (2, "")
        assert errors.startswith("execwire: ")
        assert (errors.count("\n"), errors[-1]) == (1, "\n")
        assert text in errors
        assert "Traceback" not in errors


async def test_command_line_overrides_environment_overrides_file(tmp_path: Path) -> None:
    config = tmp_path / "execwire.toml"
    config.write_text('max_line = "1000"\n')
    file, environment = {"EXECWIRE_CONFIG": str(config)}, {"EXECWIRE_MAX_LINE": "2000"}
    async with AsyncExitStack() as stack:
        agents = [
            await stack.enter_async_context(running_agent(environment=file)),
            await stack.enter_async_context(running_agent("--config", str(config), environment=environment)),
            await stack.enter_async_context(running_agent("--max-line", "3KiB", environment={**file, **environment})),
        ]
        for agent, limit in zip(agents, (1000, 2000, 3072), strict=True):
            async with await agent.connect() as client:
                await client.send(b"{" + b" " * 4000 + b"\n")
                assert (await client.result())["error"].endswith(f"longer than {limit} bytes")
