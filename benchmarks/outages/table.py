"""The results as a table in Markdown and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.outages.measuring import Outcome

HEAD = """\
| what was broken | told after, s | well again told after, s | told as | not as it must be |
|---|---|---|---|---|"""


def table(outcomes: Sequence[Outcome]) -> str:
    """A row for each fault."""
    return "\n".join([HEAD, *map(row, outcomes)])


def row(outcome: Outcome) -> str:
    """The row of a fault."""
    cells = (
        outcome.what,
        _times(outcome.told_s) or "–",
        _times(outcome.over_s) or "–",
        ", ".join(f"`{condition_id}`" for condition_id in outcome.ids) or "–",
        "; ".join(outcome.wrong) or "–",
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _times(times: Mapping[str, float]) -> str:
    return ", ".join(f"{way} {seconds:.0f}" for way, seconds in sorted(times.items(), key=lambda item: item[1]))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [asdict(outcome) for outcome in outcomes]
