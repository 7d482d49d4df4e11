"""The description of each setting for --help and the README."""

import dataclasses
import typing
from dataclasses import dataclass

from .model import PositiveSize, Settings, Size
from .sources import TYPES

_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


@dataclass(frozen=True, slots=True)
class SettingHelp:
    """One setting: `metavar` stands for its value in the help, `default_text` is the default as it is written there."""

    name: str
    text: str
    metavar: str
    default: object
    default_text: str

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"


def entries() -> list[SettingHelp]:
    """Return all settings in the order of their declaration."""
    return [_entry(setting) for setting in dataclasses.fields(Settings)]


def _entry(setting: "dataclasses.Field[typing.Any]") -> SettingHelp:
    kind = TYPES[setting.name]
    default: object = setting.default
    text = _with_unit(default) if kind in (Size, PositiveSize) and isinstance(default, int) else f"{default}"
    return SettingHelp(setting.name, setting.metadata["help"], _metavar(setting.name, kind), default, text)


def _metavar(name: str, kind: object) -> str:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is typing.Literal:
        return f"{{{','.join(arguments)}}}"
    if kind in (Size, PositiveSize):
        return "BYTES"
    return "N" if arguments[:1] == (int,) else name.rsplit("_", 1)[-1].upper()


def _with_unit(size: int) -> str:
    for unit, factor in _UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}"
