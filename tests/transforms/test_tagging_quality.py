"""Floors under the quality of the tags: what is measured may rise, and must not drop in silence."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from newswatch.config import plain
from transforms.language import detect
from transforms.tag import Tagger

HERE = Path(__file__).parent
TOPICS = ("nato", "counter-terrorism")
GRADES = {"main": 2, "mention": 1}


@dataclass(frozen=True)
class Graded:
    """A text with the grades its reader gave it and those the tagger gives it."""

    name: str
    language: str
    trap: str
    wanted: dict[str, int]
    got: dict[str, int]


def graded(tagger: Tagger, title: str, text: str) -> dict[str, int]:
    found = tagger.tag(title=title, text=text, language=detect(f"{title}\n{text}"))
    return {t: max((GRADES[tag.level] for tag in found.tags if tag.tag == t), default=0) for t in TOPICS}


def f1(pairs: Iterable[tuple[bool, bool]]) -> float:
    """F1 of (wanted, got) pairs; 1 where there was nothing to find and nothing was found."""
    listed = list(pairs)
    hits, ends = sum(w and g for w, g in listed), sum(w + g for w, g in listed)
    return 2 * hits / ends if ends else 1.0


def quality(texts: Sequence[Graded], topic: str, least: int) -> float:
    return f1((t.wanted[topic] >= least, t.got[topic] >= least) for t in texts)


@pytest.fixture(scope="module")
def own(tagger: Tagger) -> list[Graded]:
    rows = plain((HERE / "data" / "labelled_texts.yaml").read_text(encoding="utf-8"))
    return [
        Graded(title, language, trap, {"nato": nato, "counter-terrorism": ct}, graded(tagger, title, text))
        for language, nato, ct, trap, title, text in rows
    ]


@pytest.fixture(scope="module")
def real(tagger: Tagger, shared_news: Path) -> list[Graded]:
    lines = (shared_news / "labelled_dev.jsonl").read_text(encoding="utf-8").strip().split("\n")
    rows = [json.loads(line) for line in lines]
    return [
        Graded(
            r["id"],
            r["lang"],
            r["labels"]["hard_case"] or "",
            {t: r["labels"][t] for t in TOPICS},
            graded(tagger, r["title"], r["text"]),
        )
        for r in rows
    ]


def test_there_are_enough_texts_of_our_own(own: list[Graded]) -> None:
    assert len(own) >= 150
    wanted = {
        "en",
        "fr",
        "de",
        "es",
        "it",
        "nl",
        "pt",
        "pl",
        "ro",
        "el",
        "sv",
        "ru",
        "uk",
        "tr",
        "ar",
        "fa",
        "zh",
        "ja",
    }
    assert {t.language for t in own} >= wanted


@pytest.mark.parametrize(("topic", "least", "floor"), [(t, least, 0.95) for t in TOPICS for least in (1, 2)])
def test_own_texts(own: list[Graded], topic: str, least: int, floor: float) -> None:
    assert quality(own, topic, least) >= floor


def test_own_texts_in_each_language(own: list[Graded]) -> None:
    for language in {t.language for t in own}:
        texts = [t for t in own if t.language == language]
        for topic in TOPICS:
            assert quality(texts, topic, 1) >= 0.85, (language, topic)


def test_no_trap_is_tagged_main(own: list[Graded]) -> None:
    sprung = [t.name for t in own if t.trap and max(t.wanted.values()) == 0 and max(t.got.values()) == 2]
    assert sprung == []


def test_few_traps_are_tagged_at_all(own: list[Graded]) -> None:
    traps = [t for t in own if t.trap and max(t.wanted.values()) == 0]
    assert sum(max(t.got.values()) > 0 for t in traps) <= 0.05 * len(traps)


@pytest.mark.parametrize(
    ("topic", "least", "floor"),
    [("nato", 2, 0.95), ("nato", 1, 0.84), ("counter-terrorism", 2, 0.91), ("counter-terrorism", 1, 0.91)],
)
def test_real_articles(real: list[Graded], topic: str, least: int, floor: float) -> None:
    assert quality(real, topic, least) >= floor


def test_real_articles_in_arabic(real: list[Graded]) -> None:
    arabic = [t for t in real if t.language == "ar"]
    for topic in TOPICS:
        assert quality(arabic, topic, 1) >= 0.9, topic


def test_hard_negatives_are_hardly_ever_main(real: list[Graded]) -> None:
    hard = [t for t in real if t.trap and max(t.wanted.values()) == 0]
    assert sum(max(t.got.values()) == 2 for t in hard) <= 0.02 * len(hard)


def test_labels_read_for_calibration_are_well_formed() -> None:
    with (HERE / "data" / "read_labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(r["topic"], r["id"]) for r in rows}) == len(rows) >= 140
    assert {r["topic"] for r in rows} == set(TOPICS)
    assert {r["grade"] for r in rows} == {"0", "1", "2"}
