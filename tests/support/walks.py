"""Walks over a ProcessTable."""

from process_table import ProcessTable

from execwire.adapters.linux.process_tree import Descent
from execwire.adapters.linux.survivors import Sighting


def enrolled(table: ProcessTable, descent: Descent, mark: int) -> int:
    """Start a leader that is known; return its pid."""
    pid = table.start(mark=mark)
    descent.enrol(pid, mark)
    return pid


def walk(descent: Descent, table: ProcessTable, *marks: int) -> dict[int, Sighting]:
    """Walk once to the end."""
    sightings: dict[int, Sighting] = {}
    for _ in descent.walk(frozenset(marks), sightings):
        pass
    assert table.pidfds == {}
    return sightings
