import os
import re
import resource
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog

from execwire import __version__
from execwire.app.cli import main
from execwire.app.settings.reference import entries


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put back what `main` changes about its own process."""
    limit, logs = resource.getrlimit(resource.RLIMIT_NOFILE), structlog.get_config()
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    structlog.configure(**logs)


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that is in use, and the default one here: whatever a test asks for, nothing ever serves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        monkeypatch.setenv("EXECWIRE_PORT", str(port))
        # Room for every line of the help.
        monkeypatch.setenv("COLUMNS", "500")
        yield port


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that there is to say about these arguments."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == ""
    assert said.err.startswith("execwire")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    return said.err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what is said of these arguments where nothing is wrong with them."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    said = capsys.readouterr()
    assert end.value.code in {0, None}
    assert said.err == ""
    return said.out


def test_version_is_the_one_that_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "--version") == f"execwire {__version__}\n"
    assert version("execwire") == __version__


def test_alone_it_says_what_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    alone = capsys.readouterr()
    assert alone.err == ""
    assert "serve" in alone.out
    assert alone.out == answer(capsys, "--help")


def test_help_lists_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "serve", "--help")
    for entry in entries():
        plain = isinstance(entry.default, bool | tuple) or not entry.default_text
        shown = entry.text if plain else f"{entry.text} (default {entry.default_text})"
        assert re.search(rf"^ +{entry.option}( \S+)?\s+{re.escape(shown)}", text, re.MULTILINE), entry.option
    for word in ("--config FILE", "EXECWIRE_CONFIG", "EXECWIRE_MAX_RUNNING", "SIGTERM", "64KiB"):
        assert word in text


def test_a_port_in_use_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str], taken: int) -> None:
    text = complaint(capsys, "serve")
    assert f"cannot listen on 127.0.0.1:{taken}: it is taken by pid {os.getpid()} (" in text
    assert "--port" in text


@pytest.mark.parametrize("host", ["127.0.0..1", "a" * 70])
def test_a_host_on_which_nobody_can_listen_is_said(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert f"cannot listen on {host}:" in complaint(capsys, "serve", "--host", host)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "http"),
        ("--port", "70000"),
        ("--port", ""),
        ("--max-running", "0"),
        ("--max-output", "64 furlongs"),
        ("--drain-seconds", "-1"),
        ("--log-level", "loud"),
    ],
)
def test_an_option_that_cannot_be_is_named_with_its_value(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert f"{option} is {value!r}" in complaint(capsys, "serve", option, value)
    assert f"{option} is {value!r}" in complaint(capsys, "serve", f"{option}={value}")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::"])  # noqa: S104 -- to be refused
def test_an_address_that_other_hosts_can_reach_is_refused_with_what_to_do(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    text = complaint(capsys, "serve", "--host", host)
    assert "tunnel" in text
    assert "--insecure-bind" in text


def test_an_address_that_this_machine_does_not_have_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot listen on 192.0.2.1:" in complaint(capsys, "serve", "--insecure-bind", "--host", "192.0.2.1")


def test_an_unknown_option_names_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = complaint(capsys, "serve", "--max-runing", "5")
    assert "--max-runing" in text
    assert "the nearest known one is --max-running" in text


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["--frobnicate"], ["serve", "now"], ["serve", "--port"], ["serve", "--max-out", "5"]]
)
def test_any_other_slip_of_the_command_line_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    slip = next(argument for argument in reversed(arguments) if argument != "5")
    assert slip in complaint(capsys, *arguments)


def test_a_bad_value_in_the_environment_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECWIRE_MAX_RUNNING", "many")
    assert "EXECWIRE_MAX_RUNNING is 'many'" in complaint(capsys, "serve")


def test_a_bad_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "execwire.toml"
    assert f"cannot read {config}" in complaint(capsys, "serve", "--config", str(config))
    config.write_text("max_runing = 5")
    assert f"max_runing in {config}" in complaint(capsys, "serve", "--config", str(config))


def test_a_spool_directory_that_cannot_be_used_is_said_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    text = complaint(capsys, "serve", "--spool-dir", str(missing))
    assert f"cannot keep output in {missing}: No such file or directory" in text
    assert "--spool-dir" in text


def test_control_characters_of_what_is_wrong_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "execwire.toml"
    config.write_text('"\\u001b[31mred\\u0007\\n" = 1')
    text = complaint(capsys, "serve", "--config", str(config))
    assert r"\x1b[31mred\x07\n" in text
    assert complaint(capsys, "serve", "--frob\x1b[2J\udcff").rstrip("\n").isprintable()
