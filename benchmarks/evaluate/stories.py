"""How well articles are grouped into stories: B³ against events that were read, and pairs that must not join."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.evaluate.labels import LABELS, json_lines, texts
from benchmarks.evaluate.measures import BCubed, Figure, b_cubed, b_cubed_f1, by_event, resampled, share
from transforms.background import Background
from transforms.encoder import Encoder
from transforms.grouping import Report, grouped
from transforms.language import detect
from transforms.likeness import weigh
from transforms.story import StoryCandidate, place

EARLIER = ("abp", "ant_multi")
"""The sets whose events are in `tests/transforms/data/events.csv`."""
RECENT = ("articles.jsonl", "background.jsonl", "events.csv", "hard.csv")
"""The files of `stories_dev`."""
Pair = frozenset[str]


def seen(event: str) -> bool:
    """Whether the event is in the half that may be read; of the other half only figures are computed."""
    return hashlib.sha256(event.encode()).digest()[-1] % 2 == 0


# ── events of 2004 to 2018, in English and Arabic ────────────────────────────────────────────────────────────────────


def earlier_figures(news: Path) -> dict[str, Figure]:
    """B³ F1 on the events of `events.csv`; each set is placed alone, whole and in the order of its days."""
    got: dict[str, str] = {}
    for name in EARLIER:
        got |= placed(report_of(row) for row in texts(news, name).values() if len(row["date"]) >= 10)
    return _only({"stories/earlier/b-cubed": _b_cubed_figure(b_cubed(earlier_events(), got))})


def earlier_events() -> dict[str, str]:
    """Article → event."""
    with (LABELS / "events.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["event"] for row in csv.DictReader(file)}


def report_of(row: Mapping[str, Any]) -> Report:
    """An article of the news beside the project."""
    moment = datetime.fromisoformat(row.get("published") or row["date"][:10])
    return Report(
        id=row["id"],
        title=row["title"],
        text=row["text"],
        published=moment if moment.tzinfo else moment.replace(tzinfo=UTC),
        source=row.get("source") or "",
        language=row.get("language") or row.get("lang") or detect(f"{row['title']}\n{row['text']}") or "",
    )


def placed(reports: Iterable[Report], encoder: Encoder | None = None) -> dict[str, str]:
    """Article → story, placed in the order of publication as `newswatch stories` does."""
    return {article: place.story_id for article, place in grouped(list(reports), encoder=encoder).items()}


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


def recent_figures(folder: Path, encoder: Encoder | None = None) -> dict[str, Figure]:
    """B³, pairs across languages and hard pairs on `stories_dev`, placed among the background of the same weeks.

    With an encoder its vectors join languages, and the paths begin with `stories/vectors` instead of `stories/recent`.
    """
    rows = recent_rows(folder)
    got = placed((report_of(row) for row in rows), encoder)
    truth = recent_truth(folder, {row["id"]: row["language"] for row in rows})
    return story_figures(truth, got, "stories/vectors" if encoder else "stories/recent")


def recent_rows(folder: Path) -> list[Mapping[str, Any]]:
    """The articles of `stories_dev` with their background."""
    return [row for name in RECENT[:2] for row in json_lines((folder / name).read_bytes())]


def copies_figures(news: Path) -> dict[str, Figure]:
    """How many of the copies that were found in the recent news, and read, report what their originals do.

    Each pair of `story_copies.csv` is placed by itself. Another event in the same words counts as wrong; an edited
    article, or one with a later number of dead, does not.
    """
    found = {row["id"]: row for row in texts(news, "recent").values()}
    found |= {row["id"]: row for name in RECENT[:2] for row in json_lines((news / "stories_dev" / name).read_bytes())}
    with (LABELS / "story_copies.csv").open(encoding="utf-8", newline="") as file:
        called = [pair for pair in csv.DictReader(file) if _is_copy(found[pair["copy"]], found[pair["original"]])]
    unread = [pair for pair in called if pair["half"] == "unseen"]
    return _only(
        {
            f"stories/copies/{name}": share(sum(pair["same"] == "yes" for pair in pairs), len(pairs))
            for name, pairs in (("right", called), ("unread/right", unread))
        }
    )


def _is_copy(row: Mapping[str, Any], original: Mapping[str, Any]) -> bool:
    new, known = (weigh(report_of(one).profile(), Background()) for one in (row, original))
    return place(new, [StoryCandidate(known, known.profile.id)]).duplicate_of is not None


def recent_truth(folder: Path, languages: Mapping[str, str]) -> Truth:
    """The events and pairs of `stories_dev`; `languages` are those of all its articles."""
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        events = {row["id"]: row["event"] for row in csv.DictReader(file)}
    pairs: dict[str, set[Pair]] = defaultdict(set)
    with (folder / "hard.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pairs["hard" if row["label"] == "hard" else "skip"].add(frozenset((row["a"], row["b"])))
    alone = {article: f"alone {article}" for pair in pairs["hard"] for article in pair}
    return Truth(alone | events, languages, frozenset(pairs["hard"]), frozenset(pairs["skip"]))


def story_figures(truth: Truth, got: Mapping[str, str], under: str = "stories/recent") -> dict[str, Figure]:
    """The figures of stories `got` (article → story); their paths begin with `under`."""
    pairs = [_Pair.of(a, b, truth, got) for a, b in combinations(sorted(truth.events), 2)]
    judged = [p for p in pairs if not p.skipped]
    across, within = [p for p in judged if p.across], [p for p in judged if not p.across]
    apart = [len({got[article] for article in pair}) > 1 for pair in truth.hard]
    figures = {
        "b-cubed-within-language": _b_cubed_figure(_within_languages(truth, got)),
        "b-cubed": _b_cubed_figure(b_cubed(truth.events, got, truth.skip)),
        "hard-pairs-apart": share(sum(apart), len(apart)),
        **_pair_figures("pairs-across-languages", across),
        **_pair_figures("pairs-across-languages/unread", [p for p in across if p.unread]),
        **_pair_figures("pairs-within-language", within),
        **_pair_figures("pairs-within-language/unread", [p for p in within if p.unread]),
    }
    return _only({f"{under}/{name}": figure for name, figure in figures.items()})


def _pair_figures(name: str, pairs: Sequence[_Pair]) -> dict[str, Figure | None]:
    counted = Counter((p.wanted, p.joined) for p in pairs)
    right, missed, wrong = counted[True, True], counted[True, False], counted[False, True]
    return {
        f"{name}/recall": share(right, right + missed),
        f"{name}/precision": share(right, right + wrong),
    }


@dataclass(frozen=True, slots=True)
class _Pair:
    wanted: bool
    joined: bool
    across: bool
    skipped: bool
    unread: bool
    """Both articles are on events of the half that was never read."""

    @classmethod
    def of(cls, a: str, b: str, truth: Truth, got: Mapping[str, str]) -> _Pair:
        return cls(
            wanted=truth.events[a] == truth.events[b],
            joined=got[a] == got[b],
            across=truth.languages[a] != truth.languages[b],
            skipped=frozenset((a, b)) in truth.skip,
            unread=not seen(truth.events[a]) and not seen(truth.events[b]),
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
