"""A name in a result that JSON cannot represent: the result is sent all the same, and shutdown is not delayed."""

import os
import time
from pathlib import Path

from agent import running_agent


async def test_spool_directory_with_non_utf_8_name_is_named_in_result(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    async with running_agent("--spool-dir", str(directory)) as agent:
        assert (await agent.run("true"))["error"] == ""
        directory.rmdir()
        async with await agent.connect() as client:
            result = await client.ask(command=["head", "-c", "1000000", "/dev/zero"], id="spooled")
            named = f"{tmp_path}/caf\N{REPLACEMENT CHARACTER}"
            assert (result["id"], result["exit_code"]) == ("spooled", -1)
            assert result["error"].endswith(f"could not be kept in {named}: No such file or directory")
            began = time.monotonic()
            assert await agent.stop() == 0
            assert time.monotonic() - began < 4
