"""How well articles are grouped into stories: B³ against events that were read, and pairs that must not join."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.evaluate.labels import LABELS, json_lines, texts
from benchmarks.evaluate.measures import BCubed, Figure, b_cubed, b_cubed_f1, by_event, resampled, share
from transforms.story import Profile, Recent, profile

EARLIER = ("abp", "ant_multi")
"""The sets whose events are in `tests/transforms/data/events.csv`."""
RECENT = ("articles.jsonl", "background.jsonl", "events.csv", "hard.csv")
"""The files of `stories_dev`."""
Pair = frozenset[str]


# ── events of 2004 to 2018, in English and Arabic ────────────────────────────────────────────────────────────────────


def earlier_figures(news: Path) -> dict[str, Figure]:
    """B³ F1 on the events of `events.csv`; each set is placed alone, whole and in the order of its days."""
    with (LABELS / "events.csv").open(encoding="utf-8", newline="") as file:
        wanted = {row["id"]: row["event"] for row in csv.DictReader(file)}
    got: dict[str, str] = {}
    for name in EARLIER:
        got |= placed(_dated(texts(news, name).values()))
    return _only({"stories/earlier/b-cubed": _b_cubed_figure(b_cubed(wanted, got))})


def _dated(rows: Iterable[Mapping[str, Any]]) -> Iterator[Profile]:
    for row in rows:
        if len(row["date"]) >= 10:
            yield _profile(row, datetime.fromisoformat(row["date"][:10]).replace(tzinfo=UTC))


def _profile(row: Mapping[str, Any], published: datetime) -> Profile:
    source = row.get("source") or ""
    return profile(id=row["id"], title=row["title"], text=row["text"], published=published, source=source)


def placed(profiles: Iterable[Profile]) -> dict[str, str]:
    """Article → story, placed in the order of publication as `newswatch stories` does."""
    recent = Recent()
    return {p.id: recent.place(p).story_id for p in sorted(profiles, key=lambda p: (p.published, p.id))}


def _b_cubed_figure(articles: Sequence[BCubed]) -> Figure | None:
    events = by_event(articles)
    return resampled(events, lambda drawn: b_cubed_f1(article for event in drawn for article in event))


# ── events of 2024 to 2026, in nine languages ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Truth:
    """What readers say of the articles of `stories_dev`."""

    events: Mapping[str, str]
    """Article → event; one that is only in a hard pair is an event of its own."""
    languages: Mapping[str, str]
    hard: frozenset[Pair]
    """Pairs that look alike and must not join."""
    skip: frozenset[Pair]
    """Pairs that readers leave open."""


def recent_figures(folder: Path) -> dict[str, Figure]:
    """B³, pairs across languages and hard pairs on `stories_dev`, placed among the background of the same weeks."""
    rows = [row for name in RECENT[:2] for row in json_lines((folder / name).read_bytes())]
    got = placed(_profile(row, _moment(row["published"])) for row in rows)
    return story_figures(_truth(folder, {row["id"]: row["language"] for row in rows}), got)


def _moment(published: str) -> datetime:
    moment = datetime.fromisoformat(published)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _truth(folder: Path, languages: Mapping[str, str]) -> Truth:
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        events = {row["id"]: row["event"] for row in csv.DictReader(file)}
    pairs: dict[str, set[Pair]] = defaultdict(set)
    with (folder / "hard.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pairs["hard" if row["label"] == "hard" else "skip"].add(frozenset((row["a"], row["b"])))
    alone = {article: f"alone {article}" for pair in pairs["hard"] for article in pair}
    return Truth(alone | events, languages, frozenset(pairs["hard"]), frozenset(pairs["skip"]))


def story_figures(truth: Truth, got: Mapping[str, str]) -> dict[str, Figure]:
    """The figures of stories `got` (article → story)."""
    pairs = [_Pair.of(a, b, truth, got) for a, b in combinations(sorted(truth.events), 2)]
    judged = [p for p in pairs if not p.skipped]
    across = [p for p in judged if p.across]
    apart = [len({got[article] for article in pair}) > 1 for pair in truth.hard]
    counted = Counter((p.wanted, p.joined) for p in across)
    joined, same = counted[True, True], counted[True, True] + counted[True, False]
    return _only(
        {
            "stories/recent/b-cubed-within-language": _b_cubed_figure(_within_languages(truth, got)),
            "stories/recent/b-cubed": _b_cubed_figure(b_cubed(truth.events, got, truth.skip)),
            "stories/recent/pairs-across-languages/recall": share(joined, same),
            "stories/recent/pairs-across-languages/precision": share(joined, joined + counted[False, True]),
            "stories/recent/hard-pairs-apart": share(sum(apart), len(apart)),
        }
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    wanted: bool
    joined: bool
    across: bool
    skipped: bool

    @classmethod
    def of(cls, a: str, b: str, truth: Truth, got: Mapping[str, str]) -> _Pair:
        return cls(
            wanted=truth.events[a] == truth.events[b],
            joined=got[a] == got[b],
            across=truth.languages[a] != truth.languages[b],
            skipped=frozenset((a, b)) in truth.skip,
        )


def _within_languages(truth: Truth, got: Mapping[str, str]) -> list[BCubed]:
    """B³ of each language's articles among themselves."""
    scores: list[BCubed] = []
    for language in sorted({truth.languages[article] for article in truth.events}):
        wanted = {a: f"{language} {event}" for a, event in truth.events.items() if truth.languages[a] == language}
        scores += b_cubed(wanted, got, truth.skip)
    return scores


def _only(figures: Mapping[str, Figure | None]) -> dict[str, Figure]:
    return {path: figure for path, figure in figures.items() if figure}
