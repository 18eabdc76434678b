"""Figures and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.evaluate.floors import LEAST_CASES
from benchmarks.evaluate.measures import Figure


def number(value: float) -> str:
    """`.917` for 0.9167, `1.0` for 1."""
    return f"{value:.3f}".removeprefix("0") if value < 1 else "1.0"


def cell(figure: Figure | None) -> str:
    """A figure with its interval, marked where it rests on few cases; `–` for none."""
    if figure is None:
        return "–"
    few = " ·" if figure.cases < LEAST_CASES else ""
    return f"{number(figure.value)} ({number(figure.low)}–{number(figure.high)}){few}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> str:
    """A Markdown table; its first `text` columns hold words, the others figures."""
    marks = ["---" if n < text else "---:" for n in range(len(heads))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, marks, *rows))
