"""How the tagger read an article's sentences, for `newswatch tag` and `newswatch explain`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from newswatch.as_json import as_object

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.tag import Reading, Tagger

SHOWN = 6
"""Maximum sentences that `explain` shows for each topic: those with the highest probability."""
SHOWN_CHARS = 160


def readings(
    tagger: Tagger,
    topics: Sequence[str],
    *,
    title: str,
    summary: str,
    text: str,
    language: str | None,
    date: datetime | None = None,
) -> Iterator[Reading]:
    """Every sentence with evidence for one of `topics`, in order."""
    for topic in topics:
        sentences, _ = tagger.read(topic, title=title, summary=summary, text=text, language=language, date=date)
        yield from sentences


def as_row(reading: Reading) -> dict[str, Any]:
    """The reading as JSON: the sentence with its place, its evidence, its probability, and why it is passing."""
    return {
        "topic": reading.topic,
        **as_object(reading.passage),
        "substantive": reading.probability,
        "passing": reading.passing,
        "evidence": [as_object(e) for e in reading.evidence],
    }


def reading_lines(read: Sequence[Reading], topic: str) -> Iterator[str]:
    """Lines for a terminal: the most relevant sentences for `topic`, and why others are only passing mentions."""
    own = sorted((r for r in read if r.topic == topic), key=lambda r: -r.probability)
    yield f"  {escape(topic)}: {len(own)} sentence(s) with its words" + (f", {SHOWN} shown" if len(own) > SHOWN else "")
    for reading in own[:SHOWN]:
        mark = "[red]✗[/]" if reading.passing else "[green]✓[/]"
        sentence = " ".join(reading.passage.text.split())
        cut = sentence if len(sentence) <= SHOWN_CHARS else f"{sentence[:SHOWN_CHARS]}…"
        words = ", ".join(dict.fromkeys(e.text for e in reading.evidence))
        why = f" – passes by: {reading.passing}" if reading.passing else ""
        yield f"    {mark} {reading.probability:.2f} {escape(cut)} ({escape(words)}){escape(why)}"
