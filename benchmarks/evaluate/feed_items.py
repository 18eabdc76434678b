"""How much of a feed's item is there to be found: tags against labels of the title and 200 characters alone.

The other figures at a feed's length compare with the label of the whole text, of which a part stands further on.
`feed_labels.csv` holds what readers see in the item alone. `drawn` articles are a sample of their own, read before the
tagger saw them; `missed` ones are all of one half that say something of a topic and got no tag as an item.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.evaluate.labels import LEVELS, TOPICS, Grade, rows
from benchmarks.evaluate.markdown import cell, table
from benchmarks.evaluate.measures import Figure, f1, share
from benchmarks.evaluate.tags import Judged

Item = tuple[Judged, Mapping[str, Grade]]
HALVES = ("build", "test")
WHAT = {"silent": "not there", "said": "surely there"}
"""What a reader sees of the topic in a missed item: nothing, or something for sure; the rest are doubts."""
INTRODUCTION = """At a feed's length, against labels of the item alone: F1 on articles drawn for this, both halves. Then
of the items that got no tag although the whole text says something of the topic: the shares of which the title and 200
characters say nothing, and of which they surely say something; a reader wavers about the rest."""


def feed_item_figures(judged: Iterable[Judged]) -> dict[str, Figure]:
    """F1 of `drawn` items by level, and of `missed` ones the shares that say nothing, and surely something."""
    by_id = {j.article.id: j for j in judged}
    labels = rows("feed_labels")
    drawn, missed = (
        [(by_id[row["id"]], _grades(row)) for row in labels if row["sample"] == sample]
        for sample in ("drawn", "missed")
    )
    return {path: figure for path, figure in (*_drawn(drawn), *_missed(missed)) if figure}


def _grades(row: Mapping[str, str]) -> dict[str, Grade]:
    return {topic: Grade(int(row[column]), row[f"{column}_doubt"]) for topic, column in TOPICS.items()}


def _drawn(items: Sequence[Item]) -> Iterator[tuple[str, Figure | None]]:
    for topic in TOPICS:
        for level, least in LEVELS.items():
            wanted = [(grades[topic].sure(least), j.got["feed"][topic] >= least) for j, grades in items]
            yield f"items/{topic}/{level}", f1((want, got) for want, got in wanted if want is not None)


def _missed(items: Sequence[Item]) -> Iterator[tuple[str, Figure | None]]:
    """Of the items whose whole text surely says something and that got no tag when they were chosen."""
    for topic in TOPICS:
        for half in HALVES:
            said = [
                grades[topic].sure(1)
                for j, grades in items
                if j.article.half == half and j.article.grades[topic].sure(1) and not j.got["feed"][topic]
            ]
            yield f"items/{topic}/missed/silent/{half}", share(said.count(False), len(said))
            yield f"items/{topic}/missed/said/{half}", share(said.count(True), len(said))


def items_section(figures: Mapping[str, Figure]) -> str:
    """The part of the page on what feeds' items hold."""
    heads = ["Topic", "any, items", "main, items", *(f"{what}, {half}" for half in HALVES for what in WHAT.values())]
    lines = [
        [
            topic,
            *(cell(figures.get(f"items/{topic}/{level}")) for level in LEVELS),
            *(cell(figures.get(f"items/{topic}/missed/{what}/{half}")) for half in HALVES for what in WHAT),
        ]
        for topic in TOPICS
    ]
    return f"{INTRODUCTION}\n\n{table(heads, lines)}"
