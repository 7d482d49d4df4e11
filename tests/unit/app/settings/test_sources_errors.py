from collections.abc import Mapping
from pathlib import Path

import pytest

from execwire.app.settings.sources import ConfigurationError, read_settings

NOTHING: Mapping[str, str] = {}
TOO_MANY_DIGITS = "9" * 5000


def error_of(config: Path | None, environment: Mapping[str, str], options: Mapping[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        read_settings(config, environment, options)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "execwire.toml"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("max_runing", "max_running"), ("prot", "port"), ("max-line", "max_line"), ("maxspool", "max_spool")],
)
def test_unknown_setting_in_the_file_is_reported_with_the_nearest_one(config: Path, wrong: str, nearest: str) -> None:
    config.write_text(f"{wrong} = 5\n")
    text = error_of(config, NOTHING, NOTHING)
    assert f"unknown setting {wrong} in {config}" in text
    assert text.endswith(f" {nearest}")


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("MAX_RUNING", "MAX_RUNNING"), ("PROT", "PORT"), ("LOGLEVEL", "LOG_LEVEL")]
)
def test_unknown_setting_in_the_environment_is_reported_with_the_nearest_one(wrong: str, nearest: str) -> None:
    text = error_of(None, {f"EXECWIRE_{wrong}": "5"}, NOTHING)
    assert f"unknown setting EXECWIRE_{wrong}" in text
    assert text.endswith(f" EXECWIRE_{nearest}")


def test_table_in_the_file_is_rejected_with_a_hint(config: Path) -> None:
    config.write_text("port = 5\n[server]\nmax_running = 5\n")
    text = error_of(config, NOTHING, NOTHING)
    assert "[server]" in text
    assert "top level" in text


@pytest.mark.parametrize("name", ["host", "unix", "spool_dir"])
def test_empty_text_is_rejected(config: Path, name: str) -> None:
    config.write_text(f"{name} = ''\n")
    for text in (
        error_of(config, NOTHING, NOTHING),
        error_of(None, {f"EXECWIRE_{name.upper()}": ""}, NOTHING),
        error_of(None, NOTHING, {name: ""}),
    ):
        assert "is empty" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("port", "http"),
        ("port", ""),
        ("port", "\udcff"),
        ("max_running", "0"),
        ("max_running", "1.5"),
        ("max_queued", "-1"),
        ("max_output", "-1MiB"),
        ("max_output", "1.5MiB"),
        ("max_output", "64 furlongs"),
        ("max_output", "MiB"),
        ("max_output", ""),
        ("max_output", "\udcff"),
        ("max_output", TOO_MANY_DIGITS),
        ("drain_seconds", "-0.1"),
        ("drain_seconds", "nan"),
        ("drain_seconds", "ten"),
        ("log_level", "loud"),
        ("log_level", "\udcff"),
    ],
)
def test_invalid_value_is_rejected_with_its_source(config: Path, name: str, value: str) -> None:
    variable, option = f"EXECWIRE_{name.upper()}", f"--{name.replace('_', '-')}"
    assert error_of(None, {variable: value}, NOTHING).startswith(f"{variable} is {value!r}: ")
    assert error_of(None, NOTHING, {name: value}).startswith(f"{option} is {value!r}: ")
    if value.isascii():
        config.write_text(f"{name} = '{value}'\n")
        assert error_of(config, NOTHING, NOTHING).startswith(f"{name} in {config} is {value!r}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "true"),
        ("port", "3000.5"),
        ("port", "[3000]"),
        ("port", "{ number = 5 }"),
        ("port", "2024-01-01"),
        ("max_output", "1.5"),
        ("host", "127"),
        ("host", "['a']"),
        ("drain_seconds", "false"),
        ("drain_seconds", "nan"),
        ("log_level", "1"),
    ],
)
def test_value_of_the_wrong_type_in_the_file_is_rejected_with_its_source(config: Path, name: str, value: str) -> None:
    config.write_text(f"{name} = {value}")
    assert error_of(config, NOTHING, NOTHING).startswith(f"{name} in {config} is ")


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("leftovers", "killall", "must be one of: kill, keep, kill-all"),
        ("max_line", "10XB", "64KiB"),
        ("port", "abc", "a whole number is expected"),
        ("linger_ms", "soon", "a number is expected"),
        ("line_seconds", "0", "> 0"),
        ("drain_seconds", "inf", "<= 1000000000"),
        ("workers", "1000", "<= 256"),
    ],
)
def test_error_says_what_is_expected(name: str, value: str, advice: str) -> None:
    assert advice in error_of(None, NOTHING, {name: value})


def test_choices_are_case_insensitive() -> None:
    assert read_settings(None, NOTHING, {"log_level": "INFO"}).log_level == "info"


def test_invalid_value_in_the_file_is_rejected_even_if_a_later_source_wins(config: Path) -> None:
    config.write_text("port = 'x'")
    assert error_of(config, {"EXECWIRE_PORT": "1"}, {"port": "2"}).startswith(f"port in {config}")


@pytest.mark.parametrize("source", ["command line", "environment"])
def test_missing_file_is_reported_with_the_reason(config: Path, source: str) -> None:
    environment = {"EXECWIRE_CONFIG": str(config)}
    text = error_of(config, NOTHING, NOTHING) if source == "command line" else error_of(None, environment, NOTHING)
    assert text == f"cannot read {config}: No such file or directory"


def test_unreadable_file_is_reported_with_the_reason(tmp_path: Path) -> None:
    # A directory, since permissions do not apply to root.
    assert error_of(tmp_path, NOTHING, NOTHING) == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize("content", [b"port: 3000", b"port = 1\nport = 2", b"{", b"\xff\xfe", b"port = 3000\0"])
def test_file_that_is_not_toml_is_reported_with_the_reason(config: Path, content: bytes) -> None:
    config.write_bytes(content)
    assert error_of(config, NOTHING, NOTHING).startswith(f"{config} is not TOML: ")
