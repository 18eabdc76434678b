"""What comes first, what a short list is filled up with, what is marked: on the real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article, Entity, Evidence, Tag
from search.export import every
from search.highlight import unmarked
from search.marking import StandIn
from search.query import Results, find
from store.names import Names
from tests.factories import NOW, an_article
from tests.newsstand import stock

pytestmark = pytest.mark.slow
TERRORISM = Tag("counter-terrorism", "main", 0.9, ())


def _article(name: str, title: str, text: str = "", language: str = "en", **changes: Any) -> Article:
    url = f"https://a.example/{name}"
    plain = {"summary": "", "tags": (), "entities": ()}
    article = an_article(url, title=title, text=text or title, language=language, **(plain | changes))
    return replace(article, story_id=article.id)


def _names(results: Results) -> list[str]:
    return [hit.article.url.rpartition("/")[2] for hit in results.hits]


def _marked(results: Results, field: str) -> list[str]:
    texts = (text for hit in results.hits for text in hit.highlights.get(field, ()))
    return [plain[start:end] for text in texts for plain, spans in [unmarked(text)] for start, end in spans]


def test_a_short_list_is_filled_up_below_those_that_have_all_words(es: Elasticsearch, names: Names) -> None:
    scattered = "Ankara was sunny. " + "Nothing else happened. " * 50 + "A summit of NATO was far."
    stock(
        es,
        names,
        [
            _article("partly", "NATO summit in Turkey", "The NATO summit has begun."),
            _article("all", "Weather report", scattered),
            _article("other", "Rain in Bergen"),
        ],
    )
    found = find(es, names, "NATO summit Ankara", now=NOW)
    assert (_names(found), found.total, found.filled, found.relaxed) == (["all", "partly"], 1, 1, False)
    assert _names(find(es, names, "NATO summit Ankara", offset=1, now=NOW)) == []
    assert find(es, names, "NATO summit Ankara", sort="time", now=NOW).filled is None
    assert find(es, names, "NATO AND summit AND Ankara", now=NOW).filled is None
    assert len(list(every(es, names, "NATO summit Ankara", now=NOW))) == 1


def test_rows_that_fill_up_are_of_other_stories(es: Elasticsearch, names: Names) -> None:
    all_words, some_words = _article("all", "PKK ceasefire"), _article("some", "PKK congress")
    stock(es, names, [all_words, replace(some_words, story_id=all_words.id), _article("else", "A ceasefire")])
    found = find(es, names, "PKK ceasefire", by_story=True, now=NOW)
    assert (_names(found), found.filled, found.stories) == (["all", "else"], 1, 1)


def test_two_words_that_no_article_has_are_relaxed_and_it_is_said(es: Elasticsearch, names: Names) -> None:
    stock(es, names, [_article("pkk", "PKK congress"), _article("truce", "A ceasefire holds")])
    found = find(es, names, "PKK ceasefire", now=NOW)
    assert (found.relaxed, found.total, found.filled) == (True, 2, 0)


def test_words_of_a_question_are_not_required(es: Elasticsearch, names: Names) -> None:
    stock(es, names, [_article("leader", "Leader of al-Qaeda killed"), _article("rain", "Who is the king of rain")])
    found = find(es, names, "who is the leader of al-Qaeda", now=NOW)
    assert (_names(found), found.total) == (["leader"], 1)


def test_a_title_that_says_it_comes_before_scattered_words(es: Elasticsearch, names: Names) -> None:
    filler = "The committee met again and adjourned without a result. " * 40
    scattered = f"A drone was seen. {filler} The airspace is large. {filler} It was a violation of the rules."
    stock(
        es,
        names,
        [
            _article("scattered", "Committee adjourns", scattered),
            _article("title", "Drone in airspace violation", "A drone crossed the border.", published=NOW),
        ],
    )
    assert _names(find(es, names, "drone airspace violation", now=NOW)) == ["title", "scattered"]


def test_a_lead_that_says_it_comes_before_a_text_that_says_it_often_later(es: Elasticsearch, names: Names) -> None:
    filler = "The committee met again and adjourned without a result. " * 8
    often = f"{filler} {'A ceasefire in Yemen was named. ' * 6} {filler}"
    lead = f"A ceasefire in Yemen holds. {filler} {filler}"
    stock(es, names, [_article("lead", "Week in review", lead), _article("often", "Week in brief", often)])
    assert _names(find(es, names, "ceasefire Yemen", now=NOW)) == ["lead", "often"]


def test_a_page_goes_by_what_articles_say_first_in_any_language_where_vectors_are_switched_off(
    es: Elasticsearch, names: Names
) -> None:
    filler = "The committee met again and adjourned without a result. " * 40
    scattered = f"{filler} Soldiers were seen. {filler} Lithuania is far. {filler} NATO has no view."
    russian = _article("russian", "Солдаты NATO прибыли в Литву", language="ru")
    stock(es, names, [_article("scattered", "Committee adjourns", scattered), russian])
    query = "soldiers NATO Lithuania"
    assert _names(find(es, names, query, now=NOW)) == ["scattered", "russian"], "the API's order"
    page = find(es, names, query, now=NOW, said_first=True)
    assert (_names(page), page.filled, page.is_close(0), page.total) == (["russian", "scattered"], None, True, 1)
    assert (page.unmeant, page.raised, page.similar) == (None, (), 0)
    assert _names(find(es, names, query, now=NOW, said_first=True, offset=1)) == []
    assert _names(find(es, names, query, now=NOW, said_first=True, sort="time")) == ["scattered"]


PASTED = {
    "words": " ".join(f"ceasefire{n}" for n in range(310)),
    "dense": "".join(chr(0x4E00 + 7 * n) for n in range(330)),
}


@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED)
def test_a_pasted_text_is_within_the_clauses_that_a_small_elasticsearch_takes(
    es: Elasticsearch, names: Names, pasted: str
) -> None:
    stock(es, names, [_article("zh", "快讯", pasted, language="zh"), _article("ar", "عاجل", language="ar")])
    assert _names(find(es, names, pasted, now=NOW)) == ["zh"]


def test_of_two_that_say_it_alike_the_one_with_a_main_topic_comes_first(es: Elasticsearch, names: Names) -> None:
    older = NOW - timedelta(days=2)
    topical = _article("topical", "Bridge closed in Lyon", tags=(TERRORISM,), published=older)
    stock(es, names, [topical, _article("newer", "Bridge closed in Lyon", published=NOW)])
    assert _names(find(es, names, "bridge Lyon", now=NOW)) == ["topical", "newer"]


def test_literal_hits_in_the_querys_language_come_before_those_by_a_topics_name(
    es: Elasticsearch, names: Names
) -> None:
    german = _article("german", "Anschlag in Berlin", "Ein Anschlag hat Berlin erschüttert.", "de", tags=(TERRORISM,))
    english = [
        _article(f"english{n}", f"Terrorism attack number {n}", "A terrorism attack.", tags=(TERRORISM,))
        for n in range(3)
    ]
    stock(es, names, [german, *english])
    found = find(es, names, "terrorism attack", now=NOW)
    assert {*_names(found)[:3]} == {"english0", "english1", "english2"}
    (stood,) = [hit.stand_ins for hit in find(es, names, "terrorism", now=NOW).hits if hit.article.language == "de"]
    assert stood == (StandIn("Counter-terrorism", "terrorism"),)


def test_each_word_is_marked_wherever_it_stands(es: Elasticsearch, names: Names) -> None:
    group = Entity("islamic-state", "Islamic State", "group", 1, aliases=("ISIS", "Daesh"))
    stock(es, names, [_article("one", "NATO meets", "It spoke of the Islamic State.", entities=(group,))])
    found = find(es, names, "NATO ISIS", now=NOW)
    assert _marked(found, "title") == ["NATO"]
    assert found.hits[0].stand_ins == (StandIn("Islamic State", "ISIS"),)
    assert find(es, names, "NATO AND meets", now=NOW).hits[0].stand_ins == ()


def test_a_word_that_the_analyzer_of_its_language_drops_is_marked_too(es: Elasticsearch, names: Names) -> None:
    far = "Nada más. " * 20 + "El Estado, de nuevo."
    stock(es, names, [_article("es", "El Estado Islámico ataca", f"Un ataque. {far}", language="es")])
    found = find(es, names, "Estado Islámico", now=NOW)
    assert _marked(found, "title") == ["Estado Islámico"] or _marked(found, "title") == ["Estado", "Islámico"]
    assert _marked(found, "text") == ["Estado"]


def test_what_stands_for_a_name_is_what_the_article_calls_it(es: Elasticsearch, names: Names) -> None:
    nato = Entity("nato", "NATO", "organisation", 1, aliases=("OTAN", "НАТО"))
    tag = Tag("nato", "main", 0.9, (Evidence("title", 7, 11, "НАТО"),))
    stock(es, names, [_article("ru", "Саммит НАТО", "Саммит прошёл.", "ru", entities=(nato,), tags=(tag,))])
    assert find(es, names, "NATO", now=NOW).hits[0].stand_ins == (StandIn("НАТО", "NATO"),)


def test_tags_alone_rank_by_score_and_time(es: Elasticsearch, names: Names) -> None:
    def tagged(name: str, score: float, days: int) -> Article:
        published = NOW - timedelta(days=days)
        tag = replace(TERRORISM, score=score)
        return _article(name, name, tags=(tag,), published=published, first_seen=published)

    stock(es, names, [tagged("weak", 0.5, 0), tagged("old", 0.9, 300), tagged("new", 0.9, 0)])
    assert _names(find(es, names, "tag:counter-terrorism", now=NOW)) == ["new", "weak", "old"]
    assert _names(find(es, names, "tag:counter-terrorism since:30d", now=NOW)) == ["new", "weak"]
