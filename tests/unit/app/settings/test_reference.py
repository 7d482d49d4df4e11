import dataclasses
import re
from pathlib import Path

from execwire.app.settings.model import Settings
from execwire.app.settings.reference import entries

README = Path(__file__).parents[4] / "README.md"


def test_every_setting_is_described_with_its_default() -> None:
    described = {entry.name: entry for entry in entries()}
    defaults = dataclasses.asdict(Settings())
    assert described.keys() == defaults.keys()
    for name, entry in described.items():
        assert len(entry.text.split()) > 2, name
        assert entry.default == defaults[name]


def test_metavar_stands_for_the_value() -> None:
    metavars = {entry.name: entry.metavar for entry in entries()}
    assert metavars["leftovers"] == "{kill,keep,kill-all}"
    names = ("port", "max_line", "linger_ms", "spool_dir")
    assert [metavars[name] for name in names] == ["N", "BYTES", "MS", "DIR"]


def test_default_sizes_have_a_unit() -> None:
    defaults = {entry.name: entry.default_text for entry in entries()}
    assert (defaults["max_line"], defaults["max_output"], defaults["port"]) == ("1MiB", "1GiB", "3000")


def test_readme_describes_every_setting_in_the_same_way() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [
        (entry.name, readable_default(entry.default, entry.default_text), entry.text) for entry in entries()
    ]


def readable_default(default: object, text: str) -> str:
    return f"`{text}`" if text and default not in ((), False) else "-"
