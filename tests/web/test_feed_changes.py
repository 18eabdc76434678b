"""Feeds are added, edited and switched off on the page, in the file or beside it; a real publisher answers."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from pydantic import SecretStr

from ingest.feed_list.feeds import FeedSpec, load_feeds
from jobs import feed_preview
from jobs.context import Context
from newswatch.feed import Feed, Rating, Rule
from newswatch.settings import Settings
from store.feeds import FeedStore
from store.indices.setup import set_up
from store.names import Names
from tests.factories import NOW, a_feed
from tests.ingest.server import Publisher, publishing, response
from tests.web.conftest import Visitor
from web.app import create_app
from web.feed_forms import FeedDraft
from web.fingerprint import fingerprint
from web.security import Role

RSS = b"""<rss version='2.0'><channel><title>The Example</title><language>fr</language>
<item><title>Un titre</title><link>https://x.example/1</link></item></channel></rss>"""
TWO = b"".join(b"<link rel=alternate type=application/rss+xml href=/%s-feed>" % name for name in (b"one", b"two"))
ANSWERS = {"/one-feed": response(RSS), "/two-feed": response(RSS.replace(b"Example", b"Other")), "/": response(TWO)}
FEEDS = """\
feeds:
  # the first
  - title: Herald
    url: https://herald.example/rss
    owner: Herald Group
  - title: Courier
    url: https://courier.example/rss
"""


@dataclass(frozen=True, slots=True)
class Site:
    """The page over a list of feeds, and a publisher on loopback."""

    context: Context
    client: TestClient
    visitor: Visitor
    publisher: Publisher

    def post(self, path: str, **fields: str) -> Response:
        token = re.search(r'name="csrf" value="([^"]+)"', self.client.get("/news/feeds/new").text)
        assert token
        answer: Response = self.client.post(f"/news/feeds/{path}", data={"csrf": token[1], **fields})
        return answer

    def feeds(self) -> dict[str, Feed]:
        return {r.feed.title: r.feed for r in FeedStore(self.context.es, self.context.names).all()}


@pytest.fixture(scope="module")
def publisher() -> Iterator[Publisher]:
    loop, started, found = asyncio.new_event_loop(), threading.Event(), list[Publisher]()
    done = asyncio.Event()

    async def serve() -> None:
        async with publishing(ANSWERS) as publisher:
            found.append(publisher)
            started.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    yield found[0]
    loop.call_soon_threadsafe(done.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def site(es: Elasticsearch, names: Names, publisher: Publisher, tmp_path: Path) -> Site:
    (tmp_path / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    settings = Settings(
        secret_key=SecretStr("for tests"),
        config_dir=tmp_path,
        data_dir=tmp_path,
        index_prefix=names.prefix,
        fetch_allow_hosts=(f"127.0.0.1:{publisher.port}",),
        fetch_host_delay_s=0,
    )
    set_up(es, names, settings)
    FeedStore(es, names).sync(load_feeds(tmp_path / "feeds.yaml"))
    context, visitor, airflow = Context(settings, es, names, lambda: NOW), Visitor(), FastAPI()
    airflow.mount("/news", create_app(lambda: context, visitor.access()))
    return Site(context, TestClient(airflow, follow_redirects=False), visitor, publisher)


def read_only(site: Site) -> None:
    (site.context.settings.config_dir / "feeds.yaml").chmod(0o444)


# ── the form, without a server ───────────────────────────────────────────────────────────────────────────────────────


def test_each_fault_names_its_field() -> None:
    wrong = FeedDraft(
        "ftp://x.example",
        "",
        "nonsense",
        "Atlantis",
        "Elvish",
        ", ".join("abcdefghijklmnopqrstuvwxyz"),
        "blog",
        "a\x85b",
        "?",
    ).spec()
    assert isinstance(wrong, dict)
    assert set(wrong) == {"url", "title", "site", "country", "language", "topics", "kind", "owner", "full_text"}
    assert all(why.endswith(".") and "tring should" not in why for why in wrong.values())


def test_people_write_addresses_countries_and_languages_as_they_know_them() -> None:
    spec = FeedDraft("x.example/rss", "X", country="france", language="French", topics="a, b,a").spec()
    assert not isinstance(spec, dict)
    assert (spec.url, spec.country, spec.language, spec.topics) == ("https://x.example/rss", "FR", "fr", ("a", "b"))  # type: ignore[union-attr]


def test_a_form_remembers_what_it_was_made_for() -> None:
    feed = a_feed()
    assert fingerprint(feed) != fingerprint(replace(feed, enabled=False))
    assert FeedDraft.of(feed).spec().feed().url == feed.url  # type: ignore[union-attr]


def test_a_form_keeps_what_it_does_not_show_and_dates_a_new_grade() -> None:
    rating = Rating("B", "answers for errors in public", date(2026, 1, 2))
    feed = a_feed(read="page", rule=Rule(items=".row"), reliability=rating, state_media=True)
    kept = FeedDraft.of(feed).spec(was=feed)
    assert isinstance(kept, FeedSpec)
    assert replace(kept.feed(), id=feed.id) == feed
    graded = replace(FeedDraft.of(feed), reliability="C").spec(was=feed)
    assert isinstance(graded, FeedSpec)
    assert graded.reliability
    assert graded.reliability.rated > rating.rated
    for wrong in ({"reliability": "G"}, {"reliability_why": ""}, {"reliability": ""}):
        refused = replace(FeedDraft.of(feed), **wrong).spec(was=feed)
        assert [*refused] == ["reliability"] if isinstance(refused, dict) else False


# ── on the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_feed_is_looked_at_and_added_to_the_file(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    looked = site.post("new", url=site.publisher.url("/one-feed"), do="look")
    assert looked.status_code == 200
    assert "Un titre" in looked.text
    assert 'value="The Example"' in looked.text
    assert 'value="fr"' in looked.text
    with caplog.at_level(logging.INFO):
        saved = site.post("new", url=site.publisher.url("/one-feed"), title="Added", country="Belgium", do="save")
    assert saved.status_code == 303
    assert "It is in the list" in site.client.get(saved.headers["location"]).text
    path = site.context.settings.config_dir / "feeds.yaml"
    assert [feed.title for feed in load_feeds(path)] == ["Herald", "Courier", "Added"]
    assert site.feeds()["Added"].origin == "file"
    assert [
        line for line in caplog.messages if line.startswith("audit:") and "added in config/feeds.yaml by 'ann'" in line
    ]
    again = site.post("new", url=site.publisher.url("/one-feed"), title="Again", do="save")
    assert "has this address already" in again.text


@pytest.mark.slow
def test_a_site_with_several_feeds_lets_choose_and_one_without_is_refused(site: Site) -> None:
    several = site.post("new", url=site.publisher.url("/"), do="look")
    assert "choose one" in several.text
    chosen = site.post("new", url=site.publisher.url("/"), choose=site.publisher.url("/two-feed"))
    assert 'value="The Other"' in chosen.text
    none = site.post("new", url=site.publisher.url("/nothing"), title="X", do="save")
    assert none.status_code == 400
    assert 'aria-describedby="h-url w-url"' in none.text
    assert "answered 404" in none.text
    guarded = site.post("new", url="http://127.0.0.1:1/rss", title="X", do="save")
    assert "There is no feed at this address" in guarded.text
    assert set(site.feeds()) == {"Herald", "Courier"}
    kept = site.post("new", url=site.publisher.url("/nothing"), title="X", do="save", anyway="yes")
    assert kept.status_code == 303


@pytest.mark.slow
@pytest.mark.parametrize("writable", [True, False], ids=["file", "store"])
def test_a_feed_is_edited_and_switched_off_and_on(site: Site, *, writable: bool) -> None:
    if not writable:
        read_only(site)
    feed = site.feeds()["Herald"]
    fields = {
        "url": feed.url,
        "title": "Herald, renamed",
        "owner": "Other Group",
        "was": fingerprint(feed),
        "do": "save",
    }
    assert site.post(f"{feed.id}/edit", **fields).status_code == 303
    changed = site.feeds()["Herald, renamed"]
    assert (changed.id, changed.owner) == (feed.id, "Other Group")
    assert changed.origin == ("file" if writable else "edited")
    text = (site.context.settings.config_dir / "feeds.yaml").read_text(encoding="utf-8")
    assert text == (
        FEEDS.replace("title: Herald", "title: Herald, renamed").replace("Herald Group", "Other Group")
        if writable
        else FEEDS
    )
    for to, enabled in (("off", False), ("on", True)):
        assert site.post(f"{feed.id}/switch", to=to).status_code == 303
        FeedStore(site.context.es, site.context.names).sync(load_feeds(site.context.settings.config_dir / "feeds.yaml"))
        assert site.feeds()["Herald, renamed"].enabled is enabled
    assert site.post(f"{feed.id}/switch", to="sideways").status_code == 400


@pytest.mark.slow
def test_who_edits_a_feed_that_others_have_changed_sees_both_and_loses_nothing(site: Site) -> None:
    feed = site.feeds()["Herald"]
    form = site.client.get(f"/news/feeds/{feed.id}/edit").text
    opened = {name: unescape(_value(form, name)) for name in ("was", "opened")}
    as_it_was = {"url": feed.url, "title": feed.title, "country": feed.country or "", "language": feed.language or ""}
    as_it_was |= {"owner": feed.owner or "", "do": "save"}
    assert site.post(f"{feed.id}/switch", to="off").status_code == 303
    assert site.post(f"{feed.id}/switch", to="on").status_code == 303
    theirs = site.post(f"{feed.id}/edit", **as_it_was | opened | {"owner": "Other Group", "language": "fr"})
    assert theirs.status_code == 303, "that it was switched is no change of what the form shows"
    mine = site.post(f"{feed.id}/edit", **as_it_was | opened | {"title": "Herald, renamed", "owner": "My Group"})
    assert mine.status_code == 409
    assert "Somebody has changed this feed" in mine.text
    assert f"<del>{feed.owner}</del> <ins>Other Group</ins>" in mine.text
    shown = {name: unescape(_value(mine.text, name)) for name in ("was", "opened", "url", "title", "owner", "language")}
    assert (shown["title"], shown["owner"], shown["language"]) == ("Herald, renamed", "My Group", "fr")
    assert site.feeds()["Herald"].owner == "Other Group"
    assert site.post(f"{feed.id}/edit", **as_it_was | shown).status_code == 303
    saved = site.feeds()["Herald, renamed"]
    assert (saved.owner, saved.language) == ("My Group", "fr")
    for broken in ("", "[", "[" * 50_000, "[]", '{"url": 3}'):
        given = {"was": opened["was"], "opened": broken, "owner": "Third Group"}
        stale = site.post(f"{feed.id}/edit", **as_it_was | given)
        assert (stale.status_code, _value(stale.text, "owner")) == (409, "Third Group")


def _value(page: str, name: str) -> str:
    (found,) = re.findall(rf'name="{name}" value="([^"]*)"', page)
    return str(found)


@pytest.mark.slow
def test_where_the_file_is_read_only_a_feed_is_listed_beside_it(site: Site) -> None:
    read_only(site)
    assert site.post("new", url=site.publisher.url("/one-feed"), title="Beside", do="save").status_code == 303
    assert site.feeds()["Beside"].origin == "store"
    assert (site.context.settings.config_dir / "feeds.yaml").read_text(encoding="utf-8") == FEEDS


@pytest.mark.slow
def test_only_who_may_sees_the_form_and_looks_are_few_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_preview, "_room", threading.BoundedSemaphore(1))
    assert feed_preview._room.acquire()
    busy = site.post("new", url=site.publisher.url("/one-feed"), do="look")
    assert "other addresses are being looked at" in busy.text
    feed_preview._room.release()
    site.visitor.role = Role.ANALYST
    assert site.client.get("/news/feeds/new").status_code == 403
    assert site.client.get(f"/news/feeds/{site.feeds()['Herald'].id}/edit").status_code == 403
    assert "Add a feed" not in site.client.get("/news/feeds").text
