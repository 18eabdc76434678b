"""Figures of stories, near-duplicates and extraction, on a few cases written here."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from benchmarks.evaluate.extraction import (
    NOW,
    PageScore,
    TruthPage,
    extraction_figures,
    precision_and_recall,
    score,
    text_f1,
)
from benchmarks.evaluate.labels import half
from benchmarks.evaluate.stories import Truth, seen, story_figures

TRUTH = Truth(
    events={"a": "1", "b": "1", "c": "1", "d": "2", "e": "alone e"},
    languages={"a": "en", "b": "en", "c": "de", "d": "de", "e": "en"},
    hard=frozenset({frozenset("ae"), frozenset("de")}),
    skip=frozenset({frozenset("bd")}),
)


def test_perfect_stories() -> None:
    found = story_figures(TRUTH, {"a": "x", "b": "x", "c": "x", "d": "y", "e": "z"})
    assert {path.removeprefix("stories/recent/"): f.value for path, f in found.items() if "unread" not in path} == {
        "b-cubed-within-language": 1,
        "b-cubed": 1,
        "pairs-across-languages/recall": 1,
        "pairs-across-languages/precision": 1,
        "pairs-within-language/recall": 1,
        "pairs-within-language/precision": 1,
        "hard-pairs-apart": 1,
    }


def test_pairs_of_the_half_that_nobody_read_are_counted_apart() -> None:
    names = "abcdefghijklmnop"
    unread, read = (name for name in names if not seen(name)), (name for name in names if seen(name))
    truth = replace(TRUTH, events=dict.fromkeys("ab", next(unread)) | {article: next(read) for article in "cde"})
    figures = story_figures(truth, {"a": "x", "b": "y", "c": "z", "d": "z", "e": "w"})
    assert figures["stories/recent/pairs-within-language/unread/recall"].value == 0
    assert "stories/recent/pairs-within-language/unread/precision" not in figures
    assert figures["stories/recent/pairs-within-language/precision"].value == 0


def test_each_fault_shows_where_it_belongs() -> None:
    apart = story_figures(TRUTH, {"a": "x", "b": "x", "c": "w", "d": "y", "e": "z"})
    assert apart["stories/recent/b-cubed-within-language"].value == 1
    assert apart["stories/recent/b-cubed"].value < 1
    assert apart["stories/recent/pairs-across-languages/recall"].value == 0
    assert "stories/recent/pairs-across-languages/precision" not in apart
    merged = story_figures(TRUTH, {"a": "x", "b": "x", "c": "x", "d": "z", "e": "z"})
    assert merged["stories/recent/hard-pairs-apart"].value == 0.5
    assert merged["stories/recent/pairs-across-languages/precision"].value == 2 / 3


def test_a_pair_left_open_counts_neither_way() -> None:
    joined = story_figures(TRUTH, {"a": "v", "b": "x", "c": "w", "d": "x", "e": "z"})
    assert "stories/recent/pairs-across-languages/precision" not in joined


def test_text_is_compared_by_its_4_grams() -> None:
    assert precision_and_recall("a b c d e", "a b c d e") == (1.0, 1.0)
    assert precision_and_recall("a b c d e", "a b c d") == (1.0, 0.5)
    assert precision_and_recall("a b c d", "a b c d e") == (0.5, 1.0)
    assert precision_and_recall("a b c d", "") == (0.0, 0.0)
    assert precision_and_recall("北约加入联盟", "北约加入联") == (1.0, 2 / 3)


def test_f1_is_of_the_means_over_pages() -> None:
    scores = [PageScore(1.0, 0.5, False, None, None), PageScore(0.5, 0.5, False, None, None)]
    assert text_f1(scores) == 2 * 0.75 * 0.5 / 1.25
    assert text_f1([PageScore(0, 0, True, None, None)]) == 0


def test_a_page_is_extracted_and_compared() -> None:
    words = " ".join(
        f"The council agreed on point {n} of the long plan after a debate of some hours." for n in range(9)
    )
    body = f"<html><head><title>Allies agree</title></head><body><article><h1>Allies agree</h1><p>{words}</p></article>"
    page = TruthPage(
        "p", "https://herald.example/p", body.encode(), words, "Allies agree", datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert score(replace(page, title="Another"), NOW).title is False
    assert score(replace(page, title=None, published=None), NOW) == PageScore(1, 1, False, None, None)
    found = extraction_figures("ours", [page])
    wanted = {"text": 1, "not-empty": 1, "title": 1, "date": 0}
    assert {path: f.value for path, f in found.items()} == {
        f"extraction/ours/{part}{what}": value for part in ("", f"{page.half}/") for what, value in wanted.items()
    }


def test_publishers_are_split_and_not_their_pages() -> None:
    pages = [
        TruthPage(str(n), "", b"", "", publisher=name)
        for n, name in enumerate(["herald.example", "courier.example"] * 2)
    ]
    assert [page.half for page in pages] == [half("herald.example"), half("courier.example")] * 2
