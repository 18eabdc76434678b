"""When other news stands under the id of an entry that has no link."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from ingest.urls import canonicalize, known_id
from jobs.pull.linkless import has_slot, is_other_news, placed
from jobs.pull.polled import Candidate, Fresh
from newswatch.article import Article
from newswatch.entry import Entry
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
    (
        ("Alert: drones over Riga", "Airport closed."),
        ("Alert: Riga warned", "Drones crossed from Belarus, soldiers say."),
    ),
    (SIRENS, ("", "")),
    (("DAX 18342", ""), ("DAX 18417", "")),
    (("Oil up 3%", ""), ("Oil up 4%", "Was 71.20")),
]


@pytest.mark.parametrize(("is_other", "pair"), [*((True, pair) for pair in OTHER), *((False, pair) for pair in EDITS)])
def test_other_news_shares_hardly_a_word(is_other: bool, pair: tuple[tuple[str, str], tuple[str, str]]) -> None:
    was, seen = (replace(an_article(title=title, text=text), summary="") for title, text in pair)
    assert is_other_news(seen, was) is is_other
    assert is_other_news(was, seen) is is_other


def a_candidate(article: Article, link: str | None = None, *, again: bool = False) -> Candidate:
    polled: Any = None
    return Candidate(
        Fresh(polled, Entry("flash", link, article.title, article.summary, article.text), None, again=again), article
    )


def flash(told: tuple[str, str], url: str) -> Article:
    name = known_id(url)
    return replace(an_article(title=told[0], text=told[1]), id=name, url=url, story_id=name, summary="")


@pytest.mark.parametrize("url", ["https://a.example/rss?entry=flash", "https://a.example/flash"])
def test_other_news_has_an_address_of_its_own_that_is_the_same_each_time(url: str) -> None:
    was, vaccine, minister = flash(SIRENS, url), flash(OTHER[0][1], url), flash(OTHER[1][1], url)
    stored = {was.id: was}
    first, again, third = (placed(a_candidate(one), stored).article for one in (vaccine, vaccine, minister))
    assert first is not None
    assert again is not None
    assert third is not None
    assert first == again, "a run that is repeated before its record is written makes no second one"
    assert len({was.id, first.id, third.id}) == 3
    assert first.url == canonicalize(first.url)
    assert "newswatch-text" in dict(parse_qsl(urlsplit(first.url).query)), "as a parameter of its own"


def test_an_entry_with_a_link_or_whose_page_alone_is_read_again_is_not_told_by_its_words() -> None:
    article = flash(SIRENS, "https://a.example/flash")
    assert has_slot(a_candidate(article))
    assert not has_slot(a_candidate(article, "https://a.example/flash"))
    assert not has_slot(a_candidate(article, again=True))
