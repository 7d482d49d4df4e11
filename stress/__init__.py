"""Stress tests that take as long as they are given: fuzz, soak and chaos, each against a live agent."""

import sys
from pathlib import Path

# The live agent and what /proc says of it are those of the tests, which import them without a package, too.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
