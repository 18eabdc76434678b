"""The Situation page and the entities' pages: each number leads to exactly its articles, each box fails alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch, TransportError
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from jobs.context import Context
from newswatch.article import Article, Entity, Tag
from newswatch.errors import StoreError
from newswatch.settings import Settings
from search.asking import SlowSearchError
from search.query import find
from store.indices.setup import set_up
from store.names import Names
from tests.factories import NOW, a_source, an_article
from tests.newsstand import stock
from tests.web.conftest import Visitor
from web.app import create_app
from web.boxes import PAGE_S, Boxes
from web.entity_pages import id_of
from web.situation_pages import _corrected

NATO = Entity("nato", "NATO", "alliance", 2, "Q7184", ("OTAN",))
GROUP = Entity("islamic-state", "Islamic State", "group", 1, None, ("Daesh",))
GONE = Entity("old-league", "Old League", "alliance", 1, "Q1", ("Lega Vecchia",))
DAY = timedelta(days=1)


def report(slug: str, age: timedelta, *, domain: str = "herald.example", **changes: object) -> Article:
    """An article that was published and seen so long ago."""
    at = NOW - age
    source = a_source(name=domain.split(".", maxsplit=1)[0].title(), domain=domain, owner=f"Owner of {domain}")
    url = f"https://{domain}/{slug}"
    whole = an_article(url, title=f"Report {slug}", published=at, first_seen=at, source=source, entities=(NATO,))
    return replace(whole, **changes)  # type: ignore[arg-type]


def ten_weeks() -> Iterator[Article]:
    """Two articles a day of which one is tagged; today many, by several owners and in two countries."""
    for day in range(1, 66):
        yield report(f"usual-{day}", day * DAY)
        yield report(f"sports-{day}", day * DAY, tags=(), entities=())
    for number in range(9):
        source = a_source(
            name=f"Post {number}", domain=f"post{number}.example", country="LV", owner=f"Group {number // 2}"
        )
        yield report(
            f"today-{number}",
            timedelta(hours=number + 1),
            domain=f"post{number}.example",
            source=source,
            story_id="story-of-today",
            entities=(NATO, GROUP) if number % 2 else (GROUP, GONE),
        )
    yield report("sports-today", timedelta(hours=3), tags=(), entities=())
    for number, days in enumerate((3, 0, 0, 0, 0, 0, 0)):  # a story that goes on, by more owners than the new one
        age = timedelta(days=days, hours=5)
        yield report("goes-on", age, domain=f"wire{number}.example", title="It goes on", story_id="older-story")
    sub = report("sub", timedelta(hours=2), domain="live.herald.example")
    yield replace(sub, tags=(Tag("nato", "mention", 0.4, ()), Tag("nato/operations", "main", 0.9, ())))


@pytest.fixture(scope="module")
def site(elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Context, TestClient]]:
    """A newswatch of ten weeks, for all tests of this module."""
    names = Names("overviews-")
    es = Elasticsearch(elasticsearch_url)
    settings = Settings(
        secret_key=SecretStr("for tests"), data_dir=tmp_path_factory.mktemp("data"), index_prefix=names.prefix
    )
    set_up(es, names, settings)
    stock(es, names, ten_weeks())
    context = Context(settings, es, names, lambda: NOW)
    yield context, client_of(context)
    es.close()


def client_of(context: Context) -> TestClient:
    airflow = FastAPI()
    airflow.mount("/news", create_app(lambda: context, Visitor().access()))
    return TestClient(airflow, follow_redirects=False)


def test_every_number_is_what_its_search_finds(site: tuple[Context, TestClient]) -> None:
    context, client = site
    checked = 0
    for path in ("/news/situation", "/news/entities/nato", "/news/entities/islamic-state"):
        html = client.get(path).text
        for query, count in re.findall(r'<a class="n" href="/news/\?q=([^"&]*)[^"]*"[^>]*>([\d\u202f]+)</a>', html):
            typed = unescape(query).replace("+", " ").replace("%3A", ":").replace("%2F", "/").replace("%22", '"')
            assert find(context.es, context.names, typed, size=1, now=NOW).total == int(count.replace("\u202f", "")), (
                typed
            )
            checked += 1
    assert checked > 20


def test_the_situation_tells_what_is_more_than_usual_and_what_is_new(site: tuple[Context, TestClient]) -> None:
    html = site[1].get("/news/situation").text
    assert "8 earlier weeks" in html
    assert html.partition("<h1>Situation")[2].partition("</div>")[0].count('data-form="minute"') == 2, (
        "the reader's zone"
    )
    assert html.count("more than usual") >= 3  # the topic, Latvia, the topic in Latvia
    assert "Topics that stand out in a country" in html
    assert "<b>NATO</b> in Latvia" in html
    stories = html[html.index("New stories") :].partition("</section>")[0]
    assert stories.index("<b>5</b> independent sources") < stories.index("<b>1</b> independent source<")
    assert "It goes on" not in stories
    assert "Islamic State" in html[html.index("Named more than usual") :].partition("</section>")[0]


def test_an_entity_has_its_names_what_is_beside_it_and_its_outlets(site: tuple[Context, TestClient]) -> None:
    client = site[1]
    html = client.get("/news/entities/nato").text
    assert "https://www.wikidata.org/wiki/Q7184" in html
    assert "北大西洋条約機構" in html
    named = sum(NATO in article.entities for article in ten_weeks())
    assert f"{named} articles" in re.sub(r"<[^>]+>", "", html)
    assert "Named beside it" in html
    assert client.get("/news/entities/Islamic%20State").headers["location"] == "/news/entities/islamic-state"
    assert "/news/entities/nato" in client.get("/news/story/story-of-today").text


def test_one_that_the_taxonomy_no_longer_has_is_shown_as_articles_carry_it(site: tuple[Context, TestClient]) -> None:
    html = site[1].get("/news/entities/old-league").text
    assert "Lega Vecchia" in html
    assert "no longer has it" in html
    assert site[1].get("/news/entities/nobody").status_code == 404


def test_a_box_fails_alone(site: tuple[Context, TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise SlowSearchError("x")

    def away(*_: object, **__: object) -> None:
        raise StoreError("Elasticsearch can't search now: gone.")

    monkeypatch.setattr("web.situation_pages.read_situation", slow)
    monkeypatch.setattr("web.situation_pages.watching", away)
    answer = site[1].get("/news/situation")
    assert answer.status_code == 200
    assert "The counts can&#39;t be shown now." in answer.text or "The counts can't be shown now." in answer.text
    assert "gone." in answer.text
    assert "Report today-8" in answer.text


def test_an_elasticsearch_that_is_away_is_told_once(site: tuple[Context, TestClient]) -> None:
    with Elasticsearch("http://127.0.0.1:1", max_retries=0) as nobody:
        answer = client_of(replace(site[0], es=nobody)).get("/news/situation")
    assert answer.status_code == 503
    assert "127.0.0.1" not in answer.text


def test_a_box_without_elasticsearch_leaves_what_others_have() -> None:
    def away(_: float) -> None:
        raise TransportError("refused")

    boxes = Boxes()
    with pytest.raises(TransportError):
        boxes.fill("first", away)
    boxes.fill("second", str)
    assert "can't be reached" in boxes.fill("third", away).fault


def test_a_page_that_takes_too_long_asks_for_no_further_box() -> None:
    clock = iter((0.0, 1.0, PAGE_S + 1))
    boxes = Boxes(progress=lambda: next(clock))
    assert boxes.fill("quick", lambda seconds: seconds).value == 3.0
    assert "took too long" in boxes.fill("late", lambda seconds: seconds).fault


@pytest.mark.parametrize(("articles", "said"), [(0, "There is no article yet"), (3, "can&#39;t be said yet")])
def test_a_new_installation_says_so(es: Elasticsearch, names: Names, tmp_path: Path, articles: int, said: str) -> None:
    settings = Settings(secret_key=SecretStr("for tests"), data_dir=tmp_path, index_prefix=names.prefix)
    set_up(es, names, settings)
    context = Context(settings, es, names, lambda: NOW)
    if articles:
        stock(es, names, [report(str(n), timedelta(hours=n)) for n in range(articles)])
    client = client_of(context)
    html = client.get("/news/situation").text.replace("can't", "can&#39;t")
    assert said in html
    assert "No feed is polled yet" in html
    assert client.get("/news/entities/nato").status_code == 200
    nothing = client.get("/news/", params={"q": "zeppelin"}).text
    assert ("There is no article yet" in nothing) == (articles == 0)


def test_only_a_correction_of_the_day_is_told() -> None:
    corrected = an_article(title="Correction: the summit is in Ghent")
    assert _corrected(corrected, NOW - DAY) is None  # its first version says so already


def test_an_id_goes_before_a_name() -> None:
    assert id_of("nobody", {}) == "nobody"
