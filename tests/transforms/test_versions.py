"""Versions: what changed, and whether the outlet says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.article import Edit
from transforms.versions import Notice, notice, told_edits, word_diff


def test_the_changed_words_are_told() -> None:
    before = "A bomb killed nine people on Monday. Police, it said, blamed the rebels. It cost 5,000 euros."
    after = "A bomb  killed eleven people on monday. Police, it said, blamed nobody yet. It cost 6,000 euros."
    assert told_edits(before, after) == (
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
        ("CORRECTED-NATO to buy drones", "Text.", Notice.CORRECTION),
        ("NATO to buy drones (corrected)", "Text.", Notice.CORRECTION),
        ("T", "Text. This story has been corrected to say that it was Monday.", Notice.CORRECTION),
        ("T", "Korrektur: In einer früheren Version stand ein falscher Name.", Notice.CORRECTION),
        ("T", "Rectificatif : le ministre ne s'appelle pas ainsi.", Notice.CORRECTION),
        ("T", "Fe de erratas: la fecha era otra.", Notice.CORRECTION),
        ("T", "Errata corrige: la data era sbagliata.", Notice.CORRECTION),
        ("T", "Sprostowanie: podaliśmy błędną datę.", Notice.CORRECTION),
        ("T", "Исправлено: дата была неверной.", Notice.CORRECTION),
        ("T", "تصحيح: ورد اسم الوزير خطأ.", Notice.CORRECTION),
        ("T", "訂正 大臣の名前に誤りがありました。", Notice.CORRECTION),
        ("Clarification: what the minister meant", "Text.", Notice.CLARIFICATION),
        ("T", "Klarstellung: Der Minister war nicht dabei.", Notice.CLARIFICATION),
        ("T", "Aclaración: el ministro no estaba.", Notice.CLARIFICATION),
        ("T", "This article has been retracted by the editors.", Notice.RETRACTION),
        ("T", "Die Redaktion hat den Artikel zurückgezogen.", Notice.RETRACTION),
        ("T", "The story has been withdrawn after an inquiry.", Notice.RETRACTION),
        ("Minister demands that the paper retracted its story", "He asked for a retraction.", None),
        ("Correctional officers strike", "The correction of the course was welcome.", None),
        ("Markets: a correction is due", "Shares fell.", None),
        ("T", "Plain text.", None),
    ],
)
def test_notices_in_many_languages(title: str, text: str, kind: Notice | None) -> None:
    assert notice(title, text) is kind


def test_the_edits_that_are_kept_can_be_followed() -> None:
    before = "The Alliance will send ten planes. " * 20
    assert told_edits(before, before.replace("ten", "twelve", 1)) == (Edit("text", "ten", "twelve"),)
    assert told_edits(before, "Another text altogether, about gardens.") == ()
    assert told_edits("", "word " * 3_000) == ()
