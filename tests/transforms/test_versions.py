"""Versions: what changed, and whether the outlet says so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newswatch.article import Edit
from newswatch.languages import gathered
from transforms.versions import NoticeKind, notice, readable_edits, stem_of, word_diff


def test_the_changed_words_are_told() -> None:
    before = "A bomb killed nine people on Monday. Police, it said, blamed the rebels. It cost 5,000 euros."
    after = "A bomb  killed eleven people on monday. Police, it said, blamed nobody yet. It cost 6,000 euros."
    assert readable_edits(before, after) == (
        Edit("text", "nine", "eleven"),
        Edit("text", "the rebels", "nobody yet"),
        Edit("text", "5,000", "6,000"),
    )


def test_a_title_is_told_word_by_word() -> None:
    assert word_diff("Nine held in Riga", "Ten held in riga, police say") == (
        ("removed", "Nine"),
        ("added", "Ten"),
        ("same", " held in "),
        ("removed", "Riga"),
        ("added", "riga, police say"),
    )
    assert word_diff("", "Ten") == (("added", "Ten"),)


@given(st.text(), st.text())
def test_a_diff_holds_both_texts(before: str, after: str) -> None:
    def bare(*kinds: str) -> str:
        return "".join("".join(text.split()) for kind, text in word_diff(before, after) if kind in kinds)

    assert bare("same", "removed") == "".join(before.split())
    assert bare("same", "added") == "".join(after.split())


@pytest.mark.parametrize(
    ("title", "text", "kind"),
    [
        ("CORRECTED-NATO to buy drones", "Text.", NoticeKind.CORRECTION),
        ("NATO to buy drones (corrected)", "Text.", NoticeKind.CORRECTION),
        ("T", "Text. This story has been corrected to say that it was Monday.", NoticeKind.CORRECTION),
        ("T", "Korrektur: In einer früheren Version stand ein falscher Name.", NoticeKind.CORRECTION),
        ("T", "Rectificatif : le ministre ne s'appelle pas ainsi.", NoticeKind.CORRECTION),
        ("T", "Fe de erratas: la fecha era otra.", NoticeKind.CORRECTION),
        ("T", "Errata corrige: la data era sbagliata.", NoticeKind.CORRECTION),
        ("T", "Sprostowanie: podaliśmy błędną datę.", NoticeKind.CORRECTION),
        ("T", "Исправлено: дата была неверной.", NoticeKind.CORRECTION),
        ("T", "تصحيح: ورد اسم الوزير خطأ.", NoticeKind.CORRECTION),
        ("T", "訂正 大臣の名前に誤りがありました。", NoticeKind.CORRECTION),
        ("Clarification: what the minister meant", "Text.", NoticeKind.CLARIFICATION),
        ("T", "Klarstellung: Der Minister war nicht dabei.", NoticeKind.CLARIFICATION),
        ("T", "Aclaración: el ministro no estaba.", NoticeKind.CLARIFICATION),
        ("T", "This article has been retracted by the editors.", NoticeKind.RETRACTION),
        ("T", "Die Redaktion hat den Artikel zurückgezogen.", NoticeKind.RETRACTION),
        ("T", "The story has been withdrawn after an inquiry.", NoticeKind.RETRACTION),
        ("Minister demands that the paper retracted its story", "He asked for a retraction.", None),
        ("Correctional officers strike", "The correction of the course was welcome.", None),
        ("Markets: a correction is due", "Shares fell.", None),
        ("T", "Plain text.", None),
    ],
)
def test_notices_in_many_languages(title: str, text: str, kind: NoticeKind | None) -> None:
    assert notice(title, text) is kind


def wordings(kind: str) -> tuple[str, ...]:
    return gathered(lambda language: getattr(language.notices, kind))


NOTICES = [pattern for kind in (*NoticeKind, "of_others") for pattern in wordings(kind)]


@pytest.mark.parametrize("pattern", NOTICES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_stem_stands_in_all_that_its_pattern_matches(pattern: str, data: st.DataObject) -> None:
    stem = stem_of(pattern)
    assert len(stem) >= 2, "it spares no work"
    assert stem in data.draw(st.from_regex(pattern))


@pytest.mark.parametrize(
    ("pattern", "stem"),
    [
        ("one|two", ""),
        ("a(?:b|c(?:d)?)ef+", "ef"),
        (r"x[(\]y]{2}(?:a{2}|b)?wi?de", "de"),
        ("ab.*?cde", "cde"),
        (r"a\w+?c{2}?d*+ef++ghi(?:i|j)+?k[]l]m", "ghi"),
        ("", ""),
    ],
)
def test_a_stem_is_only_what_must_be_there(pattern: str, stem: str) -> None:
    assert stem_of(pattern) == stem


def test_the_edits_that_are_kept_can_be_followed() -> None:
    before = "The Alliance will send ten planes. " * 20
    assert readable_edits(before, before.replace("ten", "twelve", 1)) == (Edit("text", "ten", "twelve"),)
    assert readable_edits(before, "Another text altogether, about gardens.") == ()
    assert readable_edits("", "word " * 3_000) == ()
