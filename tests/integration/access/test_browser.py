"""Hazard 32: whatever a web page makes a browser send to the agent's port, no command in it is run."""

import asyncio
import json
from pathlib import Path

import pytest
from agent import Agent, running_agent
from browser import Rebinding, browsing, chromium
from chromium_bytes import MARKER, RECORDED

BROWSER_SECONDS = 60.0
ATTEMPTS = 9
"""The minimum number of connections that the page opens."""
PAGE = """<!doctype html><title>x</title><body><script>
const body = "\\n" + %s + "\\n";
const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const posted = (enctype) => {
  const frame = document.createElement("iframe");
  frame.name = "frame-" + enctype;
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: "/form", enctype, target: frame.name});
  const field = document.createElement("textarea");
  field.name = body;
  field.value = body;
  form.append(field);
  document.body.append(frame, form);
  form.submit();
};
const attempts = [
  () => fetch("/foo", {method: "FOO", body}),
  () => fetch("/propfind", {method: "PROPFIND", body}),
  () => fetch("/get", {method: "get-it", body}),
  () => fetch("/post", {method: "POST", body, headers: {"X-Header": "{"}}),
  () => fetch("/long" + "a".repeat(1200000), {method: "FOO", body}),
  () => posted("text/plain"),
  () => { new Image().src = "/image?" + body; },
  () => { new EventSource("/events"); },
  () => { new WebSocket("ws://" + location.host + "/socket"); },
  () => { navigator.sendBeacon("/beacon", body); },
];
(async () => {
  for (const attempt of attempts) {
    try { await Promise.race([attempt(), wait(1)]); } catch (error) { }
  }
  await wait(0.5);
  for (let left = 20; left; left--) { try { await fetch("/done"); } catch (error) { } await wait(0.2); }
})();
</script>"""


def smuggled(marker: Path) -> str:
    return json.dumps({"command": ["touch", str(marker)]})


async def check_not_run(agent: Agent, marker: Path) -> None:
    # Everything sent before this task has been processed by then.
    assert (await agent.run("echo", "others"))["output"] == "others\n"
    assert not marker.exists()
    assert "died" not in agent.log_text()


@pytest.mark.skipif(
    chromium() is None, reason="Chromium is not installed: `make chromium`, or apt-get install chromium"
)
async def test_page_under_rebound_name_cannot_run_commands(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    async with running_agent() as agent:
        rebinding = Rebinding(PAGE % json.dumps(smuggled(marker)), agent.port)
        async with browsing(rebinding), asyncio.timeout(BROWSER_SECONDS):
            await rebinding.done.wait()
        await check_not_run(agent, marker)
    assert len(rebinding.sent) >= ATTEMPTS
    # The browser has sent what would be a valid request, as a line of its own.
    assert sum(smuggled(marker).encode() in sent.splitlines() for sent in rebinding.sent) >= 5
    assert {sent.split(b" ")[0] for sent in rebinding.sent} >= {b"FOO", b"PROPFIND", b"get-it", b"POST", b"GET"}
    assert all(answer.count(b"refused: this port takes JSON objects") == 1 for answer in rebinding.answers)


async def test_recorded_chromium_requests_run_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    async with running_agent() as agent:
        for sent in RECORDED:
            async with await agent.connect() as client:
                await client.send(sent.replace(MARKER, str(marker).encode()))
                assert (await client.at_end()).count(b"refused: this port takes JSON objects") == 1
        await check_not_run(agent, marker)
