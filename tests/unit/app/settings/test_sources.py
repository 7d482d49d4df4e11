import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from execwire.app.settings.model import Settings
from execwire.app.settings.sources import read_settings

Write = Callable[[str], Path]

SettingValue = str | float | tuple[str, ...]

NOTHING: Mapping[str, str] = {}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "execwire.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def as_text(value: SettingValue) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def as_toml(value: SettingValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(list(value)) if isinstance(value, tuple) else repr(value)


def test_settings_without_a_source_are_the_defaults() -> None:
    assert read_settings(None, NOTHING, NOTHING) == Settings()


def test_later_source_wins_over_earlier_ones(write: Write) -> None:
    config = write("port = 1\nmax_running = 1\nmax_queued = 1\n")
    environment = {"EXECWIRE_MAX_RUNNING": "2", "EXECWIRE_MAX_QUEUED": "2"}
    settings = read_settings(config, environment, {"max_queued": "3"})
    assert settings == Settings(port=1, max_running=2, max_queued=3)


def test_environment_names_the_file_if_the_command_line_does_not(write: Write, tmp_path: Path) -> None:
    environment = {"EXECWIRE_CONFIG": str(write("port = 1"))}
    other = tmp_path / "other.toml"
    other.write_text("port = 2")
    assert read_settings(None, environment, NOTHING).port == 1
    assert read_settings(other, environment, NOTHING).port == 2


def test_empty_name_of_the_file_means_no_file() -> None:
    assert read_settings(None, {"EXECWIRE_CONFIG": ""}, NOTHING) == Settings()


def test_variables_of_other_programs_are_ignored() -> None:
    environment = {"PATH": "/bin", "PORT": "1", "EXECWIREX": "1", "MY_EXECWIRE_PORT": "1", "execwire_port": "1"}
    assert read_settings(None, environment, NOTHING) == Settings()


def test_every_setting_can_come_from_every_source(write: Write) -> None:
    changed = Settings(
        host="::1", port=1, max_running=2, max_queued=3, max_in_flight=4, max_line=5, max_output=6, max_spool=7,
        max_memory=8, spool_dir="/x", linger_ms=9.5, drain_seconds=10.5, log_level="debug", workers=2, unix="/y",
        allow_user=("a", "1000"), insecure_bind=True, max_connections=9, line_seconds=11.5, lost_client="finish",
        leftovers="kill-all", task_oom_score_adj=10,
    )  # fmt: skip
    values = dataclasses.asdict(changed)
    defaults = dataclasses.asdict(Settings())
    assert all(values[name] != defaults[name] for name in defaults)
    toml = "\n".join(f"{name} = {as_toml(value)}" for name, value in values.items())
    texts = {name: as_text(value) for name, value in values.items()}
    environment = {f"EXECWIRE_{name.upper()}": text for name, text in texts.items()}
    assert read_settings(write(toml), NOTHING, NOTHING) == changed
    assert read_settings(None, environment, NOTHING) == changed
    assert read_settings(None, NOTHING, texts) == changed


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("65536", 65536),
        ("64KiB", 64 * 1024),
        ("64kib", 64 * 1024),
        ("64 KiB", 64 * 1024),
        ("1MiB", 1024**2),
        ("2GiB", 2 * 1024**3),
        ("2G", 2 * 1024**3),
        ("7B", 7),
    ],
)
def test_sizes_as_text_may_have_a_unit(write: Write, text: str, size: int) -> None:
    expected = Settings(max_output=size)
    assert read_settings(write(f"max_output = '{text}'"), NOTHING, NOTHING) == expected
    assert read_settings(None, {"EXECWIRE_MAX_OUTPUT": text}, NOTHING) == expected
    assert read_settings(None, NOTHING, {"max_output": text}) == expected


@pytest.mark.parametrize("name", ["max_line", "max_output", "max_spool", "max_memory"])
def test_every_setting_in_bytes_is_a_size(name: str) -> None:
    settings = read_settings(None, NOTHING, {name: "3MiB"})
    assert dataclasses.asdict(settings)[name] == 3 * 1024**2


def test_duration_may_be_written_without_a_decimal_point(write: Write) -> None:
    assert read_settings(write("drain_seconds = 3"), NOTHING, {"linger_ms": "5"}) == Settings(
        drain_seconds=3.0, linger_ms=5.0
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EXECWIRE_PORT", "tcp://10.0.0.11:3000"),
        ("EXECWIRE_SERVICE_HOST", "10.0.0.11"),
        ("EXECWIRE_SERVICE_PORT", "3000"),
        ("EXECWIRE_SERVICE_PORT_AGENT", "3000"),
        ("EXECWIRE_PORT_3000_TCP", "tcp://10.0.0.11:3000"),
        ("EXECWIRE_PORT_3000_TCP_PROTO", "tcp"),
        ("EXECWIRE_PORT_3000_TCP_PORT", "3000"),
        ("EXECWIRE_PORT_3000_UDP_ADDR", "fd00::11"),
        ("EXECWIRE_NODE_AGENT_PORT", "udp://[fd00::11]:53"),
        ("EXECWIRE_NODE_AGENT_SERVICE_HOST", "10.0.0.12"),
        ("EXECWIRE_MAX_RUNNING_PORT_1_SCTP", "sctp://10.0.0.12:1"),
    ],
)
def test_variables_of_a_kubernetes_service_are_ignored_with_a_warning(variable: str, value: str) -> None:
    warnings: list[str] = []
    assert read_settings(None, {variable: value}, NOTHING, warnings.append) == Settings()
    (warning,) = warnings
    assert f"{variable}={value}" in warning
    assert "Kubernetes" in warning


@pytest.mark.parametrize("variable", ["EXECWIRE_PORT", "EXECWIRE_MAX_LINE"])
def test_option_wins_over_an_invalid_variable(variable: str) -> None:
    name = variable.removeprefix("EXECWIRE_").lower()
    settings = read_settings(None, {variable: "neither"}, {name: "7"})
    assert getattr(settings, name) == 7


@pytest.mark.parametrize(("mode", "others"), [(0o600, False), (0o644, False), (0o664, True), (0o646, True)])
def test_file_that_others_may_write_gives_a_warning(write: Write, mode: int, others: bool) -> None:  # noqa: FBT001
    path = write("port = 7")
    path.chmod(mode)
    warnings: list[str] = []
    assert read_settings(path, NOTHING, NOTHING, warnings.append).port == 7
    assert [f"chmod go-w {path}" in warning for warning in warnings] == [True] * others


def test_old_name_of_a_setting_is_accepted_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "execwire.toml"
    file.write_text('max_held = "1MiB"\n')
    file.chmod(0o600)
    warnings: list[str] = []
    assert read_settings(file, {}, {}, warnings.append).max_memory == 1024 * 1024
    assert read_settings(None, {"EXECWIRE_MAX_HELD": "2MiB"}, {}, warnings.append).max_memory == 2 * 1024 * 1024
    assert read_settings(None, {}, {"max_held": "3MiB"}, warnings.append).max_memory == 3 * 1024 * 1024
    assert [text.split(" is now called max_memory")[0] for text in warnings] == [
        f"max_held in {file}",
        "EXECWIRE_MAX_HELD",
        "--max-held",
    ]
