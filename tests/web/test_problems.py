"""The page of problems by HTTP: what is listed, what is escaped and bounded, who may forget one."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from alerts.definitions import load_alerts
from alerts.saved import SavedSearches
from delivery.channels.registry import parse_address
from newswatch.problems import KINDS, Problem
from store.elastic import bulk
from store.quarantine import Quarantine
from tests.factories import NOW
from tests.web.conftest import Page
from web.problem_pages import DOCUMENT_SHOWN, LABELS, PAGE, cut, place
from web.render import with_code
from web.security import Role

pytestmark = pytest.mark.slow

EVIL = """"><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7*7 }}"""


@pytest.fixture
def client(page: Page) -> TestClient:
    return TestClient(page.app, follow_redirects=False)


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/searches/new").text)
    assert found
    return found[1]


def note(page: Page, *problems: Problem, minutes_ago: float = 0) -> Quarantine:
    quarantine = Quarantine(page.context.es, page.context.names)
    quarantine.note(problems, now=NOW - timedelta(minutes=minutes_ago))
    quarantine.refresh()
    return quarantine


def subjects(answer: Response) -> list[str]:
    """What the list shows, in its order."""
    return [html.unescape(found) for found in re.findall(r"<th scope=\"row\">.*?<bdi>(.*?)</bdi>", answer.text)]


class Dangers(HTMLParser):
    """What a browser would make of a page that it must not: scripts in it, handlers, styles, links that run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in ("img", "style", "iframe") or (tag == "script" and not (told.get("src") or "").startswith("/news/")):
            self.found.append(tag)
        self.found += [name for name in told if name.startswith("on") or name == "style"]
        links = [told.get(name) or "/" for name in ("href", "action", "src") if name in told]
        self.found += [link for link in links if not link.startswith(("/", "#", "https://", "http://"))]


def dangers(page: str) -> list[str]:
    """The dangers in a page."""
    parser = Dangers()
    parser.feed(page)
    return parser.found


# ── what is listed ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_set_aside_says_what_that_means(client: TestClient) -> None:
    shown = client.get("/news/problems")
    assert shown.status_code == 200
    assert "Nothing is set aside." in shown.text
    assert '<a href="/news/problems" aria-current="page">Problems</a>' in shown.text


def test_what_was_set_aside_is_listed_the_last_first_with_what_to_do(page: Page, client: TestClient) -> None:
    note(page, Problem("entry", "guid-1", "no title", "parse", feed_id="courier"), minutes_ago=90)
    note(page, Problem("entry", "guid-1", "still no title", "parse", feed_id="courier"), minutes_ago=30)
    note(page, Problem("search", "nato", "too many words", "match"), minutes_ago=5)
    answer = client.get("/news/problems")
    assert subjects(answer) == ["nato", "guid-1"]
    shown = html.unescape(re.sub(r"<[^>]+>", " ", answer.text))
    for told in ("still no title", "parse", "30 min ago", "2 h ago", "It sends no mails until it is corrected"):
        assert told in shown
    assert 'href="/news/searches/nato"' in answer.text
    assert 'href="/news/feeds/courier"' in answer.text
    assert 'Problems <span class="badge">2</span>' in answer.text
    assert subjects(client.get("/news/problems?kind=entry")) == ["guid-1"]
    assert "No problem fits" in client.get("/news/problems?kind=mail").text
    assert subjects(client.get("/news/problems?feed=courier")) == ["guid-1"]


def test_ten_thousand_are_paged_and_what_lies_beyond_is_told(page: Page, client: TestClient) -> None:
    es, index = page.context.es, page.context.names.quarantine
    documents = (
        {"what": "page", "id": f"page {n:05}", "reason": "x", "at": (NOW - timedelta(seconds=n)).isoformat()}
        for n in range(10_020)
    )
    actions = (bulk.put(index, f"id-{n}", document) for n, document in enumerate(documents))
    assert all(result.reason is None for result in bulk.write(es, actions))
    es.indices.refresh(index=index)
    first = client.get("/news/problems")
    assert len(subjects(first)) == PAGE
    assert "pages 10\u202f020</a>" in first.text
    assert len(first.text) < 200_000
    second = client.get("/news/problems?offset=50")
    assert subjects(second)[0] == "page 00050"
    last = client.get("/news/problems?offset=9950")
    assert subjects(last)[-1] == "page 09999"
    assert "20 older ones are left out" in last.text
    assert client.get("/news/problems?offset=10000").status_code == 400
    shown = re.findall(r'name="id" value="([^"]+)"', first.text)
    gone = client.post("/news/problems/dismiss", data={"csrf": token(client), "id": shown})
    assert gone.headers["location"] == "/news/problems?done=50"
    after = client.get(gone.headers["location"])
    assert "50 forgotten" in after.text
    assert subjects(after)[0] == "page 00050"


PLACES: dict[str, tuple[Problem, str | None]] = {
    "feed": (Problem("feed", "courier", ""), "/feeds/courier"),
    "entry": (Problem("entry", "guid", "", feed_id="cou rier/x"), "/feeds/cou%20rier%2Fx"),
    "page": (Problem("page", "https://x", "", feed_id="courier"), "/feeds/courier"),
    "page of nobody": (Problem("page", "https://x", ""), None),
    "search": (Problem("search", 'a"b?c#d', ""), "/searches/a%22b%3Fc%23d"),
    "recipient": (Problem("recipient", "a&b@example.org", ""), "/deliveries?to=a%26b%40example.org"),
    "mail": (Problem("mail", "nato~story 1", ""), "/story/story%201"),
    "mail to somebody": (Problem("mail", "ann@example.org", ""), None),
    "feed document": (Problem("document", "eu-feeds/courier", ""), "/feeds/courier"),
    "search document": (Problem("document", "saved-searches/nato", ""), "/searches/nato"),
    "problem document": (Problem("document", "eu-quarantine/id", ""), "/problems/id"),
    "another document": (Problem("document", "batches/1", ""), None),
    "no document": (Problem("document", "feeds", ""), None),
    "script": (Problem("search", "javascript:alert(1)", ""), "/searches/javascript%3Aalert%281%29"),
    "nameless": (Problem("search", "", ""), None),
    "batch": (Problem("batch", "7", ""), None),
}


@pytest.mark.parametrize(("problem", "where"), PLACES.values(), ids=PLACES)
def test_a_problem_leads_to_what_it_is_about(problem: Problem, where: str | None) -> None:
    assert place(problem, "eu-") == where


def test_every_kind_has_its_name_and_its_advice(page: Page, client: TestClient) -> None:
    assert set(LABELS) == set(KINDS)
    note(page, *(Problem(kind, f"a {kind}", "why", "stage") for kind in KINDS))
    shown = client.get("/news/problems")
    assert len(subjects(shown)) == len(KINDS)
    assert all(str(with_code(Problem(kind, "", "").advice)) in shown.text for kind in KINDS)
    assert "<code>config/feeds.yaml</code>" in shown.text


# ── strangers' text ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_strangers_wrote_is_escaped(page: Page, client: TestClient) -> None:
    problems = [Problem(kind, EVIL, EVIL, EVIL, "javascript:alert(1)", EVIL, {EVIL: EVIL}) for kind in KINDS]
    note(page, *problems)
    for path in ("", "?kind=mail", "?feed=" + quote(EVIL), *(f"/{problem.id}" for problem in problems)):
        shown = client.get(f"/news/problems{path}")
        assert shown.status_code == 200, path
        assert "&lt;script&gt;alert(1)" in shown.text, path
        assert dangers(shown.text) == [], path


AT = {"at": "2026-03-04T12:00:00Z"}
HARD: dict[str, dict[str, Any]] = {
    "long": {"what": "entry", "id": "x" * 8_000, "reason": "why " * 50_000, "stage": "s" * 5_000, "url": "http://["}
    | AT,
    "nonsense": {"what": ["a", "b"], "id": [1, 2], "count": "many"} | AT,
    "no date": {"what": "entry", "id": "x", "reason": "y"},
    "a number for a date": {"what": "entry", "id": "x", "at": 1_700_000_000_000},
    "a date before all dates": {"what": "entry", "id": "x", "at": "0001-01-01T00:00:00+14:00"},
    "half a pair": {"what": "entry", "id": "\ud800", "reason": "\udfff", "document": {"\ud800": "\ud800"}} | AT,
    "of another version": {"what": "weather<b>", "id": "rain"} | AT,
    "overridden": {"what": "entry", "id": "\u202egnp.exe", "reason": "\u2066\u202e" * 50} | AT,
    "nothing but blanks": {"what": "entry", "id": "  ", "reason": "", "stage": ""} | AT,
    "url without host": {"what": "page", "id": "x", "url": "https://"} | AT,
    "an id with ?and# in it": {},
}


def test_what_is_hard_to_show_costs_only_itself(page: Page, client: TestClient) -> None:
    """Documents that somebody edited, past a mapping that would have refused some of them."""
    es, index = page.context.es, page.context.names.quarantine
    keyword, date = {"type": "keyword", "ignore_above": 8_191}, {"type": "date", "ignore_malformed": True}
    es.indices.delete(index=index)
    es.indices.create(
        index=index, mappings={"properties": {"what": keyword, "id": keyword, "at": date}, "dynamic": False}
    )
    for name, document in HARD.items():
        es.perform_request(
            "PUT",
            f"/{index}/_doc/{quote(name, safe='')}",
            headers={"content-type": "application/json", "accept": "application/json"},
            body=json.dumps(document).encode(),
        )
    note(page, Problem("search", "nato", "good neighbour"))
    shown = client.get("/news/problems")
    assert shown.status_code == 200
    assert "good neighbour" in shown.text
    assert len(subjects(shown)) == len(HARD) + 1
    assert len(shown.text) < 50_000
    assert dangers(shown.text) == []
    for name in HARD:
        one = client.get(f"/news/problems/{quote(name, safe='')}")
        assert one.status_code == 200, name
        assert dangers(one.text) == []
    gone = client.post("/news/problems/dismiss", data={"csrf": token(client), "id": list(HARD)})
    assert gone.headers["location"] == f"/news/problems?done={len(HARD)}"


def test_a_kept_document_is_shown_bounded_and_downloaded_whole(page: Page, client: TestClient) -> None:
    document: Mapping[str, Any] = {"title": "حلف الناتو 北约 <b>", "text": "x" * 50_000, "half": "\ud800"}
    problem = Problem("article", "a1", "refused", "index", "https://herald.example/1", "courier", document)
    note(page, problem)
    shown = client.get(f"/news/problems/{problem.id}").text
    (kept,) = re.findall(r'<pre class="kept"[^>]*>(.*?)</pre>', shown, re.DOTALL)
    assert len(html.unescape(kept)) == DOCUMENT_SHOWN
    assert "حلف الناتو 北约 &lt;b&gt;" in kept
    got = client.get(f"/news/problems/{problem.id}/document")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["content-disposition"] == f'attachment; filename="problem-{problem.id}.json"'
    assert json.loads(got.text) == document
    page.visitor.role = Role.ANALYST
    assert client.get(f"/news/problems/{problem.id}/document").status_code == 403
    assert '<pre class="kept"' not in client.get(f"/news/problems/{problem.id}").text


def test_what_is_not_there_is_told(page: Page, client: TestClient) -> None:
    problem = Problem("feed", "courier", "why")
    note(page, problem)
    for path in ("none", "none/document", f"{problem.id}/document", "x" * 500):
        assert client.get(f"/news/problems/{path}").status_code == 404, path
    assert client.get(f"/news/problems/{'x' * 600}").status_code == 400


# ── dealt with ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_dealt_with_is_forgotten_and_comes_back_if_met_again(page: Page, client: TestClient) -> None:
    problem = Problem("search", "nato", "too many words", "match")
    quarantine = note(page, problem, Problem("mail", "m", "why"))
    path = f"/news/problems/{problem.id}/dismiss"
    gone = client.post(path, data={"csrf": token(client), "back": "search"})
    assert (gone.status_code, gone.headers["location"]) == (303, "/news/problems?kind=search&done=1")
    shown = client.get(gone.headers["location"])
    assert "1 forgotten" in shown.text
    assert 'Problems <span class="badge">1</span>' in shown.text
    assert subjects(client.get("/news/problems")) == ["m"]
    again = client.post(path, data={"csrf": token(client), "back": "https://evil.example"})
    assert again.headers["location"] == "/news/problems?done=0"
    assert "It was forgotten already" in client.get(again.headers["location"]).text
    note(page, problem)
    assert quarantine.listed().total == 2


def test_only_who_may_change_forgets(page: Page, client: TestClient) -> None:
    problem = Problem("search", "nato", "why")
    quarantine, form = note(page, problem), token(client)
    for path in (f"/news/problems/{problem.id}/dismiss", "/news/problems/dismiss"):
        for data in ({}, {"csrf": form + "x", "id": problem.id}):
            assert client.post(path, data=data).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data={"csrf": form, "id": problem.id}, headers=cross).status_code == 403
        page.visitor.role = Role.ANALYST
        assert client.post(path, data={"csrf": form, "id": problem.id}).status_code == 403
        page.visitor.role = Role.OPERATOR
    page.visitor.role = Role.ANALYST
    assert "Dealt with" not in client.get("/news/problems").text
    page.visitor.reads = False
    for path in ("", f"/{problem.id}", f"/{problem.id}/document"):
        assert client.get(f"/news/problems{path}").status_code == 303
    quarantine.refresh()
    assert quarantine.listed().total == 1


# ── where else it shows ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_and_a_saved_search_show_their_own(page: Page, client: TestClient) -> None:
    here = page.context
    SavedSearches(here.es, here.names).seed(
        load_alerts(here.settings.config_dir / "alerts.yaml", parse_address), now=NOW
    )
    entry = Problem("entry", "guid-1", EVIL, "parse", "http://[", feed_id="courier")
    note(page, entry, minutes_ago=90)
    note(page, entry, Problem("feed", "courier", "bad address", "plan"), Problem("search", "nato", EVIL, "match"))
    feed = client.get("/news/feeds/courier").text
    assert "2 were set aside" in feed
    assert "bad address" in feed
    assert "2 times since" in html.unescape(re.sub(r"<[^>]+>", "", feed))
    assert f'href="/news/problems/{entry.id}"' in feed
    search = client.get("/news/searches/nato").text
    assert "It was set aside" in search
    assert "&lt;script&gt;alert(1)" in search
    assert "<script>alert" not in feed + search
    assert "Problems</h2>" not in client.get("/news/feeds/ledger").text


def test_a_quarantine_that_is_closed_costs_only_its_own_page(page: Page, client: TestClient) -> None:
    note(page, Problem("search", "nato", "why"))
    page.context.es.indices.close(index=page.context.names.quarantine)
    for path in ("/news/", "/news/searches", "/news/feeds"):
        shown = client.get(path)
        assert shown.status_code == 200, path
        assert '">Problems</a>' in shown.text


def test_long_text_is_cut_and_told() -> None:
    assert cut("x" * 1_000, 1_000) == "x" * 1_000
    assert cut("x" * 2_500, 1_000).endswith("x… (1,500 more characters)")
