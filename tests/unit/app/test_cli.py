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
def _restored() -> Iterator[None]:
    """Restore what `main` changes in this process."""
    limit, logs = resource.getrlimit(resource.RLIMIT_NOFILE), structlog.get_config()
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    structlog.configure(**logs)


@pytest.fixture(autouse=True)
def port_in_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that is in use and the default of these tests, so that no agent ever starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        monkeypatch.setenv("EXECWIRE_PORT", str(port))
        # Wide enough for all lines of the help.
        monkeypatch.setenv("COLUMNS", "500")
        yield port


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line of the error for these arguments."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    written = capsys.readouterr()
    assert caught.value.code == 2
    assert written.out == ""
    assert written.err.startswith("execwire")
    assert written.err.count("\n") == 1
    assert written.err.endswith("\n")
    return written.err


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the output for valid arguments."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    written = capsys.readouterr()
    assert caught.value.code in {0, None}
    assert written.err == ""
    return written.out


def test_version_is_the_installed_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_of(capsys, "--version") == f"execwire {__version__}\n"
    assert version("execwire") == __version__


def test_program_without_arguments_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    written = capsys.readouterr()
    assert written.err == ""
    assert "serve" in written.out
    assert written.out == output_of(capsys, "--help")


def test_help_lists_every_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    text = output_of(capsys, "serve", "--help")
    for entry in entries():
        plain = isinstance(entry.default, bool | tuple) or not entry.default_text
        line = entry.text if plain else f"{entry.text} (default {entry.default_text})"
        assert re.search(rf"^ +{entry.option}( \S+)?\s+{re.escape(line)}", text, re.MULTILINE), entry.option
    for word in ("--config FILE", "EXECWIRE_CONFIG", "EXECWIRE_MAX_RUNNING", "SIGTERM", "64KiB"):
        assert word in text


def test_port_in_use_is_reported_with_its_owner_and_a_hint(
    capsys: pytest.CaptureFixture[str], port_in_use: int
) -> None:
    text = error_of(capsys, "serve")
    assert f"cannot listen on 127.0.0.1:{port_in_use}: it is taken by pid {os.getpid()} (" in text
    assert "--port" in text


@pytest.mark.parametrize("host", ["127.0.0..1", "a" * 70])
def test_invalid_host_is_reported(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert f"cannot listen on {host}:" in error_of(capsys, "serve", "--host", host)


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
def test_invalid_option_is_reported_with_its_value(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert f"{option} is {value!r}" in error_of(capsys, "serve", option, value)
    assert f"{option} is {value!r}" in error_of(capsys, "serve", f"{option}={value}")


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::"])  # noqa: S104 -- to be rejected
def test_address_that_other_hosts_can_reach_is_rejected_with_a_hint(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    text = error_of(capsys, "serve", "--host", host)
    assert "tunnel" in text
    assert "--insecure-bind" in text


def test_address_of_another_machine_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot listen on 192.0.2.1:" in error_of(capsys, "serve", "--insecure-bind", "--host", "192.0.2.1")


def test_unknown_option_is_reported_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = error_of(capsys, "serve", "--max-runing", "5")
    assert "--max-runing" in text
    assert "the nearest known one is --max-running" in text


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["--frobnicate"], ["serve", "now"], ["serve", "--port"], ["serve", "--max-out", "5"]]
)
def test_other_errors_of_the_command_line_are_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    wrong = next(argument for argument in reversed(arguments) if argument != "5")
    assert wrong in error_of(capsys, *arguments)


def test_invalid_value_in_the_environment_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECWIRE_MAX_RUNNING", "many")
    assert "EXECWIRE_MAX_RUNNING is 'many'" in error_of(capsys, "serve")


def test_invalid_file_is_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "execwire.toml"
    assert f"cannot read {config}" in error_of(capsys, "serve", "--config", str(config))
    config.write_text("max_runing = 5")
    assert f"max_runing in {config}" in error_of(capsys, "serve", "--config", str(config))


def test_unusable_spool_directory_is_reported_before_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    text = error_of(capsys, "serve", "--spool-dir", str(missing))
    assert f"cannot keep output in {missing}: No such file or directory" in text
    assert "--spool-dir" in text


def test_control_characters_in_errors_are_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "execwire.toml"
    config.write_text('"\\u001b[31mred\\u0007\\n" = 1')
    text = error_of(capsys, "serve", "--config", str(config))
    assert r"\x1b[31mred\x07\n" in text
    assert error_of(capsys, "serve", "--frob\x1b[2J\udcff").rstrip("\n").isprintable()
