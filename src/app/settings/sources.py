"""Reads settings from a TOML file, EXECWIRE_* variables and the command line; later sources win over earlier ones."""

import dataclasses
import difflib
import os
import re
import stat
import sys
import tomllib
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from .model import PositiveSize, Settings, Size
from .service_variables import is_service_variable

ENVIRONMENT_PREFIX = "EXECWIRE_"
CONFIG_VARIABLE = "EXECWIRE_CONFIG"

RENAMED = {"max_held": "max_memory"}
"""Old names that are accepted with a warning for one version."""
MAX_SHOWN = 10_000
_UNITS = {"": 1, "b": 1, "k": 1024, "kib": 1024, "m": 1024**2, "mib": 1024**2, "g": 1024**3, "gib": 1024**3}
TYPES: dict[str, object] = typing.get_type_hints(Settings, include_extras=True)
NAMES = tuple(setting.name for setting in dataclasses.fields(Settings))


class ConfigurationError(Exception):
    """An invalid setting; the message names its source and what to do."""


def _ignore(_warning: str) -> None:
    return


def read_settings(
    config: Path | None,
    environment: Mapping[str, str],
    options: Mapping[str, str | list[str]],
    warn: Callable[[str], object] = _ignore,
) -> Settings:
    """Merge the defaults and all sources; raises ConfigurationError. `warn` gets a sentence for each harmless problem.

    `options` is the command line, by setting name. Without `config`, EXECWIRE_CONFIG may name the file. The value of a
    variable is not checked if there is an option for it: the variable may belong to another program.
    """
    path = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    values: dict[str, object] = {}
    if path is not None:
        for name, value in _read_file(path, warn).items():
            values[name] = _convert(name, value, f"{name} in {path}")
    given: dict[str, tuple[object, str]] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if is_service_variable(variable, text):
            warn(f"ignored {variable}={text}: it describes a Kubernetes Service and is no setting")
            continue
        name = _setting_name(variable.removeprefix(ENVIRONMENT_PREFIX).lower(), variable, ENVIRONMENT_PREFIX, str.upper)
        given[_renamed(name, variable, warn)] = (text, variable)
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        given[_renamed(name, option, warn)] = (value, option)
    values |= {name: _convert(name, value, where) for name, (value, where) in given.items()}
    return Settings(**values)  # type: ignore[arg-type]  # each was converted to its field's type above


def _read_file(path: Path, warn: Callable[[str], object]) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                warn(f"{path} can be written by other users, which lets them control the agent; chmod go-w {path}")
            content = tomllib.load(file)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise ConfigurationError(message) from error
    except (ValueError, RecursionError) as error:
        # Also a number with more digits than Python parses, and a value that is nested too deeply.
        message = f"{path} is not TOML: {error}"
        raise ConfigurationError(message) from error
    tables = [name for name, value in content.items() if isinstance(value, dict) and name not in NAMES]
    if tables:
        raise ConfigurationError(f"{path} has a table [{tables[0]}]; write settings at the top level, without tables")
    where = {name: f"{name} in {path}" for name in content}
    return {
        _renamed(_setting_name(name, where[name], "", str), where[name], warn): value for name, value in content.items()
    }


def _renamed(name: str, where: str, warn: Callable[[str], object]) -> str:
    if name not in RENAMED:
        return name
    warn(f"{where} is now called {RENAMED[name]}; the old name is deprecated")
    return RENAMED[name]


def _setting_name(name: str, where: str, prefix: str, spell: typing.Callable[[str], str]) -> str:
    if name in NAMES or name in RENAMED:
        return name
    nearest = difflib.get_close_matches(name, NAMES, 1, 0.0)
    message = f"unknown setting {where}; the nearest known one is {prefix}{spell(nearest[0])}"
    raise ConfigurationError(message)


def _convert(name: str, value: object, where: str) -> object:
    kind = TYPES[name]
    strict = not isinstance(value, str)
    try:
        if isinstance(value, str):
            if kind is str and not value:
                raise ConfigurationError(f"{where} is empty; remove it, or give a value")
            if "\0" in value:
                raise ConfigurationError(f"{where} is {_short_repr(value)}: it contains a NUL character")
            value = _read_text(value, kind)
        return msgspec.convert(value, kind, strict=strict)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigurationError(f"{where} is {_short_repr(value)}: {_hint(kind, str(error))}") from error


def _short_repr(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return f"a number of over {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _hint(kind: object, reason: str) -> str:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return f"must be one of: {', '.join(arguments)}"
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
