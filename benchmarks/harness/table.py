"""Formats samples as a markdown table: medians of every server, and ratios of the agents to the others."""

import statistics
from collections.abc import Iterable, Sequence

from .lab import Row, Sample, Section
from .servers import ServerSpec
from .targets import TARGETS

_NONE = "-"
_SMALL_RATIO = 0.1


def render(section: Section, samples: Sequence[Sample], servers: Sequence[ServerSpec]) -> str:
    """Return the section's title, table, warnings and note."""
    measured = {sample.server for sample in samples}
    names = [spec.name for spec in servers if spec.name in measured]
    pairs = [(left, right) for left, right in _pairs(servers) if {left, right} <= measured]
    header = ["", *names, *(f"{left}/{right}" for left, right in pairs), "target"]
    lines = [_line(header), _line(["---", *["---:"] * (len(header) - 1)])]
    for row in section.rows:
        medians = [_median(_rounds(row, samples, name).values(), row.digits) for name in names]
        ratios = [_ratio(_rounds(row, samples, left), _rounds(row, samples, right)) for left, right in pairs]
        lines.append(_line([row.label, *medians, *ratios, TARGETS.get((row.case, row.figure), _NONE)]))
    return "\n".join([f"## {section.title}", "", *lines, "", *_warnings(samples), section.note, ""])


def _pairs(servers: Sequence[ServerSpec]) -> list[tuple[str, str]]:
    """Each agent with each reference server, then each additional agent, a variant, with the first."""
    agents = [spec.name for spec in servers if spec.is_agent]
    references = [spec.name for spec in servers if not spec.is_agent]
    return [(agent, other) for agent in agents for other in references] + [(other, agents[0]) for other in agents[1:]]


def _rounds(row: Row, samples: Iterable[Sample], server: str) -> dict[int, float]:
    return {
        sample.round: sample.figures[row.figure]
        for sample in samples
        if sample.server == server and sample.case == row.case
    }


def _median(values: Iterable[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f}"


def _ratio(left: dict[int, float], right: dict[int, float]) -> str:
    """Return the median and the range of the ratios of each round: what slows a round affects both servers."""
    ratios = [left[number] / right[number] for number in left if right[number] > 0]
    if not ratios:
        return _NONE  # a figure below the kernel's resolution
    return f"**{_short(statistics.median(ratios))}** ({_short(min(ratios))}-{_short(max(ratios))})"


def _short(ratio: float) -> str:
    """Round so that a thousandth is not shown as zero."""
    return f"{ratio:.2f}" if ratio >= _SMALL_RATIO else f"{ratio:.1g}"


def _warnings(samples: Iterable[Sample]) -> list[str]:
    return [
        f"**{sample.server} failed: {sample.figures['bad']:.0f} results were incomplete or without exit code 0 "
        f"({sample.case}, round {sample.round + 1}). Its figures are not valid.**\n"
        for sample in samples
        if sample.figures.get("bad", 0)
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
