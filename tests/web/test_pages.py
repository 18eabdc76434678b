"""The News page by HTTP: who gets in, what a change needs, what is shown, and that nothing gets out unescaped."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from httpx import Response

from alerts.kinds import KINDS
from alerts.match import match_batch
from alerts.saved import SavedSearches
from delivery.feedback import apply_link
from delivery.links import PATH, Link, LinkError, Links
from delivery.mailbox import Mailboxes
from delivery.outbox import Outbox
from embedded.stack_files import mail_folder
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Evidence, Tag
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.outages import Outage
from search.first_page import FirstPage, first_page_of
from search.meant import Unmeant
from search.query import find
from search.results import Results
from store.feed_history import read_history
from store.feeds import FeedStore
from tests.alerts.press import Press, a_story
from tests.broken_slice import broken_slice
from tests.factories import NOW, a_feed, a_source, an_article
from tests.languages_of_one_event import FERRY
from tests.newsstand import CANONICAL, stock, url_of
from tests.web.conftest import ALERTS, Page
from tests.web.hard import CORRECTED, stock_hard
from transforms.encoder import Encoder
from transforms.meaning import with_meaning
from web import (
    delivery_pages,
    desk_pages,
    entity_pages,
    feed_changes,
    feed_pages,
    mail_pages,
    result_pages,
    saved_pages,
    search_list,
    search_pages,
    security,
    situation_pages,
)
from web.render import duration, language_tag, safe_url, when
from web.saved_pages import slug
from web.security import Role

pytestmark = pytest.mark.slow

ROUTERS = (
    search_pages.router,
    search_list.router,
    saved_pages.router,
    feed_pages.router,
    delivery_pages.router,
    mail_pages.router,
    situation_pages.router,
    entity_pages.router,
    mail_pages.private,
    feed_changes.private,
)
CHANGES = (saved_pages.changes, feed_pages.changes, feed_changes.changes, delivery_pages.changes)
OWN = (desk_pages.changes,)
"""What everybody may change who may read: it is the reader's own."""


@pytest.fixture
def client(page: Page) -> TestClient:
    return TestClient(page.app, follow_redirects=False)


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/searches/new").text)
    assert found
    return found[1]


def post(client: TestClient, path: str, **fields: str) -> Response:
    response: Response = client.post(path, data={"csrf": token(client), **fields})
    return response


def chosen(html: str, name: str) -> str:
    """The option that is chosen in a field."""
    field = html.partition(f'name="{name}"')[2].partition("</select>")[0]
    found = re.search(r'value="([^"]*)" selected', field)
    return found[1] if found else ""


def sent(html: str) -> dict[str, str]:
    """What the fields with a value would send; boxes that are not ticked send nothing."""
    form = html[html.index('class="edit"') :].partition("</form>")[0]
    fields = dict(re.findall(r'<input [^>]*name="([^"]+)"(?! type="(?:checkbox|radio))[^>]* value="([^"]*)"', form))
    fields |= dict(re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', form))
    fields |= {name: chosen(form, name) for name in re.findall(r'<select [^>]*name="([^"]+)"', form)}
    return {name: value for name, value in fields.items() if name != "csrf"}


def paths(routers: tuple[object, ...]) -> list[str]:
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]
    filled = {
        "article_id": "x",
        "story_id": "x",
        "alert_id": "nato",
        "feed_id": "courier",
        "form": "csv",
        "name": "x",
        "way": "next",
    }
    filled["entity_id"] = "nato"
    return [f"/news{route.path.format(**filled)}" for route in routes]


# ── who gets in ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_sees_anything_without_logging_in(page: Page, client: TestClient) -> None:
    page.visitor.reads = False
    assert len(paths(ROUTERS)) > 8
    for path in paths(ROUTERS):
        answer = client.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/auth/login?next=http"), path


def test_a_link_of_a_mail_is_no_dead_end_without_an_account(page: Page, client: TestClient) -> None:
    article = page.articles[0]
    key = Links(page.context.settings).story_token(article.story_id)
    for path in (f"/news/story/{article.story_id}", f"/news/article/{article.id}"):
        assert client.get(path, params={"k": key}).status_code == 200, "who is logged in gets the full page"
    page.visitor.reads = False
    base = f"{page.context.settings.public_url}{PATH}/story"
    story = client.get(f"/news/story/{article.story_id}", params={"k": key})
    assert (story.status_code, story.headers["location"]) == (303, f"{base}/{key}")
    why = client.get(f"/news/article/{article.id}", params={"k": key})
    assert why.headers["location"] == f"{base}/{key}#{article.id}"
    hostile = client.get("/news/story/x", params={"k": "../../evil?a=b#c"})
    assert hostile.headers["location"] == f"{base}/..%2F..%2Fevil%3Fa%3Db%23c"
    told = client.get("/news/searches/nato?from=mail")
    assert told.status_code == 401
    assert "This page needs an account" in told.text
    assert '<a href="/auth/login?next=http' in told.text


def test_nobody_changes_anything_without_the_right(page: Page, client: TestClient) -> None:
    form = token(client)
    client.get("/news/searches")  # brings in what the file lists
    page.visitor.role = Role.ANALYST
    for path in paths(CHANGES):
        assert client.post(path, data={"csrf": form}).status_code == 403, path
    for path in paths(
        (mail_pages.private, feed_changes.private)
    ):  # a caught mail holds links that act in its recipient's name
        assert client.get(path).status_code == 403, path
    assert "Save this search" not in client.get("/news/?q=AWACS").text
    assert "<fieldset disabled>" in client.get("/news/searches/new").text
    assert client.post("/news/looked", data={"csrf": form, "until": NOW.isoformat()}).status_code == 303
    page.visitor.reads = False
    for path in paths((*CHANGES, *OWN)):
        assert client.post(path, data={"csrf": form}).status_code == 401, path


def test_a_change_needs_a_form_of_ours_for_this_user(page: Page, client: TestClient) -> None:
    form = token(client)
    for path in paths((*CHANGES, *OWN)):
        assert client.post(path, data={}).status_code == 403, path
        assert client.post(path, data={"csrf": form + "x"}).status_code == 403, path
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert client.post(path, data={"csrf": form}, headers=headers).status_code == 403, path
    page.visitor.name = "eve"
    assert client.post("/news/searches/nato/mute", data={"csrf": form, "for": "1 day"}).status_code == 403


def awacs(page: Page) -> list[tuple[str, ...]]:
    """Whom the saved searches for AWACS mail."""
    saved = SavedSearches(page.context.es, page.context.names).all()
    return [one.recipients for one in saved if one.query == "AWACS"]


def hidden(html: str) -> list[tuple[str, str]]:
    """The hidden fields of the form that sends something again."""
    form = html.partition('<form method="post" action="/news/searches/new">')[2].partition("</form>")[0]
    return [(name, unescape(value)) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)]


def test_a_form_that_was_open_for_too_long_is_sent_again_as_it_was_typed(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = {"name": 'Bal"tic\n<air>', "query": "AWACS", "recipients": "ann@b.example", "kind": "query"}
    monkeypatch.setattr(security, "TOKEN_AGE_S", -1)
    asked = client.post("/news/searches/new", data={"csrf": token(client), **typed})
    assert (asked.status_code, asked.headers["cache-control"]) == (403, "no-store")
    assert not [one for one in SavedSearches(page.context.es, page.context.names).all() if one.query == "AWACS"], (
        "nothing is done unasked"
    )
    fields = hidden(asked.text)
    assert typed.items() <= {name: value.replace("\r\n", "\n") for name, value in fields}.items()
    monkeypatch.undo()
    assert client.post("/news/searches/new", data=dict(fields)).status_code == 303
    assert awacs(page) == [("ann@b.example",)]


def test_a_form_of_somebody_else_is_not_sent_again_however_old(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = token(client)
    page.visitor.name = "eve"
    monkeypatch.setattr(security, "TOKEN_AGE_S", -1)
    for given in (form, form + "x", ""):
        answer = client.post("/news/searches/new", data={"csrf": given, "name": "x", "query": "AWACS"})
        assert (answer.status_code, hidden(answer.text)) == (403, []), given


def test_who_is_logged_out_while_he_types_is_told_how_to_keep_it(page: Page, client: TestClient) -> None:
    form = token(client)
    page.visitor.reads = False
    answer = client.post("/news/searches/new", data={"csrf": form, "name": "x"})
    assert answer.status_code == 401
    assert "nothing was changed. Log in in another tab" in answer.text
    as_json = client.get("/news/", headers={"Accept": "application/json"}).json()
    assert as_json["step"] == "Log in to Airflow, and try again."


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
    assert "<span>3 outlets</span> <span>3 owners</span>" in html
    assert "newest change" in html
    assert "q=AWACS+Daesh+lang%3Aen" in html
    assert html.partition('class="filled"')[0].count('class="hit-item"') == 1


def test_a_search_says_where_the_filled_part_begins_and_what_stands_for_a_word(page: Page, client: TestClient) -> None:
    html = client.get("/news/", params={"q": "AWACS Daesh"}).text
    before, said, below = html.partition("those below have only some")
    assert said
    assert before.count('class="hit-item"') == 1
    assert below.count('class="hit-item"') >= 1
    assert "<bdi>Islamic State</bdi> ← <bdi>ISIL</bdi>" in client.get("/news/", params={"q": "AWACS ISIL"}).text
    many = "AWACS " + " ".join(f"word{n}" for n in range(102))
    assert "first 100 words are looked for, 3 others are not" in client.get("/news/", params={"q": many}).text
    found_none = client.get("/news/", params={"q": many.replace("AWACS", "") + " zeppelin2", "sort": "time"}).text
    assert "Nothing found" in found_none
    assert "first 100 words are looked for, 3 others are not" in found_none
    assert '<h1 class="vh">News</h1>' in client.get("/news/", params={"q": " "}).text


def test_a_row_that_lacks_words_and_stands_above_those_that_have_some_is_a_close_match(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearer(*args: Any, **options: Any) -> Results:
        results = find(*args, **options)
        assert results.filled == 1
        return replace(results, filled=2)

    assert "close match" not in client.get("/news/", params={"q": "AWACS Daesh"}).text
    monkeypatch.setattr(result_pages, "find", nearer)
    html = client.get("/news/", params={"q": "AWACS Daesh"}).text
    before, _, below = html.partition("have all of the words or are a close match; those below have only some")
    assert before.count(">close match</span>") == 1
    assert (before.count('class="hit-item"'), ">close match</span>" in below) == (2, False)


def test_one_that_finds_nothing_in_the_archive_is_saved_and_it_is_told(page: Page, client: TestClient) -> None:
    fields = {"name": "Quiet", "query": "zeppelin", "recipients": "ann@example.org"}
    saved = post(client, "/news/searches/new", do="save", **fields)
    assert "idle=yes" in saved.headers["location"]
    assert "Nothing of the last 30 days" in client.get(saved.headers["location"]).text


def test_what_is_tried_says_which_spellings_it_does_not_look_for(client: TestClient) -> None:
    tried = post(client, "/news/searches/new", do="try", name="Jets", query="F-16 <b>", recipients="ann@example.org")
    assert "To find other spellings too: (F-16 OR F16)." in tried.text
    tried = post(client, "/news/searches/new", do="try", name="Jets", query="F-16 OR F16", recipients="ann@example.org")
    assert "other spellings" not in tried.text


@pytest.mark.parametrize(("query", "told"), [("F-16", True), ("F-16 OR F16", False)])
def test_what_is_saved_says_which_spellings_it_does_not_look_for(client: TestClient, query: str, told: bool) -> None:
    fields = {"do": "save", "name": "Jets", "query": query, "recipients": "ann@example.org", "confirmed": "yes"}
    address = post(client, "/news/searches/new", **fields).headers["location"]
    saved = client.get(address).text
    assert "<b>Saved.</b>" in saved
    assert ("To find other spellings too: (F-16 OR F16)." in saved) is told
    assert "other spellings" not in client.get(address.partition("?")[0]).text, "once is enough"


def test_a_query_that_cannot_be_understood_shows_its_place(client: TestClient) -> None:
    answer = client.get("/news/", params={"q": "AWACS foo:bar"})
    assert answer.status_code == 200
    assert '<mark class="fault">foo:</mark>' in answer.text


def test_a_filter_that_matches_nothing_is_named_with_what_was_meant(client: TestClient) -> None:
    html = client.get("/news/", params={"q": "zeppelin tag:natoo"}).text
    assert "None has <code>tag:natoo</code>: did you mean" in html
    assert 'q=zeppelin+tag%3Anato"' in html


@pytest.mark.parametrize("wrong", ["from=yesterday", "from=2026-02-31", "more=colour"])
def test_a_day_or_facet_that_is_none_is_told(client: TestClient, wrong: str) -> None:
    answer = client.get(f"/news/?q=NATO&{wrong}", follow_redirects=True)
    assert "not a date" in answer.text or answer.status_code == 400


def test_a_new_saved_search_must_say_whether_it_means_the_name_or_the_word(page: Page, client: TestClient) -> None:
    assert (
        "entity_ids:islamic-state Mosul</textarea>" in client.get("/news/searches/new", params={"q": "IS Mosul"}).text
    )
    fields = {"name": "IS", "query": "IS", "recipients": "ann@example.org"}
    refused = post(client, "/news/searches/new", do="save", **fields)
    assert refused.status_code == 400
    assert "write entity_ids:islamic-state for the name" in refused.text


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


def test_an_article_names_others_like_it(page: Page, client: TestClient, encoder: Encoder) -> None:
    here = page.context
    made = [
        with_meaning(
            an_article(f"https://{language}.example/ferry", title=title, text=text, language=language), encoder
        )
        for language, (title, text) in FERRY.items()
    ]
    stock(here.es, here.names, made)
    html = client.get(f"/news/article/{made[0].id}").text
    assert "More like this" in html
    assert FERRY["fr"][0].replace("'", "&#39;") in html
    html = client.get("/news/", params={"q": "ferry similar:any"}).text
    assert "NEWSWATCH_VECTORS is false" in html  # it is asked for in vain, and says why


def test_a_page_that_cant_go_by_meaning_says_why_in_one_line(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not by their meaning" not in client.get("/news/", params={"q": "NATO"}).text
    late = Unmeant("the encoder took <b>2 s</b>")
    monkeypatch.setattr(result_pages, "find", lambda *asked, **how: replace(find(*asked, **how), unmeant=late))
    html = client.get("/news/", params={"q": "NATO"}).text
    assert html.count("not by their meaning: the encoder took &lt;b&gt;2 s&lt;/b&gt;.") == 1


def test_pages_say_which_slice_they_lack(page: Page, client: TestClient) -> None:
    here, article = page.context, page.articles[0]
    with broken_slice(here.es, here.names) as index:
        for path in (f"?q={article.title.split()[0]}", "?q=zebra+since:1d", f"story/{article.story_id}"):
            html = client.get(f"/news/{path}").text
            assert f"of the index could not be searched ({index}" in html, path
        assert client.get(f"/news/article/{article.id}").status_code == 200
        assert client.get("/news/export.csv?q=zebra").status_code == 503
        for path in ("entities/nato", "situation"):
            assert index in client.get(f"/news/{path}").text, path


def test_the_addresses_of_later_pages_tell_of_the_first_and_nonsense_in_them_costs_nothing(
    page: Page, client: TestClient
) -> None:
    first = client.get("/news/", params={"rows": "articles"}).text
    (begun,) = set(re.findall(r"[?&;]first=([\w.-]+)", first))
    assert first_page_of(begun, page.context.clock()) == FirstPage(page.context.clock())
    second = client.get("/news/", params={"rows": "articles", "offset": 20, "first": begun}).text
    assert set(re.findall(r"[?&;]first=([\w.-]+)", second)) == {begun}
    assert "fresh first page" in second
    nonsense = client.get("/news/", params={"rows": "articles", "offset": 20, "first": "ffff.99.<b>"})
    assert (nonsense.status_code, "fresh first page" in nonsense.text) == (200, False)
    assert re.findall(r'id="a-(\w+)"', nonsense.text) == re.findall(r'id="a-(\w+)"', second)


def test_a_story_tells_copies_from_reports(page: Page, client: TestClient) -> None:
    article = next(a for a in page.articles if a.url == url_of(CANONICAL))
    html = client.get(f"/news/story/{article.story_id}").text
    assert "2 copies" in html
    assert "<b>1</b> independent source" in html
    assert html.count("redibility 6") == 1, "where nobody has judged an outlet it is said once, on the story's own page"
    assert "credibility" not in client.get("/news/", params={"q": f"story:{article.story_id}"}).text.partition("<ol")[2]
    assert client.get("/news/story/none").status_code == 404


def test_what_an_outlet_corrected_is_shown_word_by_word(page: Page, client: TestClient) -> None:
    article = stock_hard(page.context)[CORRECTED]
    for path in (f"/news/article/{article.id}", f"/news/story/{article.story_id}"):
        html = client.get(path).text
        assert "<del>Brussels</del><ins>Ghent</ins>" in html, path  # in the title
        assert "<del>Brussels</del> <ins>Ghent</ins>" in html, path  # in the text
        assert "an earlier version placed the summit in Brussels" in html


def test_an_export_has_everything_and_no_more(page: Page, client: TestClient) -> None:
    lines = client.get("/news/export.jsonl", params={"q": "tag:nato"}).text.splitlines()
    exported = client.get("/news/export.csv", params={"q": "tag:nato"}).content
    assert exported.startswith(b"\xef\xbb\xbfpublished,"), "Excel takes it for UTF-8"
    rows = list(csv.reader(io.StringIO(exported.decode())))
    expected = {a.id for a in page.articles if "nato" in {tag.tag for tag in a.tags}}
    assert {json.loads(line)["id"] for line in lines} == expected
    assert len(rows) == len(expected) + 1
    assert client.get("/news/export.csv", params={"q": "foo:bar"}).status_code == 400


@pytest.mark.parametrize("form", ["csv", "jsonl", "stix"])
def test_an_export_says_which_words_of_a_long_text_were_not_looked_for(client: TestClient, form: str) -> None:
    whole = client.get(f"/news/export.{form}", params={"q": "coalition brigade"})
    assert "Newswatch-Shortened" not in whole.headers
    assert "first" not in whole.headers["Content-Disposition"]
    part = client.get(f"/news/export.{form}", params={"q": " ".join(f"word{n}" for n in range(120))})
    assert "20 others are not" in part.headers["Newswatch-Shortened"]
    assert "-first-100-words." in part.headers["Content-Disposition"]


def test_a_pasted_paragraph_is_a_short_heading(client: TestClient) -> None:
    html = client.get("/news/", params={"q": "coalition " * 60}).text
    (heading,) = re.findall(r"<h1[^>]*>(.*?)</h1>", html)
    title, *_ = re.findall(r"<title>(.*?)</title>", html)
    assert heading.startswith("coalition coalition")
    assert heading.endswith(" …")
    assert len(heading) < 110
    assert title.startswith(heading)


# ── saved searches ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_saved_searchs_own_page_leads_to_what_it_finds(client: TestClient) -> None:
    assert "Mute NATO" in client.get("/news/searches").text
    line = found_line(client.get("/news/searches/nato").text)
    assert "new</a>" in line
    assert "last " in line
    assert "no mail lately" in line
    assert "no labels" in line
    (everything,) = re.findall(r'href="/news/([^"]*)" aria-label="All that', line)
    assert client.get(f"/news/{unescape(everything)}").status_code == 200
    assert 'class="meta found-line"' not in client.get("/news/searches/new").text


def found_line(text: str) -> str:
    return text[text.index('class="meta found-line"') :].split("</p>")[0]


def test_from_a_search_to_a_saved_one_that_mails(page: Page, client: TestClient) -> None:
    html = client.get("/news/searches/new", params={"q": "AWACS tag:nato level:main since:7d"}).text
    assert "since:7d</code> was left out" in html
    assert chosen(html, "tag:nato") == "main"
    fields = {
        "name": "AWACS over the Alliance",
        "query": "AWACS",
        "tag:nato": "main",
        "tag:nato/command": "",
        "recipients": "ann@example.org",
    }
    answer = post(client, "/news/searches/new", do="save", **fields)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/news/searches/awacs-over-the-alliance?done=created",
    )
    saved = SavedSearches(page.context.es, page.context.names).get("awacs-over-the-alliance")
    assert (saved.query, saved.tags[0].level, saved.recipients, saved.owner) == (
        "AWACS",
        "main",
        ("ann@example.org",),
        "ann",
    )
    told = client.get(answer.headers["location"]).text
    assert "ann@example.org</b> as they come in" in told
    assert "/news/mails" in told
    again = post(client, "/news/searches/new", do="save", **fields)
    assert again.status_code == 400
    assert "already" in again.text


def test_a_try_shows_what_it_would_have_mailed_and_saves_nothing(page: Page, client: TestClient) -> None:
    answer = post(client, "/news/searches/new", do="try", name="", query="AWACS", recipients="")
    assert answer.status_code == 200
    assert re.search(r"about <b>\d mails? a month</b>", answer.text)
    assert "<svg" in answer.text
    sample = re.search(r'src="(/news/mail/sample[^"]+)"', answer.text)
    assert sample
    mail = client.get(sample[1].replace("&amp;", "&"))
    assert "sandbox" in mail.headers["content-security-policy"]
    assert ">AWACS</span>" in mail.text
    assert client.get("/news/mail/sample?article=none").status_code == 404
    assert client.get("/news/mail/sample?article=none&schedule=never").status_code == 400
    assert client.get("/news/mail/sample").status_code == 400
    token_of_link = re.search(rf"{PATH}/([^\"]+)", mail.text)
    assert token_of_link
    with pytest.raises(LinkError):  # a sample's links do nothing
        Links(page.context.settings).read(token_of_link[1])
    assert not [s for s in SavedSearches(page.context.es, page.context.names).all() if s.id != "nato"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"query": "AWACS AND"}, "can&#39;t be parsed"),
        ({"query": "tagz:nato"}, "tagz"),
        ({"recipients": "not an address"}, "not a mail address"),
        ({"every": "now and then"}, "schedule"),
        ({"every": "daily", "zone": "Nowhere"}, "time zone"),
        ({"tag:nato": "huge"}, "main"),
        ({"countries": "France, Ruritania"}, "Ruritania"),
        ({"expires_at": "soon"}, "soon"),
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


def breaks_off(*_: object) -> None:
    raise ConnectionError("gone")


def test_switching_on_mails_what_came_meanwhile_only_when_asked(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks again, as the first time broke off, gets it all the same."""
    client.get("/news/searches")
    outbox = Outbox(page.context.es, page.context.names)
    post(client, "/news/searches/nato/switch", to="off")
    html = client.get("/news/searches/nato").text
    assert "Switch on and mail what came since" in html
    Press(page.context.es, page.context.names, 900).publish(a_story(1, tags=(Tag("nato", "main", 0.9, ()),)), now=NOW)
    post(client, "/news/searches/nato/switch", to="on")
    assert not outbox.get([f"nato~{a_story(1).story_id}"])
    post(client, "/news/searches/nato/switch", to="off")
    with monkeypatch.context() as broken:
        broken.setattr(Outbox, "enqueue", breaks_off)
        answer = post(client, "/news/searches/nato/switch", to="catch-up")
        assert answer.status_code == 500
        assert "by a fault of newswatch" in answer.text
        assert "gone" not in answer.text, "what the error says is for the log"
    assert SavedSearches(page.context.es, page.context.names).get("nato").enabled
    assert not outbox.get([f"nato~{a_story(1).story_id}"])
    post(client, "/news/searches/nato/switch", to="catch-up")
    (owed,) = outbox.get([f"nato~{a_story(1).story_id}"])
    post(client, "/news/searches/nato/switch", to="catch-up")
    assert outbox.get([owed.id]) == [owed], "nothing twice"


def test_unmuting_mails_what_was_missed_only_when_asked(page: Page, client: TestClient) -> None:
    client.get("/news/searches")
    saved, outbox = SavedSearches(page.context.es, page.context.names), Outbox(page.context.es, page.context.names)
    post(client, "/news/searches/nato/mute", **{"for": "1 day"})
    batch = Press(page.context.es, page.context.names, 900).publish(a_story(1, tags=(Tag("nato", "main", 0.9, ()),)))
    searches = [saved.get("nato")]
    outbox.enqueue(match_batch(page.context.es, page.context.names, batch, searches).matches, searches, NOW)
    (owed,) = outbox.get([f"nato~{a_story(1).story_id}"])
    assert owed.value.state == "suppressed"
    assert "Unmute and mail what it missed" in client.get("/news/searches/nato").text
    post(client, "/news/searches/nato/mute", **{"for": "missed"})
    assert saved.get("nato").mute_until is None
    (owed,) = outbox.get([owed.id])
    assert owed.value.state == "pending"


def test_muting_switching_and_changing_make_versions(page: Page, client: TestClient) -> None:
    client.get("/news/searches")
    saved = SavedSearches(page.context.es, page.context.names)
    assert post(client, "/news/searches/nato/mute", **{"for": "1 day"}).status_code == 303
    assert saved.get("nato").mute_until == NOW.replace(day=5)
    post(client, "/news/searches/nato/mute", **{"for": ""})
    assert saved.get("nato").mute_until is None
    post(client, "/news/searches/nato/switch", to="off")
    assert not saved.get("nato").enabled
    assert "Mute NATO" not in client.get("/news/searches").text, "one that is off sends nothing to mute"
    seen = sent(client.get("/news/searches/nato").text)["was"]
    fields = {"name": "NATO", "tag:nato": "mention", "recipients": "ann@example.org bob@example.org", "was": seen}
    assert post(client, "/news/searches/nato", do="save", **fields).status_code == 303
    assert saved.get("nato").recipients == ("ann@example.org", "bob@example.org")
    assert [change.replaced_by for change in saved.history("nato")] == ["ann"] * 4
    html = client.get("/news/searches/nato").text
    assert "<del>NATO (main subject)</del> <ins>NATO (mentioned)</ins>" in html
    assert "by ann" in html
    assert chosen(client.get("/news/searches/nato?version=1").text, "tag:nato") == "main"
    assert client.get("/news/searches/nato?version=9").status_code == 404


def test_all_that_a_saved_search_has_can_be_set_and_comes_back_into_the_form(page: Page, client: TestClient) -> None:
    fields = {
        "name": "Baltic silence",
        "query": "NATO",
        "kind": "silence",
        "silence": "2d",
        "tag:nato/operations": "mention",
        "languages": "French, de",
        "countries": "Latvia FR",
        "sources": "lemonde.fr",
        "kinds": "press",
        "min_sources": "2",
        "min_score": "0.5",
        "recipients": "ann@example.org, bob@example.org",
        "every": "weekly",
        "day": "friday",
        "at": "18:30",
        "zone": "Europe/Riga",
        "throttle": "90m",
        "updates": "yes",
        "expires_at": "2027-01-31T12:00",
        "note": "mine",
    }
    assert post(client, "/news/searches/new", do="save", **fields).status_code == 303
    saved = SavedSearches(page.context.es, page.context.names).get("baltic-silence")
    assert saved == SavedSearch(
        "baltic-silence",
        "Baltic silence",
        "NATO",
        ("ann@example.org", "bob@example.org"),
        tags=(TagFilter("nato/operations", "mention"),),
        languages=("fr", "de"),
        countries=("LV", "FR"),
        sources=("lemonde.fr",),
        kinds=("press",),
        note="mine",
        kind="silence",
        min_score=0.5,
        min_sources=2,
        schedule="weekly on friday at 18:30 Europe/Riga",
        throttle_s=5_400,
        silence_s=172_800,
        expires_at=datetime(2027, 1, 31, 12, tzinfo=UTC),
        updates=True,
        owner="ann",
    )
    html = client.get("/news/searches/baltic-silence").text
    again = {**fields, **sent(html)}
    assert post(client, "/news/searches/baltic-silence", do="save", **again).status_code == 303
    assert SavedSearches(page.context.es, page.context.names).get("baltic-silence").version == 1  # nothing has changed


def test_a_search_that_the_file_names_no_more_is_told_with_what_to_do(page: Page, client: TestClient) -> None:
    told = "is not in config/alerts.yaml any more, and mails as before: <code>newswatch alerts edit nato --off</code>"
    assert told not in client.get("/news/searches").text
    path = page.context.settings.config_dir / "alerts.yaml"
    path.write_text(ALERTS.replace("id: nato", "id: nato-2"))
    for place in ("searches", "searches/nato"):
        assert told in client.get(f"/news/{place}").text, place
    assert told not in client.get("/news/searches/nato-2").text
    path.write_text("alerts: [{id: x}]")
    assert told not in client.get("/news/searches").text, "a part can't be read: it may be the one"
    path.write_text("alerts: []")
    assert told in client.get("/news/searches").text
    post(client, "/news/searches/nato/mute", **{"for": "1 hour"})
    assert told not in client.get("/news/searches").text, "a user keeps it"


def test_two_editors_of_one_search_overwrite_nothing_of_each_other(page: Page, client: TestClient) -> None:
    saved = SavedSearches(page.context.es, page.context.names)
    fields = {"name": "Ports", "query": "AWACS", "recipients": "ann@example.org", "do": "save"}
    assert post(client, "/news/searches/new", **fields).status_code == 303
    opened = {**sent(client.get("/news/searches/ports").text), "do": "save"}
    tried = post(client, "/news/searches/ports", **opened | {"do": "try", "query": "harbour"})
    assert sent(tried.text)["was"] == opened["was"]
    post(client, "/news/searches/ports/mute", **{"for": "1 day"})
    page.visitor.name = "bob"
    theirs = opened | {"recipients": "ann@example.org, bob@example.org", "note": "and Bob"}
    assert post(client, "/news/searches/ports", **theirs).status_code == 303
    page.visitor.name = "ann"
    mine = opened | {"query": "AWACS NATO", "note": ""}
    late = post(client, "/news/searches/ports", **mine)
    assert late.status_code == 409
    assert "Somebody has changed this search since you opened it" in late.text
    assert re.search(r"<p>bob, .*?<ins>ann@example.org, bob@example.org</ins>", late.text, re.DOTALL)
    assert saved.get("ports").query == "AWACS"
    both = sent(late.text)
    assert (both["query"], both["recipients"].split(), both["note"]) == (
        "AWACS NATO",
        ["ann@example.org", "bob@example.org"],
        "and Bob",
    )
    assert post(client, "/news/searches/ports", **opened | both).status_code == 303
    assert post(client, "/news/searches/ports", **opened | both).status_code == 303, "the same form, sent twice"
    now = saved.get("ports")
    assert (now.query, now.note, len(now.recipients), now.mute_until) == (
        "AWACS NATO",
        "and Bob",
        2,
        NOW.replace(day=5),
    )
    never_opened = {name: value for name, value in mine.items() if name != "was"}
    assert post(client, "/news/searches/ports", **never_opened).status_code == 409
    saved.delete("ports", by="bob")
    assert post(client, "/news/searches/ports", **mine).status_code == 404


def test_every_kind_is_offered_tried_and_listed(client: TestClient) -> None:
    form = client.get("/news/searches/new").text
    fields = {"query": "AWACS", "recipients": "ann@example.org", "silence": "2d"}
    for kind in KINDS.values():
        assert f'value="{kind.name}"' in form
        assert kind.choice in form
        tried = post(client, "/news/searches/new", do="try", name="", kind=kind.name, **fields)
        assert tried.status_code == 200
        assert ("matched. In the last hour " in tried.text) is bool(kind.preview)
        saved = post(client, "/news/searches/new", do="save", name=f"Of kind {kind.name}", kind=kind.name, **fields)
        assert saved.status_code == 303
    listed = client.get("/news/searches").text
    assert "a spike in" in listed
    assert "2 days without" in listed


def test_a_change_is_tried_against_the_version_in_force(client: TestClient) -> None:
    client.get("/news/searches")
    fields = {"name": "NATO", "query": "AWACS", "recipients": "ann@example.org"}
    html = post(client, "/news/searches/nato", do="try", **fields).text
    assert "Against the version in force" in html
    assert re.search(r"<b>\d+</b> more, <b>\d+</b> fewer", html)


def test_one_is_deleted_unless_the_file_would_bring_it_back(page: Page, client: TestClient) -> None:
    client.get("/news/searches")
    assert post(client, "/news/searches/nato/delete").status_code == 409
    post(client, "/news/searches/new", do="save", name="Mine", query="AWACS", recipients="ann@example.org")
    assert post(client, "/news/searches/mine/delete").status_code == 303
    assert [s.id for s in SavedSearches(page.context.es, page.context.names).all()] == ["nato"]


def test_mails_are_offered_to_the_users_own_address(page: Page, client: TestClient) -> None:
    assert ">ann@localhost</textarea>" in client.get("/news/searches/new").text  # the catcher takes any
    page.visitor.address = "ann@example.org"
    assert ">ann@example.org</textarea>" in client.get("/news/searches/new").text
    page.visitor.address = ""
    post(client, "/news/searches/new", do="save", name="Mine", query="AWACS", recipients="desk@example.org")
    assert ">desk@example.org</textarea>" in client.get("/news/searches/new").text


def test_who_stopped_a_saved_search_by_mail_is_told(page: Page, client: TestClient) -> None:
    client.get("/news/searches")
    apply_link(page.context.es, page.context.names, Link("unsubscribe", "analyst@example.org", "nato"), NOW)
    assert "analyst@example.org has unsubscribed" in client.get("/news/searches/nato").text


# ── feeds and deliveries ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feeds_password_is_shown_to_nobody_who_only_reads(page: Page, client: TestClient) -> None:
    login, feeds = "ann:s3cret@", FeedStore(page.context.es, page.context.names)
    feeds.sync([a_feed("sealed", url=f"https://{login}sealed.example/rss")])
    feeds.sync([a_feed("sealed", url=f"https://{login}moved.example/rss")])
    page.visitor.role = Role.ANALYST
    shown = client.get("/news/feeds/sealed").text
    assert "https://moved.example/rss" in shown
    assert "s3cret" not in shown + client.get("/news/feeds").text
    assert "sealed" not in client.get("/news/feeds?find=s3cret").text.partition("<table")[2], "nor can it be guessed"


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


def a_delivery(page: Page, **changed: object) -> Delivery:
    article = next(a for a in page.articles if a.url == url_of(CANONICAL))
    outcome = Outcome("ann@example.org", DeliveryState.SENT, at=NOW, key="1", reference="<1@newswatch>")
    owed = Delivery(
        "nato", "NATO", article.story_id or "", article.id, ("ann@example.org",), DeliveryState.SENT, NOW, sent_at=NOW
    )
    Outbox(page.context.es, page.context.names).add([replace(owed, outcomes=(outcome,), **changed)])  # type: ignore[arg-type]
    return owed


def test_a_story_shows_its_mails_and_stops_them(page: Page, client: TestClient) -> None:
    owed = a_delivery(page)
    path = f"/news/story/{owed.story_id}"
    assert "Mails on this story" in client.get(path).text
    boxes = Mailboxes(page.context.es, page.context.names)
    assert post(client, f"{path}/mails", do="stop").status_code == 303
    assert owed.story_id in boxes.get("ann@example.org").acknowledged
    assert "no more mails on it" in client.get(path).text
    assert post(client, f"{path}/mails", do="go-on").status_code == 303
    assert owed.story_id not in boxes.get("ann@example.org").acknowledged


def test_a_story_is_joined_and_parted_on_its_page(page: Page, client: TestClient) -> None:
    for n in (7, 8):
        Press(page.context.es, page.context.names, 910 + n).publish(a_story(n), now=NOW)
    page.context.es.indices.refresh(index=page.context.names.articles)
    home, other = a_story(7).story_id, a_story(8).story_id
    path = f"/news/story/{home}/reports"
    assert "Take its reports in" in client.get(f"/news/story/{home}").text
    address = f"https://news.example/newswatch/story/{other}"
    assert post(client, path, do="join", other=address).headers["location"].endswith(f"/story/{home}?done=join")
    assert f'value="{a_story(8).id}"' in client.get(f"/news/story/{home}").text
    parted = post(client, path, do="split", part=a_story(8).id)
    assert parted.headers["location"].endswith(f"/story/{a_story(8).id}?done=split")
    assert "a story of their own now" in client.get(parted.headers["location"]).text
    for wrong in ({"do": "join", "other": home}, {"do": "split", "part": "<none>"}, {"do": "split"}):
        assert post(client, path, **wrong).status_code == 400


def test_a_caught_mail_is_read_from_its_delivery(page: Page, client: TestClient) -> None:
    a_delivery(page)
    folder = page.context.settings.data_dir / "mails"
    content = (
        b"X-Envelope-To: ann@example.org\r\nSubject: A <b>title</b>\r\nMessage-ID: <1@newswatch>\r\n"
        b"Content-Type: text/html\r\n\r\n<html><head></head><body><script>alert(1)</script>Read me</body></html>"
    )
    (folder / "20260304T050607.000000Z-00c0ffee.eml").write_bytes(content)
    link = re.search(r'href="(/news/mails/[^"]+)"', client.get("/news/deliveries").text)
    assert link
    assert "A &lt;b&gt;title&lt;/b&gt;" in client.get("/news/mails").text
    assert "<script>alert" not in client.get(link[1]).text
    body = client.get(f"{link[1]}/body")
    assert "Read me" in body.text
    assert "script-src" not in body.headers["content-security-policy"]
    assert "sandbox allow-popups" in body.headers["content-security-policy"]
    assert client.get("/news/mails/..%2Fsecret-key").status_code == 404
    assert client.get("/news/mails/20260304T050607.000000Z-00000000").status_code == 404


def test_where_a_mail_server_of_ones_own_is_on_this_machine_nothing_is_caught(page: Page, client: TestClient) -> None:
    mail_folder(page.context.settings.data_dir).rmdir()
    html = client.get("/news/searches/new").text
    assert "caught" not in html
    assert "/news/mails" not in html
    assert "@localhost</textarea>" not in html


def test_without_deliveries_the_page_says_what_will_stand_there(client: TestClient) -> None:
    assert "No delivery yet" in client.get("/news/deliveries").text


# ── how things are written ───────────────────────────────────────────────────────────────────────────────────────────


def test_how_times_places_and_addresses_are_written() -> None:
    assert when(NOW.replace(minute=1), NOW) == "5 min ago"
    assert when(NOW.replace(hour=7, second=7), NOW) == "in 2 h"
    assert when(NOW.replace(year=2025), NOW) == "4 Mar 2025, 05:06 UTC"
    assert (duration(45), duration(7_200), duration(None)) == ("45 s", "2 h", "–")
    assert (language_tag("som"), language_tag("en"), language_tag("no such")) == ("so", "en", "")
    assert [safe_url(u) for u in ("https://a.example/", "javascript:x", "data:x", None)] == [
        "https://a.example/",
        "",
        "",
        "",
    ]
    assert slug("NATO: Baltic áir!") == "nato-baltic-air"


# ── what was watched ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pages_of_a_story_and_a_search_say_what_was_not_seen(client: TestClient, page: Page) -> None:
    store = FeedStore(page.context.es, page.context.names)
    (ledger,) = [found for found in store.due(NOW, 9) if found.id == "ledger"]
    out = replace(ledger.value.state, last_poll_at=NOW, outages=(Outage(NOW - timedelta(hours=5), None, "<i>503</i>"),))
    store.save([(ledger, out)])
    client.get("/news/searches")
    story = f"/news/story/{page.articles[0].story_id}"
    for path, days in ((story, "the last day:"), ("/news/searches/nato", "the last 7 days:")):
        html = client.get(path).text
        assert f"In {days} 1 of 2 feeds polled; 1 was out of reach; 1 is new and not polled yet." in html
        assert "not reached since Wed 4 Mar, 00:06 UTC (5 hours): &lt;i&gt;503&lt;/i&gt;" in html
        cookies = (
            "other=1; newswatch-zone=Asia/Kabul; newswatch-zone=Europe/Riga"  # that of the longest path comes first
        )
        kabul = client.get(path, headers={"Cookie": cookies}).text
        assert "not reached since Wed 4 Mar, 04:36 UTC+04:30 (5 hours)" in kabul
