"""Folding: what is looked for, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.fold import _DROPPED, _MAY_DROP, fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("NATO’s Über-Gipfel", "nato's uber gipfel"),
        ("Łódź, Ðæ, İSTANBUL, ısı", "lodz, dæ, istanbul, isi"),
        ("ＮＡＴＯ加盟", "nato加盟"),
        ("أفغانستان والناتو إلى", "افغانستان والناتو الي"),
        ("ЁЖИК Їжак ҐАВА", "ежик їжак гава"),
        ("τρομοκρατίας", "τρομοκρατιασ"),
        ("بمب‌گذاری", "بمب گذاری"),
        ("tab\there — there", "tab here   there"),
        ("終わり。次、", "終わり.次,"),
        ("١١ و ۱۶ और १९", "11 و 16 और 19"),
    ],
)
def test_golden(text: str, folded: str) -> None:
    assert fold(text).text == fold(folded).text
    assert len(fold(text).text) == len(text)


@pytest.mark.parametrize(
    ("text", "found", "original"),
    [
        ("قُتِلَ شَخْصٌ", "شخص", "شَخْص"),
        ("مقتـــل", "مقتل", "مقتـــل"),
        ('تنظيم "الدولة" قال', "تنظيم الدوله", 'تنظيم "الدولة'),
        ("ter\u00adror ter\u00adror", "terror", "ter\u00adror"),
        ("\u2067NATO\u2069", "nato", "NATO"),
        ("פסגת נאט''ו", "נאטו", "נאט''ו"),
        ('של צה"ל', "צהל", 'צה"ל'),
        ("ՆԱՏՕ՞ն", "նատօն", "ՆԱՏՕ՞ն"),
        ("של אוּקְרָאִינָה", "אוקראינה", "אוּקְרָאִינָה"),
        ("i\u0307stanbul", "istanbul", "i\u0307stanbul"),
        ("क्\u200cषमा", "क्षमा", "क्\u200cषमा"),
        ("می\u200cخواهد", "می خواهد", "می\u200cخواهد"),
        ("ประชุม\u200bนาโต", "ประชุม นาโต", "ประชุม\u200bนาโต"),
        ("Euro\u200bfighter", "eurofighter", "Euro\u200bfighter"),
    ],
)
def test_marks_that_decorate_are_passed_over(text: str, found: str, original: str) -> None:
    folded = fold(text)
    wanted = fold(found).text
    at = folded.text.index(wanted)
    start, end = folded.original(at, at + len(wanted))
    assert text[start:end] == original


@given(st.text(alphabet=[*"aé \"'", *"”״׳אבعاกب\u0301\u00ad\u200b\u200c\u2067"]))
def test_what_may_drop_nothing_drops_nothing(text: str) -> None:
    assert bool(_DROPPED.search(text)) <= bool(_MAY_DROP.search(text))


def test_each_character_that_is_dropped_beside_any_other_may_be_dropped() -> None:
    characters = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    beside = "a{}b", "א{}ב", "ع{}ع", "ก{}ก"
    texts = (pair.format(one) for one in characters for pair in beside)
    assert [text for text in texts if _DROPPED.search(text) and not _MAY_DROP.search(text)] == []


@given(st.text())
def test_folding_keeps_every_position(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) + len(folded.dropped) == len(text)
    for n in range(len(folded.text)):
        start, end = folded.original(n, n + 1)
        assert 0 <= start < end <= len(text)


@given(st.text(alphabet=st.characters(max_codepoint=0x2000)))
def test_both_roads_lead_to_the_same(text: str) -> None:
    mostly_latin = fold(text + "a" * 10 * len(text)).text[: len(fold(text).text)]
    mostly_other = fold(text + "ж" * 10 * len(text)).text[: len(fold(text).text)]
    assert mostly_latin == mostly_other
