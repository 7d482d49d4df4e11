"""Stress tests of any duration against running agents: fuzz, soak, chaos, fairness and pressure."""

import sys
from pathlib import Path

# The helpers for agents and /proc are those of the tests, which import them as top-level modules too.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
