"""When other news stands under the id of an entry that has no link."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.pull.linkless import is_other_news
from tests.factories import an_article

SIRENS = "Sirens at the harbour", "The frigate cast off before dawn, dock workers said."
OTHER = [
    (SIRENS, ("Doctors test a vaccine", "Two hundred soldiers volunteered for the trial in Riga.")),
    (SIRENS, ("Prime minister resigns", "")),
    (("北约在里加开会", "各国部长周五抵达。"), ("港口响起警报", "一艘护卫舰黎明前离港，码头工人说。")),
    (("В порту сирены", "Фрегат вышел до рассвета."), ("Врачи проверяют вакцину", "Двести солдат вызвались.")),
    (("สัญญาณเตือนภัยที่ท่าเรือ", ""), ("หมอทดสอบวัคซีนใหม่", "")),
    (("Alert 3", "Drones over the river."), ("Alert 4", "Sirens in the harbour.")),
]
EDITS = [
    (SIRENS, ("Sirens at the harbour", "Nothing is known yet about the cause: authorities keep silent.")),
    (SIRENS, ("Frigate leaves harbour", "The frigate cast off before dawn.")),
    (SIRENS, ("Navy ship sails amid alarm", "The frigate cast off before dawn, dock workers said. Two were hurt.")),
    (("Five dead in Riga", "An explosion shook the port."), ("Seven dead in Riga", "An explosion shook the port.")),
    (("北约在里加开会", "各国部长周五抵达。"), ("北约里加会议推迟", "各国部长周六抵达。")),
    (("!!!", ""), ("Sirens at the harbour", "")),
    (SIRENS, ("", "")),
    (("DAX 18342", ""), ("DAX 18417", "")),
    (("Oil up 3%", ""), ("Oil up 4%", "Was 71.20")),
]


@pytest.mark.parametrize(("is_other", "pair"), [*((True, pair) for pair in OTHER), *((False, pair) for pair in EDITS)])
def test_other_news_shares_hardly_a_word(is_other: bool, pair: tuple[tuple[str, str], tuple[str, str]]) -> None:
    was, seen = (replace(an_article(title=title, text=text), summary="") for title, text in pair)
    assert is_other_news(seen, was) is is_other
    assert is_other_news(was, seen) is is_other
