"""What says the same: counters, ages and stamps say nothing, a number in a sentence does."""

from __future__ import annotations

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from ingest.calendar_names import locales
from ingest.wording import words

SAME = [
    ("Allies meet (12 min ago)", "Allies meet (47 min ago)"),
    ("12 min ago - Allies meet", "1 hour ago - Allies meet"),
    ("12 min ago: Allies meet", "2 hours ago: Allies meet"),
    ("Allies meet in Brussels 12 min ago", "Allies meet in Brussels 25 min ago"),
    ("Allies meet. 12 min ago", "Allies meet. 22 min ago"),
    ("Posted 12 min ago. Allies meet.", "Posted 13 min ago. Allies meet."),
    ("Bündnis tagt | vor 12 Minuten", "Bündnis tagt | vor 1 Stunde"),
    ("Bündnis tagt vor 12 Min.", "Bündnis tagt vor 14 Min."),
    ("L'Alliance se réunit il y a 12 minutes", "L'Alliance se réunit il y a 3 heures"),
    ("La Alianza se reúne hace 5 minutos", "La Alianza se reúne hace 9 minutos"),
    ("Встреча союзников, 12 минут назад", "Встреча союзников, 2 часа назад"),
    ("会议 12分钟前", "会议 13分钟前"),
    ("会議 · 12 分前", "会議 · 2 時間前"),
    ("회의 · 12분 전", "회의 · 3시간 전"),
    ("اجتماع | منذ 12 دقيقة", "اجتماع | منذ 3 ساعات"),
    ("Müttefikler - 12 dakika önce", "Müttefikler - 2 saat önce"),
    ("Allies met. Comments (12)", "Allies met. Comments (13)"),
    ("Allies met.\n3 comments", "Allies met.\n4 comments"),
    ("Allies met. No comments", "Allies met. 1 comment"),
    ("Allies met\n0 Comments »", "Allies met\n3 Comments »"),
    ("Comments: 3 - Allies met", "Comments: 4 - Allies met"),
    ("Allies met [Comments: 3]", "Allies met [Comments: 5]"),
    ("Bündnis\n12 Kommentare", "Bündnis\n13 Kommentare"),
    ("Alliance\n3 commentaires", "Alliance\n4 commentaires"),
    ("Союзники (3 комментария)", "Союзники (5 комментариев)"),
    ("حلف\nالتعليقات (١٢)", "حلف\nالتعليقات (١٣)"),
    ("حلف\nمشاهدات: 12", "حلف\nمشاهدات: 13"),
    ("北约\n评论(12)", "北约\n评论(13)"),
    ("北约\n12条评论", "北约\n13条评论"),
    ("北約\nコメント3件", "北約\nコメント4件"),
    ("나토\n댓글 3개", "나토\n댓글 5개"),
    ("नाटो\nटिप्पणियाँ (१२)", "नाटो\nटिप्पणियाँ (१३)"),
    ("Συμμαχία\n3 σχόλια", "Συμμαχία\n4 σχόλια"),
    ("Müttefikler\n3 yorum", "Müttefikler\n4 yorum"),
    ("Bondgenoten\nReacties (3)", "Bondgenoten\nReacties (4)"),
    ("Allies met - 1.2K views", "Allies met - 1.3K views"),
    ("Allies met\n👍 12 💬 3", "Allies met\n👍 13 💬 4"),
    ("Allies met. Updated 18:05", "Allies met. Updated 18:15"),
    ("Allies met\nLast updated: 6 July 2026, 18:05 CET", "Allies met\nLast updated: 7 July 2026, 10:05 CET"),
    ("Bündnis\nStand: 18:05 Uhr", "Bündnis\nStand: 19:05 Uhr"),
    ("Allies met in Brussels Comments (3)", "Allies met in Brussels Comments (4)"),
    ("Allies met | just now", "Allies met | 2 minutes ago"),
    ("Bündnis tagt - vor einer Stunde", "Bündnis tagt - vor 2 Stunden"),
    ("Союзники · час назад", "Союзники · 2 часа назад"),
    ("Allies met\nBe the first to comment", "Allies met\n1 comment so far"),
    ("Allies  met\n in Brussels", "Allies met in Brussels"),
]

OTHER = [
    ("12 killed", "14 killed"),
    ("Blast in Kabul. 12 killed.", "Blast in Kabul. 14 killed."),
    ("Blast (12 dead)", "Blast (14 dead)"),
    ("Attack kills many (12)", "Attack kills many (14)"),
    ("12 Tote, 3 Verletzte", "14 Tote, 3 Verletzte"),
    ("Zwölf Tote | 12 Verletzte", "Zwölf Tote | 14 Verletzte"),
    ("12 погибли", "14 погибли"),
    ("12人死亡", "14人死亡"),
    ("قتل ١٢", "قتل ١٤"),
    ("Toll: 12", "Toll: 14"),
    ("Die Zahl stieg auf 12", "Die Zahl stieg auf 14"),
    ("He made 12 comments on NATO", "He made 14 comments on NATO"),
    ("Over 100 comments by ministers leaked", "Over 200 comments by ministers leaked"),
    ("12 reactions to the summit", "14 reactions to the summit"),
    ("NATO likes 2%", "NATO likes 3%"),
    ("Ms Roe (345 votes)", "Ms Roe (354 votes)"),
    ("The blast was heard 2 hours ago.", "The blast was heard 3 hours ago."),
    ("He died 2 days ago", "He died 3 days ago"),
    ("12 minutes of silence", "13 minutes of silence"),
    ("Talks last 12 h", "Talks last 14 h"),
    ("Meeting at 18:00", "Meeting at 19:00"),
    ("18:00 Live post", "18:10 Live post"),
    ("Summit on 6 July", "Summit on 7 July"),
    ("Warning 1: drones", "Warning 2: drones"),
    ("No comment", "Comment"),
    ("Now", "Just"),
    ("Killed in action (12)", "Killed in action (14)"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_label_says_nothing(one: str, other: str) -> None:
    assert words(one) == words(other) != ""


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_a_number_in_a_sentence_says_something(one: str, other: str) -> None:
    assert words(one) != words(other)


NOT_READ = {"am", "gu", "km", "kn", "lo", "ml", "mr", "my", "ne", "pa", "si", "ta", "te"}
"""Their words for ages are glued to the number or to each other: an age in them makes a page be asked for again."""


def test_the_ages_of_locales_are_known() -> None:
    unknown = []
    for code in locales().keys() - NOT_READ:
        fields = Locale.parse(code)._data["date_fields"]
        for unit in ("minute", "minute-short", "hour", "hour-short"):
            patterns = dict(fields[unit]["past"]).values() if unit in fields and "past" in fields[unit] else ()
            unknown += [
                (code, pattern)
                for pattern in patterns
                if "{0}" in pattern and not pattern.startswith("-") and words(f"NATO | {pattern.format(12)}") != "NATO"
            ]
    assert not unknown


@given(st.text(max_size=200))
def test_any_text_has_words_and_they_have_the_same(text: str) -> None:
    said = words(text)
    assert "\n" not in said
    assert said == " ".join(said.split())
