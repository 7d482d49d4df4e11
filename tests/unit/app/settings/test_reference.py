import dataclasses
import re
from pathlib import Path

from execwire.app.settings.model import Settings
from execwire.app.settings.reference import entries

README = Path(__file__).parents[4] / "README.md"


def test_every_setting_is_explained_with_its_default() -> None:
    explained = {entry.name: entry for entry in entries()}
    defaults = dataclasses.asdict(Settings())
    assert explained.keys() == defaults.keys()
    for name, entry in explained.items():
        assert len(entry.text.split()) > 2, name
        assert entry.default == defaults[name]


def test_a_form_says_what_to_write() -> None:
    forms = {entry.name: entry.metavar for entry in entries()}
    assert forms["leftovers"] == "{kill,keep,kill-all}"
    assert (forms["port"], forms["max_line"], forms["linger_ms"], forms["spool_dir"]) == ("N", "BYTES", "MS", "DIR")


def test_sizes_are_shown_with_their_unit() -> None:
    shown = {entry.name: entry.default_text for entry in entries()}
    assert (shown["max_line"], shown["max_output"], shown["port"]) == ("1MiB", "1GiB", "3000")


def test_the_readme_tells_the_same_of_every_setting() -> None:
    told = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == [
        (entry.name, readable_default(entry.default, entry.default_text), entry.text) for entry in entries()
    ]


def readable_default(default: object, shown: str) -> str:
    return f"`{shown}`" if shown and default not in ((), False) else "-"
