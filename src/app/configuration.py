"""Where settings come from: defaults, then a TOML file, then EXECWIRE_*, then the command line; later ones win."""

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .settings import PositiveSize, Settings, Size

ENVIRONMENT_PREFIX = "EXECWIRE_"
CONFIG_VARIABLE = "EXECWIRE_CONFIG"

_UNITS = {"": 1, "b": 1, "k": 1024, "kib": 1024, "m": 1024**2, "mib": 1024**2, "g": 1024**3, "gib": 1024**3}
TYPES: dict[str, object] = typing.get_type_hints(Settings, include_extras=True)
NAMES = tuple(setting.name for setting in dataclasses.fields(Settings))


class ConfigurationError(Exception):
    """A setting that cannot be used; its text names where it stands and what to do."""


def read_settings(
    config: Path | None, environment: Mapping[str, str], options: Mapping[str, str | list[str]]
) -> Settings:
    """Merge the four sources; raises ConfigurationError.

    `options` is the command line, by setting name. Without `config`, EXECWIRE_CONFIG may name the file.
    """
    named = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    values: dict[str, object] = {}
    if named is not None:
        for name, value in _read_file(named).items():
            values[name] = _convert(name, value, f"{name} in {named}")
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != CONFIG_VARIABLE:
            name = _known(variable.removeprefix(ENVIRONMENT_PREFIX).lower(), variable, ENVIRONMENT_PREFIX, str.upper)
            values[name] = _convert(name, text, variable)
    for name, given in options.items():
        values[name] = _convert(name, given, f"--{name.replace('_', '-')}")
    return Settings(**values)  # type: ignore[arg-type]  # each was converted to its field's type above


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise ConfigurationError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not TOML: {error}"
        raise ConfigurationError(message) from error
    return {_known(name, f"{name} in {path}", "", str): value for name, value in content.items()}


def _known(name: str, where: str, prefix: str, spell: typing.Callable[[str], str]) -> str:
    if name in NAMES:
        return name
    nearest = difflib.get_close_matches(name, NAMES, 1, 0.0)
    message = f"unknown setting {where}; the nearest known one is {prefix}{spell(nearest[0])}"
    raise ConfigurationError(message)


def _convert(name: str, value: object, where: str) -> object:
    kind = TYPES[name]
    strict = not isinstance(value, str)
    try:
        if isinstance(value, str):
            value = _read_text(value, kind)
        return msgspec.convert(value, kind, strict=strict)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigurationError(f"{where} is {value!r}: {_expected(kind, str(error))}") from error


def _expected(kind: object, reason: str) -> str:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return f"it can be {', '.join(arguments[:-1])} or {arguments[-1]}"
    if "got" not in reason:
        return reason
    if kind in (Size, PositiveSize):
        return "a whole number of bytes is expected, with a unit if wanted: 65536, 64KiB, 1MiB or 2GiB"
    if arguments[:1] == (int,):
        return "a whole number is expected"
    return "a number is expected" if arguments[:1] == (float,) else reason


def _read_text(text: str, kind: object) -> object:
    if kind in (Size, PositiveSize):
        return _bytes(text)
    if typing.get_origin(kind) is typing.Literal:
        return text.lower()
    if typing.get_origin(kind) is tuple:
        return [word for word in text.split(",") if word]
    return text


def _bytes(text: str) -> object:
    match = re.fullmatch(r"\s*(\d+)\s*([a-z]*)\s*", text, re.IGNORECASE)
    factor = _UNITS.get(match[2].lower()) if match else None
    return int(match[1]) * factor if match and factor else text
