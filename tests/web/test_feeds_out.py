"""Feeds for readers' programs: valid, stable, losing nothing, by an address that is secret and can be revoked."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import feedparser
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from feedparser import api, datetimes
from httpx import Response

from alerts.saved import SavedSearches
from delivery.feeds_out import PATH
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from jobs.announce_feeds import announce_feeds
from newswatch.alert import SavedSearch
from store import ingest_order
from store.audit import AuditLog
from store.quarantine import Quarantine
from tests.factories import an_article
from tests.newsstand import stock
from tests.web.conftest import LATER, Stocked, Visitor
from transforms.fingerprint import text_hash
from web import plugin
from web.app import create_app
from web.feeds_out import app as feeds_app
from web.feeds_out.app import create_app as create_feeds
from web.security import Role
from web.unlogged import Unlogged

pytestmark = pytest.mark.slow

PARSERS = (api.StrictFeedParser, api.LooseFeedParser)
DATES = tuple(datetimes._date_handlers)


def as_published(content: bytes) -> Any:
    """What feedparser reads. In a process that has parsed a feed for newswatch, its parsers are newswatch's own."""
    ours, dates = (api.StrictFeedParser, api.LooseFeedParser), list(datetimes._date_handlers)
    api.StrictFeedParser, api.LooseFeedParser = PARSERS
    datetimes._date_handlers[:] = DATES
    try:
        return feedparser.parse(content)
    finally:
        api.StrictFeedParser, api.LooseFeedParser = ours
        datetimes._date_handlers[:] = dates


class Site:
    """The News page and the feeds, as Airflow mounts them, and the access log before them."""

    def __init__(self, stocked: Stocked) -> None:
        self.stocked, self.visitor, self.logged = stocked, Visitor(), list[str]()
        context = stocked.context
        airflow = FastAPI()
        airflow.mount("/news", create_app(lambda: context, self.visitor.access()))
        airflow.mount(PATH, Unlogged(create_feeds(lambda: context)))
        self.page = TestClient(self._with_log(airflow), follow_redirects=False)
        self.reader = TestClient(self._with_log(airflow))

    def _with_log(self, app: Any) -> Callable[..., Awaitable[None]]:
        async def logging(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            if scope["type"] == "http":
                self.logged.append(f"{scope['path']} {scope['raw_path']!r} {scope['query_string']!r}")

        return logging

    def post(self, path: str, **fields: str) -> Response:
        token = re.search(r'name="csrf" value="([^"]+)"', self.page.get("/news/").text)
        assert token
        answer: Response = self.page.post(f"/news{path}", data={"csrf": token[1], **fields})
        return answer

    def make(self, shows: str, of: str) -> tuple[str, str, str]:
        """The paths of the Atom and the JSON feed, and the address's id."""
        made = self.post("/feed-addresses", shows=shows, of=of)
        assert made.status_code == 303, made.text
        listed = self.page.get(made.headers["location"]).text
        address_id = made.headers["location"].partition("made=")[2]
        row = next(part for part in listed.split("<tr>") if f"/{address_id}/revoke" in part)
        atom, json_ = re.findall(r'value="http://127\.0\.0\.1:8080([^"]+/(?:atom|json))"', row)
        return atom, json_, address_id

    def entries(self, path: str) -> list[Any]:
        """All entries of the feed, page by page."""
        found: list[Any] = []
        while path:
            feed = as_published(self.reader.get(path).content)
            assert not feed.bozo, feed.get("bozo_exception")
            found += feed.entries
            following = [link.href for link in feed.feed.links if link.rel == "next"]
            path = following[0].removeprefix("http://127.0.0.1:8080") if following else ""
        return found


@pytest.fixture(scope="module")
def site(stocked: Stocked) -> Site:
    return Site(stocked)


@pytest.fixture(autouse=True)
def _no_horizon_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_order, "CACHED_S", 0.0)


def test_a_feed_is_valid_in_both_formats_and_says_why_each_entry_is_there(site: Site) -> None:
    assert f"/{plugin.FEEDS}" == PATH
    assert 'type="application/atom+xml"' not in site.page.get("/news/?q=NATO").text
    atom, json_, _ = site.make("search", "NATO")
    shown = site.page.get("/news/?q=NATO").text
    assert (
        f'<link rel="alternate" type="application/atom+xml" title="Atom" href="http://127.0.0.1:8080{atom}">' in shown
    )
    answer = site.reader.get(atom)
    assert answer.headers["content-type"].startswith("application/atom+xml")
    assert (answer.headers["referrer-policy"], answer.headers["x-robots-tag"]) == ("no-referrer", "noindex, nofollow")
    entries = site.entries(atom)
    assert len({entry.id for entry in entries}) == len(entries) > 3
    by_id = {article.id: article for article in site.stocked.articles}
    for entry in entries:
        assert re.fullmatch(r"tag:127\.0\.0\.1,2026:article/[0-9a-f]{32}", entry.id)
        article = by_id[entry.id.rpartition("/")[2]]
        assert article.duplicate_of is None
        assert {tag.tag for tag in article.tags} <= {one.term for one in entry.tags}
        assert entry.author == article.source.name
        assert "reliability" in entry.content[0].value
        assert len(article.text) < 400 or article.text not in entry.content[0].value
    assert any("Matches: " in entry.content[0].value and "<b>NATO</b>" in entry.content[0].value for entry in entries)
    assert any("main subject: it says “" in entry.content[0].value for entry in entries)
    ours = parse(answer.content, url=f"https://news.example{atom}", now=LATER)
    theirs = json.loads(site.reader.get(json_).content)
    read = parse(site.reader.get(json_).content, url=f"https://news.example{json_}", now=LATER)
    for parsed in (ours, read):
        assert isinstance(parsed, ParsedFeed)
        assert [one.id for one in parsed.entries] == [entry.id for entry in entries]
        assert not parsed.problems
    assert theirs["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["id"] for item in theirs["items"]] == [entry.id for entry in entries]
    assert theirs["items"][0]["_newswatch"]["reliability"] == "F"
    hostile = next(entry for entry in entries if "h.example" in entry.link)
    assert hostile.title == "Half ? <b>NATO &"
    assert "\u202e" not in answer.text
    assert 'dir="rtl"' in hostile.content[0].value


def test_a_feed_says_which_words_of_its_query_are_not_looked_for(site: Site) -> None:
    atom, json_, _ = site.make("search", " ".join(f"word{n}" for n in range(120)))
    written = json.loads(site.reader.get(json_).content)
    assert "20 others are not" in site.reader.get(atom).headers["Newswatch-Shortened"]
    assert "20 others are not" in written["description"]
    assert "20 others are not" in written["_newswatch"]["shortened"]
    assert "20 others are not" in feedparser.parse(site.reader.get(atom).content).feed.subtitle
    atom, json_, _ = site.make("search", "NATO")
    assert "Newswatch-Shortened" not in site.reader.get(atom).headers
    assert "_newswatch" not in json.loads(site.reader.get(json_).content)


def test_paging_loses_nothing_under_inserts_and_since_and_limit_are_kept(site: Site) -> None:
    es, names = site.stocked.context.es, site.stocked.context.names
    atom, *_ = site.make("search", "zeppelin")
    assert site.entries(atom) == []
    many = [an_article(f"https://z.example/{n}", title=f"Zeppelin {n}") for n in range(7)]
    stock(es, names, many)
    first = as_published(site.reader.get(f"{atom}?limit=3").content)
    (following,) = [link.href for link in first.feed.links if link.rel == "next"]
    assert "limit=3" in following
    stock(es, names, [an_article("https://z.example/new", title="Zeppelin new")])
    rest = site.entries(following.removeprefix("http://127.0.0.1:8080"))
    assert sorted(entry.title for entry in (*first.entries, *rest)) == [f"Zeppelin {n}" for n in range(7)]
    assert site.entries(f"{atom}?since=2030-01-01") == []
    assert len(site.entries(f"{atom}?since=2026-01-01T00:00:00+01:00&limit=2&_=cache-buster")) == 8
    for wrong in ("before=x", "before=²", "limit=0", "limit=1000", "since=yesterday", "since=99999-01-01"):
        assert site.reader.get(f"{atom}?{wrong}").status_code == 400, wrong


def test_what_has_not_changed_is_not_sent_again_and_an_update_keeps_its_id(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    es, names = site.stocked.context.es, site.stocked.context.names
    article = an_article("https://u.example/1", title="Dirigible found", text="Dirigible found near the border. " * 9)
    stock(es, names, [article, an_article("https://u.example/2", title="Dirigible two")])
    atom, *_ = site.make("search", "dirigible")
    first = site.reader.get(atom)
    etag = first.headers["etag"]
    assert site.reader.get(atom, headers={"If-None-Match": etag}).status_code == 304
    assert "last-modified" not in first.headers, "more may come in the same second"
    monkeypatch.setattr(feeds_app, "SETTLED_AFTER", timedelta(seconds=-1))
    modified = site.reader.get(atom).headers["last-modified"]
    assert site.reader.get(atom, headers={"If-Modified-Since": modified}).status_code == 304
    assert site.reader.get(atom, headers={"If-Modified-Since": "soon"}).status_code == 200
    assert site.reader.head(atom).status_code == 200
    text = f"{article.text}\nCorrection: an earlier version of this article said that it was two."
    later = LATER - timedelta(minutes=6)
    changed = replace(article, text=text, text_hash=text_hash(article.title, text))
    stock(
        es,
        names,
        [replace(changed, first_seen=later, provenance=replace(article.provenance, fetched_at=later))],
        now=later,
    )
    again = site.reader.get(atom, headers={"If-None-Match": etag, "If-Modified-Since": modified})
    assert again.status_code == 200
    was, now = as_published(first.content).entries, as_published(again.content).entries
    assert {entry.id for entry in now} == {entry.id for entry in was}
    assert now[0].title == "Correction: Dirigible found", "it comes first"
    assert now[0].updated > now[0].published
    assert "an earlier version of this article said" in now[0].content[0].value
    assert "correction" in {tag["term"] for tag in now[0].tags}


def test_an_address_is_secret_its_readers_own_and_can_be_revoked(site: Site) -> None:
    site.logged.clear()
    atom, json_, address_id = site.make("story", site.stocked.articles[0].story_id)
    token = atom.split("/")[3]
    assert site.entries(atom)
    assert site.reader.get(f"{atom}?before=999").status_code == 200
    assert not [line for line in site.logged if token in line]
    for cut in (token[:-1], "x" * 5_000, "%00", token[::-1]):
        assert site.reader.get(f"{PATH}/{cut}/atom").status_code == 404, cut
    assert site.reader.get(f"{PATH}/{token}/rss").status_code == 404
    site.visitor.name, site.visitor.role = "bob", Role.ANALYST
    assert site.post(f"/feed-addresses/{address_id}/revoke").status_code == 404
    assert token not in site.page.get("/news/feed-addresses").text
    assert "<bdi>ann</bdi>" not in site.page.get("/news/feed-addresses").text
    site.visitor.name, site.visitor.role = "ann", Role.OPERATOR
    assert site.post(f"/feed-addresses/{address_id}/revoke").status_code == 303
    gone = site.reader.get(json_)
    assert (gone.status_code, gone.text) == (410, "This feed's address was revoked: unsubscribe from it.")
    deeds = AuditLog(site.stocked.context.es, site.stocked.context.names)
    deeds.refresh()
    assert [d.what for d in deeds.listed(subject=address_id)] == ["feed address revoked", "feed address made"]
    fresh, *_ = site.make("story", site.stocked.articles[0].story_id)
    assert fresh != atom
    assert (site.reader.get(atom).status_code, site.reader.get(fresh).status_code) == (410, 200)


def test_a_saved_search_is_a_feed_until_it_is_deleted_and_what_can_not_be_one_is_refused(site: Site) -> None:
    es, names = site.stocked.context.es, site.stocked.context.names
    saved = SavedSearches(es, names)
    saved.save(SavedSearch("gone", "<Gone> & more", "NATO", ("a@b.example",)), by="ann")
    atom, *_ = site.make("saved-search", "gone")
    assert as_published(site.reader.get(atom).content).feed.title == "<Gone> & more"
    assert unescape(atom) in unescape(site.page.get("/news/searches/gone").text)
    saved.delete("gone", by="ann")
    assert site.reader.get(atom).status_code == 410
    for shows, of, status in (
        ("search", "is:new", 400),
        ("search", "(", 400),
        ("story", "nothing", 404),
        ("saved-search", "nothing", 404),
        ("feed", "x", 400),
        ("search", "x" * 30_000, 400),
    ):
        assert site.post("/feed-addresses", shows=shows, of=of).status_code == status, (shows, of[:20])
    assert 'name="shows"' not in site.page.get("/news/?q=is:new").text
    assert site.page.post("/news/feed-addresses", data={"shows": "search", "of": ""}).status_code == 403


def test_a_hub_that_is_set_is_told_once_of_news_and_its_failure_is_a_problem(site: Site) -> None:
    here = site.stocked.context
    settings = here.settings.model_copy(update={"websub_hub": "http://hub.example/"})
    here, told = replace(here, settings=settings), list[list[tuple[str, str]]]()
    said = "It drifted over the border at noon. " * 9
    plain: dict[str, Any] = {"text": said, "summary": "", "tags": (), "entities": ()}
    atom, json_, _ = site.make("search", "balloon")
    site.reader.get(atom)

    def send(url: str, form: list[tuple[str, str]]) -> int:
        assert url == "http://hub.example/"
        told.append(form)
        return 202

    announce_feeds(here, send=lambda *_: 202)  # of the other tests' feeds
    stock(here.es, here.names, [an_article("https://b.example/1", title="A balloon", **plain)])
    assert announce_feeds(here, send=send) == 1
    assert told[-1] == [
        ("hub.mode", "publish"),
        ("hub.url", f"http://127.0.0.1:8080{atom}"),
        ("hub.url", f"http://127.0.0.1:8080{json_}"),
    ]
    assert announce_feeds(here, send=send) == 0
    stock(here.es, here.names, [an_article("https://b.example/2", title="Another balloon", **plain)])
    assert announce_feeds(here, send=lambda *_: 500) == 0
    Quarantine(here.es, here.names).refresh()
    (problem,) = Quarantine(here.es, here.names).listed(kind="hub", size=5).problems
    assert problem.problem.reason == "It refuses to be told of a feed, with status 500."
    assert announce_feeds(here, send=send) == 1
    Quarantine(here.es, here.names).refresh()
    assert Quarantine(here.es, here.names).listed(kind="hub", size=5).problems == ()
