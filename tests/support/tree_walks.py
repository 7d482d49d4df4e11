"""Scans of a ProcessTable."""

from fake_process_table import ProcessTable

from execwire.adapters.linux.process_tree import ProcessTree
from execwire.adapters.linux.survivors import Survivors


def enrolled(table: ProcessTable, tree: ProcessTree, mark: int) -> int:
    """Start a leader and add it to the tree; return its pid."""
    pid = table.start(mark=mark)
    tree.add(pid, mark)
    return pid


def walk(tree: ProcessTree, table: ProcessTable, *marks: int) -> dict[int, Survivors]:
    """Run one scan to its end."""
    survivors_by_mark: dict[int, Survivors] = {}
    for _ in tree.scan(frozenset(marks), survivors_by_mark):
        pass
    assert table.pidfds == {}
    return survivors_by_mark
