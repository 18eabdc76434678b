"""The News page by HTTP: who gets in, what a change needs, what is shown, and that nothing gets out unescaped."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx import Response

from alerts.saved import SavedSearches
from newswatch.model import Evidence, Tag
from search.feed_history import read_history
from search.feeds import FeedStore
from tests.factories import NOW, a_source, an_article
from tests.newsstand import CANONICAL, stock, url_of
from tests.web.conftest import Page
from web import delivery_pages, feed_pages, saved_pages, search_pages
from web.render import country, duration, language_tag, safe_url, tag_name, when
from web.saved_pages import slug

pytestmark = pytest.mark.slow

ROUTERS = (search_pages.router, saved_pages.router, feed_pages.router, delivery_pages.router)
CHANGES = (saved_pages.changes, feed_pages.changes)


@pytest.fixture
def client(page: Page) -> TestClient:
    return TestClient(page.app, follow_redirects=False)


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/searches/new").text)
    assert found
    return found[1]


def post(client: TestClient, path: str, **fields: str) -> Response:
    return client.post(path, data={"csrf": token(client), "schedule": "instant", **fields})


def paths(routers: tuple[object, ...]) -> list[str]:
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]
    filled = {"article_id": "x", "story_id": "x", "alert_id": "nato", "feed_id": "courier", "form": "csv"}
    return [f"/news{route.path.format(**filled)}" for route in routes]


# ── who gets in ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_sees_anything_without_logging_in(page: Page, client: TestClient) -> None:
    page.visitor.reads = False
    assert len(paths(ROUTERS)) > 8
    for path in paths(ROUTERS):
        answer = client.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/auth/login?next=http"), path


def test_nobody_changes_anything_without_the_right(page: Page, client: TestClient) -> None:
    form = token(client)
    page.visitor.changes = False
    for path in paths(CHANGES):
        assert client.post(path, data={"csrf": form}).status_code == 403, path
    assert "Mail me these" not in client.get("/news/?q=AWACS").text
    assert "<fieldset disabled>" in client.get("/news/searches/new").text
    page.visitor.reads = False
    for path in paths(CHANGES):
        assert client.post(path, data={"csrf": form}).status_code == 401, path


def test_a_change_needs_a_form_of_ours_for_this_user(page: Page, client: TestClient) -> None:
    form = token(client)
    for path in paths(CHANGES):
        assert client.post(path, data={}).status_code == 403, path
        assert client.post(path, data={"csrf": form + "x"}).status_code == 403, path
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data={"csrf": form}, headers=headers).status_code == 403, path
    page.visitor.name = "eve"
    assert client.post("/news/searches/nato/mute", data={"csrf": form, "for": "1 day"}).status_code == 403


def test_every_answer_forbids_scripts_and_styles_of_others(client: TestClient) -> None:
    for path in ("/news/", "/news/?q=foo:bar", "/news/nothing", "/news/static/news.css", "/news/export.csv"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    page = client.get("/news/?q=AWACS").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", page)


def test_what_publishers_and_users_write_is_escaped(page: Page, client: TestClient) -> None:
    evil = '"><script>alert(1)</script>'
    article = replace(
        an_article("https://evil.example/x", title=evil, summary=evil, text=evil, authors=(evil,), problems=(evil,)),
        url="javascript:alert(1)",
        source=a_source(name=evil, owner=evil, domain="evil.example"),
        tags=(Tag("nato", "main", 1.0, (Evidence("title", 0, 2, '">'),)),),
        language="en",
    )
    stock(page.context.es, page.context.names, [article])
    for path in (
        "/news/?q=script",
        f"/news/?q={evil}",
        f"/news/article/{article.id}",
        f"/news/story/{article.story_id}",
    ):
        html = client.get(path).text
        assert "<script>alert" not in html, path
        assert "javascript:" not in html, path
    assert (
        evil.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
        in client.get(f"/news/article/{article.id}").text
    )


# ── search ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_search_shows_stories_facets_and_marks(page: Page, client: TestClient) -> None:
    html = client.get("/news/", params={"q": "AWACS Daesh"}).text
    assert '<mark class="q">AWACS</mark>' in html
    assert 'class="ev ev-counter-terrorism"' in html
    assert "3 articles, 1 independent source" in html
    assert "q=AWACS+Daesh+lang%3Aen" in html
    assert html.count('class="hit-item"') == 1


def test_a_query_that_cannot_be_understood_shows_its_place(client: TestClient) -> None:
    answer = client.get("/news/", params={"q": "AWACS foo:bar"})
    assert answer.status_code == 200
    assert '<mark class="fault">foo:</mark>' in answer.text


def test_nothing_found_offers_ways_on(client: TestClient) -> None:
    html = client.get("/news/", params={"q": "zeppelin lang:fr"}).text
    assert "Nothing found" in html
    assert "Without <code>lang:fr</code>" in html


def test_an_article_says_why_it_has_its_tags(page: Page, client: TestClient) -> None:
    article = next(a for a in page.articles if a.url == url_of(CANONICAL))
    html = client.get(f"/news/article/{article.id}", params={"q": "AWACS"}).text
    anchors = set(re.findall(r'href="#(e-[^"]+)"', html))
    ids = re.findall(r'id="(e-[^"]+)"', html)
    assert anchors
    assert anchors <= set(ids)
    assert len(ids) == len(set(ids))
    assert '<mark class="q">AWACS</mark>' in html


def test_a_story_tells_copies_from_reports(page: Page, client: TestClient) -> None:
    article = next(a for a in page.articles if a.url == url_of(CANONICAL))
    html = client.get(f"/news/story/{article.story_id}").text
    assert "2 copies" in html
    assert "<b>1</b> independent source" in html
    assert client.get("/news/story/none").status_code == 404


def test_an_export_has_everything_and_no_more(page: Page, client: TestClient) -> None:
    lines = client.get("/news/export.jsonl", params={"q": "tag:nato"}).text.splitlines()
    rows = list(csv.reader(io.StringIO(client.get("/news/export.csv", params={"q": "tag:nato"}).text)))
    expected = {a.id for a in page.articles if "nato" in {tag.tag for tag in a.tags}}
    assert {json.loads(line)["id"] for line in lines} == expected
    assert len(rows) == len(expected) + 1
    assert client.get("/news/export.csv", params={"q": "foo:bar"}).status_code == 400


# ── saved searches ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_a_search_to_a_saved_one_that_mails(page: Page, client: TestClient) -> None:
    html = client.get("/news/searches/new", params={"q": "AWACS tag:nato level:main since:7d"}).text
    assert "since:7d</code> was left out" in html
    assert "nato:main</textarea>" in html
    fields = {"name": "AWACS over the Alliance", "query": "AWACS", "tags": "nato:main", "recipients": "ann@example.org"}
    answer = post(client, "/news/searches/new", do="save", **fields)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/news/searches/awacs-over-the-alliance?done=saved",
    )
    saved = SavedSearches(page.context.es, page.context.names).get("awacs-over-the-alliance")
    assert (saved.query, saved.tags[0].level, saved.recipients, saved.owner) == (
        "AWACS",
        "main",
        ("ann@example.org",),
        "ann",
    )
    assert client.get(answer.headers["location"]).status_code == 200
    again = post(client, "/news/searches/new", do="save", **fields)
    assert again.status_code == 400
    assert "already" in again.text


def test_a_try_shows_what_it_would_have_mailed_and_saves_nothing(page: Page, client: TestClient) -> None:
    answer = post(client, "/news/searches/new", do="try", name="", query="AWACS", tags="", recipients="")
    assert answer.status_code == 200
    assert "mails a day" in answer.text
    assert "<svg" in answer.text
    assert not [s for s in SavedSearches(page.context.es, page.context.names).all() if s.id != "nato"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"query": "AWACS AND"}, "can&#39;t be parsed"),
        ({"query": "tagz:nato"}, "tagz"),
        ({"recipients": "not an address"}, "no mail address"),
        ({"schedule": "now and then"}, "schedule"),
        ({"tags": "nato:huge"}, "main"),
        ({"min_sources": "many"}, "min_sources"),
    ],
)
def test_what_cannot_be_saved_is_told_and_what_was_typed_stays(
    client: TestClient, fields: dict[str, str], told: str
) -> None:
    typed = {"name": "Mine", "query": "AWACS", "recipients": "ann@example.org", "note": "typed with care"} | fields
    answer = post(client, "/news/searches/new", do="save", **typed)
    assert answer.status_code == 400
    assert told in answer.text
    assert "typed with care" in answer.text


def test_too_many_mails_are_saved_only_when_confirmed(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_pages, "MANY", 0.01)
    fields = {"name": "All", "query": "", "recipients": "ann@example.org", "do": "save"}
    asked = post(client, "/news/searches/new", **fields)
    assert asked.status_code == 200
    assert 'name="confirmed"' in asked.text
    assert post(client, "/news/searches/new", confirmed="yes", **fields).status_code == 303


def test_muting_switching_and_changing_make_versions(page: Page, client: TestClient) -> None:
    client.get("/news/searches")
    saved = SavedSearches(page.context.es, page.context.names)
    assert post(client, "/news/searches/nato/mute", **{"for": "1 day"}).status_code == 303
    assert saved.get("nato").mute_until == NOW.replace(day=5)
    post(client, "/news/searches/nato/mute", **{"for": ""})
    assert saved.get("nato").mute_until is None
    post(client, "/news/searches/nato/switch", to="off")
    assert not saved.get("nato").enabled
    fields = {"name": "NATO", "tags": "nato", "recipients": "ann@example.org bob@example.org"}
    assert post(client, "/news/searches/nato", do="save", **fields).status_code == 303
    assert saved.get("nato").recipients == ("ann@example.org", "bob@example.org")
    assert [change.replaced_by for change in saved.history("nato")] == ["ann"] * 4
    assert "ann changed" in client.get("/news/searches/nato").text


# ── feeds and deliveries ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_is_shown_and_polled_again(page: Page, client: TestClient) -> None:
    store = FeedStore(page.context.es, page.context.names)
    (record,) = [found for found in store.due(NOW, 10) if found.id == "courier"]
    store.save([(record, replace(record.value.state, next_poll_at=NOW.replace(year=2027), failures=3))])
    page.context.es.indices.refresh(index=page.context.names.feeds)
    assert "The Courier" in client.get("/news/feeds", params={"find": "courier"}).text
    assert "No feed fits" in client.get("/news/feeds", params={"find": "zeppelin"}).text
    shown = client.get("/news/feeds/courier").text
    assert "Poll it now" in shown
    assert post(client, "/news/feeds/courier/retry").status_code == 303
    assert [found.id for found in store.due(NOW, 10) if found.id == "courier"] == ["courier"]
    history = read_history(page.context.es, page.context.names, "courier", days=30, now=NOW)
    assert history.record.state.failures == 0  # forgotten: a retry begins anew
    assert sum(history.days.values()) == history.articles == sum("courier" in a.feeds for a in page.articles)
    assert client.get("/news/feeds/none").status_code == 404


def test_without_deliveries_the_page_says_what_will_stand_there(client: TestClient) -> None:
    assert "No delivery yet" in client.get("/news/deliveries").text


# ── how things are written ───────────────────────────────────────────────────────────────────────────────────────────


def test_how_times_places_and_addresses_are_written() -> None:
    assert when(NOW.replace(minute=1), NOW) == "5 min ago"
    assert when(NOW.replace(hour=7, second=7), NOW) == "in 2 h"
    assert when(NOW.replace(year=2025), NOW) == "4 Mar 2025, 05:06"
    assert (duration(45), duration(7_200), duration(None)) == ("45 s", "2 h", "–")
    assert (country("FR"), country("ZZ9"), country(None)) == ("France", "ZZ9", "")
    assert (language_tag("som"), language_tag("en"), language_tag("no such")) == ("so", "en", "")
    assert (tag_name("nato/cyber-hybrid"), tag_name("nato")) == ("Cyber and hybrid", "NATO")
    assert [safe_url(u) for u in ("https://a.example/", "javascript:x", "data:x", None)] == [
        "https://a.example/",
        "",
        "",
        "",
    ]
    assert slug("NATO: Baltic áir!") == "nato-baltic-air"
