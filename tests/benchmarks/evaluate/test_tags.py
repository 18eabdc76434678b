"""Figures of tags, on articles written here and a tagger that says what a test wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from benchmarks.evaluate import feed_items
from benchmarks.evaluate.labels import Grade, LabelledArticle, Sentence
from benchmarks.evaluate.tags import Judged, confusion, judge, length, period, sentence_figures, tag_figures
from newswatch.article import Evidence, Tag
from transforms.tag import Tagged, Tagger

LONG = "The council met. " * 120
NONE = {"nato": 0, "counter-terrorism": 0}
NATO_MAIN = {"nato": 2, "counter-terrorism": 0}


class Naming:
    """Tags NATO where a field names it, main in a title, with evidence `off` by so many characters."""

    def __init__(self, off: int = 0) -> None:
        self.off = off
        self.asked: list[dict[str, str | None]] = []

    def tag(self, **fields: Any) -> Tagged:
        self.asked.append(fields)
        for field in ("title", "summary", "text"):
            at = fields[field].find("NATO")
            if at >= 0:
                evidence = Evidence(cast(Any, field), at + self.off, at + 4 + self.off, "NATO")
                return Tagged((Tag("nato", "main" if field == "title" else "mention", 0.9, (evidence,)),), ())
        return Tagged((), ())


def naming(off: int = 0) -> tuple[Naming, Tagger]:
    fake = Naming(off)
    return fake, cast(Tagger, fake)


def an_article(id: str = "R00c9484b0d2c", **changes: Any) -> LabelledArticle:
    grades = {"nato": Grade(2), "counter-terrorism": Grade(0)}
    whole = LabelledArticle(id, "recent", "labelled", "en", "NATO meets", LONG, None, 2025, grades, "")
    return replace(whole, **changes)


def judged(article: LabelledArticle, got: dict[str, int]) -> Judged:
    """The article with the same levels in every form, and no tags."""
    forms = ("whole", "feed", "stand-in")
    return Judged(article, dict.fromkeys(forms, got), dict.fromkeys(forms, ()))


def test_each_form_gives_the_tagger_what_a_feed_or_a_page_gives() -> None:
    fake, tagger = naming()
    (found,) = judge(tagger, [an_article()])
    assert [(a["summary"], a["text"]) for a in fake.asked] == [("", LONG), (LONG[:200], ""), (LONG[:200], LONG[:200])]
    assert {a["language"] for a in fake.asked} == {"en"}
    assert found.got == dict.fromkeys(("whole", "feed", "stand-in"), NATO_MAIN)


def test_halves_doubts_and_levels() -> None:
    build, test = an_article(), an_article("R008362b50b92")
    unsure = an_article("R00d1904a0d31", grades={"nato": Grade(2, "12"), "counter-terrorism": Grade(0)})
    found = tag_figures([judged(build, NATO_MAIN), judged(test, NONE), judged(unsure, NONE)])
    assert found["tags/nato/main/whole/build"].value == 1
    assert (found["tags/nato/main/whole/test"].value, found["tags/nato/main/whole/test"].texts) == (0, 1)
    assert found["tags/nato/any/whole/test"].texts == 2
    assert found["tags/nato/main/whole/both/recall"].value == 0.5
    assert found["tags/nato/main/whole/both/with-doubts"].texts == 3
    assert "tags/counter-terrorism/any/whole/build" not in found


def test_articles_that_were_tuned_on_stand_apart() -> None:
    found = tag_figures([judged(an_article(origin="before"), NATO_MAIN), judged(an_article(), NONE)])
    assert found["tags/nato/any/whole/set=before"].value == 1
    assert found["tags/nato/any/whole/set=labelled"].value == 0
    assert found["tags/nato/any/whole/both"].cases == 1


def test_articles_that_were_read_again_are_judged_both_ways() -> None:
    missed = an_article("D0040", origin="before", grades={"nato": Grade(0), "counter-terrorism": Grade(0)})
    unread = an_article("D-", origin="before")
    found = tag_figures([judged(missed, NONE), judged(unread, NATO_MAIN)])
    assert found["tags/nato/any/whole/set=before"].value == 1
    assert found["tags/nato/any/whole/set=before-again"].value == pytest.approx(2 / 3)


def test_main_needs_the_tag_main() -> None:
    found = tag_figures([judged(an_article(), {**NONE, "nato": 1})])
    assert found["tags/nato/any/whole/build"].value == 1
    assert found["tags/nato/main/whole/build"].value == 0


def test_slices_by_language_length_and_year() -> None:
    articles = [an_article(), an_article(language="sv", text="Kort.", year=None)]
    found = tag_figures([judged(a, NATO_MAIN) for a in articles])
    sliced = {path for path in found if path.startswith("tags/nato/main/feed/") and "=" in path}
    values = ("set=labelled", "language=en", "language=sv", "length=long", "length=short", "year=2025", "year=undated")
    assert sliced == {f"tags/nato/main/feed/{value}" for value in values}


def test_the_share_of_right_levels_counts_where_nothing_is_on_the_topic() -> None:
    silent, unsure = (
        an_article(language="cs"),
        an_article(language="cs", grades={"nato": Grade(None), "counter-terrorism": Grade(0, "01")}),
    )
    silent = replace(silent, grades={"nato": Grade(0), "counter-terrorism": Grade(0)})
    found = tag_figures([judged(silent, {"nato": 1, "counter-terrorism": 0}), judged(unsure, NONE)])
    assert (found["tags/nato/right/whole/language=cs"].value, found["tags/nato/right/whole/language=cs"].cases) == (
        0,
        1,
    )
    assert found["tags/counter-terrorism/right/whole/language=cs"].cases == 2


def test_traps_count_only_texts_that_say_nothing() -> None:
    nothing = {"nato": Grade(0), "counter-terrorism": Grade(0)}
    trap = an_article(trap="metaphor", grades=nothing)
    unsure = an_article(trap="crime", grades={"nato": Grade(0, "01"), "counter-terrorism": Grade(0)})
    articles = [judged(trap, NATO_MAIN), judged(trap, {**NONE, "nato": 1}), judged(unsure, NATO_MAIN)]
    articles.append(judged(an_article(trap="crime"), NATO_MAIN))
    found = tag_figures(articles)
    assert (found["traps/metaphor/untagged/whole"].value, found["traps/metaphor/untagged/whole"].cases) == (0, 2)
    assert found["traps/metaphor/not-main/feed"].value == 0.5
    assert found["traps/all/not-main/whole"].cases == 2
    assert not any(path.startswith("traps/crime") for path in found)


@pytest.mark.parametrize(("off", "right"), [(0, 1.0), (1, 0.0)])
def test_evidence_is_looked_up_where_it_says(off: int, right: float) -> None:
    found = tag_figures(judge(naming(off)[1], [an_article()]))
    assert (found["tags/evidence"].value, found["tags/evidence"].cases) == (right, 3)


def test_the_same_words_are_compared_as_summary_and_as_both() -> None:
    same = judged(an_article(), NONE)
    other = replace(same, got={**same.got, "stand-in": NATO_MAIN})
    assert tag_figures([same, other])["tags/same-words"].value == 0.5


def test_the_confusion_is_of_sure_grades_of_one_half() -> None:
    unsure = an_article(grades={"nato": Grade(1, "12"), "counter-terrorism": Grade(0)})
    articles = [an_article(), an_article("R008362b50b92"), unsure, an_article(origin="before")]
    assert confusion([judged(a, NONE) for a in articles], "nato", "whole", "build") == {"2>0": 1}


def test_length_counts_chinese_three_times() -> None:
    assert [length(an_article(text="x" * n)) for n in (1_499, 1_500)] == ["short", "long"]
    assert length(an_article(text="北" * 500, language="zh")) == "long"


def test_years_of_few_texts_are_put_together() -> None:
    years = [None, 1989, 2016, 2021, 2022, 2025]
    assert [period(y) for y in years] == ["undated", "until 2015", "2016–2021", "2016–2021", "2022–2024", "2025"]


def test_a_sentence_stands_alone_in_its_field() -> None:
    fake, tagger = naming()
    silent = {"nato": False, "counter-terrorism": False}
    sentences = [
        Sentence("a", "R00c9484b0d2c", "en", "title", "NATO agrees", {"nato": True, "counter-terrorism": False}, ""),
        Sentence("b", "R00c9484b0d2c", "en", "text", "A NATO member.", silent, "label"),
        Sentence("c", "R00c9484b0d2c", "en", "text", "A list.", {"nato": None, "counter-terrorism": False}, "list"),
    ]
    found = sentence_figures(tagger, sentences)
    assert [(a["title"], a["text"]) for a in fake.asked[:2]] == [("NATO agrees", ""), ("", "A NATO member.")]
    assert found["sentences/nato/build"].value == pytest.approx(2 / 3)
    assert found["sentences/nato/both/precision"].value == 0.5
    assert found["sentences/silent/label"].value == 0
    assert "sentences/silent/list" not in found


def test_items_are_judged_by_what_stands_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(id: str, sample: str, nato: str, doubt: str = "") -> dict[str, str]:
        return {"id": id, "sample": sample, "nato": nato, "nato_doubt": doubt, "ct": "0", "ct_doubt": ""}

    labelled = [row("drawn", "drawn", "0"), row("silent", "missed", "0"), row("said", "missed", "1")]
    labelled.append(row("found", "missed", "2"))
    monkeypatch.setattr(feed_items, "rows", lambda _: labelled)
    ids = ("drawn", "silent", "said")
    judged_articles = [judged(an_article(id), NONE) for id in ids] + [judged(an_article("found"), NATO_MAIN)]
    figures = feed_items.feed_item_figures(judged_articles)
    assert "items/nato/any" not in figures  # the whole text is on it, the item is not, and no tag is right
    missed = {path: (f.value, f.cases) for path, f in figures.items() if "missed" in path and "nato" in path}
    halves = {an_article(id).half for id in ("silent", "said")}
    assert sum(cases for path, (_, cases) in missed.items() if "silent" in path) == 2
    assert {path.split("/")[-1] for path in missed} == halves
