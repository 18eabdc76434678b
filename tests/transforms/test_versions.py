"""Versions: what changed, and whether the outlet says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.article import Edit
from transforms.versions import Notice, changes, notice, told_edits


def test_the_changed_words_are_told() -> None:
    before = ("Bomb kills nine", "", "A bomb killed nine people on Monday. Police blamed the rebels.")
    after = ("Bomb kills eleven", "", "A bomb killed eleven people on Monday. Police blamed nobody yet.")
    found = changes(before, after)
    assert found.fields == ("title", "text")
    assert found.edits == (
        Edit("title", "nine", "eleven"),
        Edit("text", "nine", "eleven"),
        Edit("text", "the rebels.", "nobody yet."),
    )
    assert found.notice is None
    assert 0.2 < found.share < 0.4


def test_white_space_is_no_change_and_case_no_edit() -> None:
    assert changes(("A  b", "", "c\nd"), ("A b", "", "c d")).fields == ()
    assert changes(("a b", "", ""), ("A b", "", "")).edits == ()


def test_a_notice_counts_when_it_is_new() -> None:
    text = "The minister resigned."
    told = text + "\nCorrection: an earlier version of this article misstated the minister's name."
    assert changes(("T", "", text), ("T", "", told)).notice is Notice.CORRECTION
    assert changes(("T", "", told), ("T", "", told + " Again.")).notice is None


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


@given(st.text(max_size=60), st.text(max_size=60))
def test_there_are_edits_only_where_a_field_changed(before: str, after: str) -> None:
    found = changes(("", "", before), ("", "", after))
    assert {e.field for e in found.edits} <= set(found.fields)
    assert 0 <= found.share <= 1


def test_the_edits_that_are_kept_can_be_followed() -> None:
    before = "The Alliance will send ten planes. " * 20
    assert told_edits(before, before.replace("ten", "twelve", 1)) == (Edit("text", "ten", "twelve"),)
    assert told_edits(before, "Another text altogether, about gardens.") == ()
    assert told_edits("", "word " * 3_000) == ()
