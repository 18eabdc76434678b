"""A reader's desk by HTTP: marks, notes, handing over, the next article; what is walled and what is told."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from newswatch.desk import Step
from store.desk import DeskStore
from tests.factories import NOW, an_article
from tests.newsstand import CANONICAL, stock, url_of
from tests.web.conftest import Page
from web.desk import local
from web.security import Role

pytestmark = pytest.mark.slow


@pytest.fixture
def client(page: Page) -> TestClient:
    return TestClient(page.app, follow_redirects=False)


def desk(page: Page) -> DeskStore:
    return DeskStore(page.context.es, page.context.names)


def article_id(page: Page) -> str:
    return next(a.id for a in page.articles if a.url == url_of(CANONICAL))


def post(client: TestClient, path: str, **fields: str) -> Response:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/").text)
    assert found
    answer: Response = client.post(path, data={"csrf": found[1], **fields})
    return answer


def listed(html: str) -> list[str]:
    return re.findall(r'<li class="hit-item[^"]*" id="a-([^"]+)"', html)


def test_what_is_handed_over_is_seen_by_the_colleague_and_a_stale_form_is_refused(
    page: Page, client: TestClient
) -> None:
    address = f"/news/article/{article_id(page)}"
    page.visitor.role = Role.ANALYST  # who may read has a desk
    unknown = post(client, f"{address}/hand", do="hand", to="bob", message="<b>look</b>", shown="0")
    assert unknown.status_code == 400
    assert "'bob' has never opened the News page and would not see it. Those who have: nobody else yet." in unescape(
        unknown.text
    )
    assert ">&lt;b&gt;look&lt;/b&gt;</textarea>" in unknown.text, "what was typed stays"
    page.visitor.name = "bob"
    assert 'class="held"' not in client.get("/news/").text
    page.visitor.name = "ann"
    assert 'value="bob"' in client.get(address).text, "he is offered now"
    handed = post(client, f"{address}/hand?q=AWACS&at=1", do="hand", to="bob", message="<b>look</b>", shown="0")
    assert (handed.status_code, handed.headers["location"]) == (303, f"{address}?q=AWACS&at=1&done=handed#desk")
    page.visitor.name = "bob"
    assert "1 for you" in client.get("/news/").text
    assert listed(client.get("/news/?q=is:mine").text) == [article_id(page)]
    shown = client.get(address).text
    assert re.search(r"With <b><bdi>bob</bdi></b>, by <bdi>ann</bdi> .*&lt;b&gt;look&lt;/b&gt;", shown)
    stale = post(client, f"{address}/hand", do="take", to="", message="mine", shown="0")
    assert stale.status_code == 409
    assert re.search(r"Meanwhile ann handed it to bob \(<time [^>]*>2026-03-04 05:06 UTC</time>\)\.", stale.text)
    assert post(client, f"{address}/hand", do="done", shown="1").headers["location"].endswith("?done=closed#desk")
    assert listed(client.get("/news/?q=is:mine").text) == []
    for fields in ({"do": "steal", "shown": "2"}, {"do": "take", "shown": "²"}, {"do": "hand", "to": "", "shown": "2"}):
        assert post(client, f"{address}/hand", **fields).status_code == 400, fields
    assert post(client, "/news/article/nothing/hand", do="take", shown="0").status_code == 404


def test_a_note_that_another_window_changed_is_kept_beside_what_was_typed(page: Page, client: TestClient) -> None:
    address = f"/news/article/{article_id(page)}"
    assert post(client, f"{address}/note", note="first\r\nline", shown="").status_code == 303
    stale = post(client, f"{address}/note", note="<second>", shown="")
    assert stale.status_code == 409
    assert "first\nline</blockquote>" in stale.text
    assert "&lt;second&gt;</textarea>" in stale.text
    again = re.search(r'name="shown" value="(2026[^"]+)"', stale.text)
    assert again
    assert post(client, f"{address}/note", note="both", shown=unescape(again[1])).status_code == 303
    assert listed(client.get("/news/?q=is:noted").text) == [article_id(page)]
    long = post(client, f"{address}/note", note="x" * 5_001, shown=unescape(again[1]))
    assert long.status_code == 400
    assert "at most 5,000 characters; this one has 5,001" in long.text
    assert post(client, f"{address}/note", note="x", shown="yesterday").status_code == 400
    page.visitor.name = "eve"
    assert "both" not in client.get(address).text, "a note is its writer's alone"


def test_marks_come_back_to_where_they_were_made_and_nobody_is_led_elsewhere(page: Page, client: TestClient) -> None:
    address = f"/news/article/{article_id(page)}"
    client.get(address, headers={"Sec-Purpose": "prefetch;prerender"})
    client.get(address, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert desk(page).read("ann", [article_id(page)]).marks == {}, "what a browser fetches ahead is not read"
    client.get(address, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})  # from a web mailer
    assert desk(page).read("ann", [article_id(page)]).marks[article_id(page)].read_at == NOW
    back = post(client, f"{address}/mark", do="star", back="/?q=AWACS&sort=time")
    assert back.headers["location"] == f"/news/?q=AWACS&sort=time#a-{article_id(page)}"
    for elsewhere in (
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "/x\ny",
        "javascript:x",
        "/" * 9_000,
    ):
        assert local(elsewhere, "/") == "/", elsewhere
    assert post(client, f"{address}/mark", do="burn").status_code == 400
    assert post(client, "/news/looked", until="soon").status_code == 400
    assert post(client, "/news/looked", until=NOW.isoformat(), back="/?q=is:new").status_code == 303
    dropped = client.get("/news/searches/new?q=AWACS+is:starred").text
    assert "<code>is:starred</code>" in dropped


def test_next_and_previous_follow_the_results_over_pages_and_what_leaves_them(page: Page, client: TestClient) -> None:
    es, names = page.context.es, page.context.names
    many = [an_article(f"https://many.example/{n}", title=f"Zeppelin {n}", story_id=f"z{n}") for n in range(23)]
    desk(page).looked("ann", NOW - timedelta(hours=2))
    desk(page).looked("ann", NOW - timedelta(hours=1))
    stock(es, names, many)
    for query in ("q=zeppelin+is:unread&sort=time", "q=zeppelin&rows=articles"):
        first, second = client.get(f"/news/?{query}").text, client.get(f"/news/?{query}&offset=20").text
        ids = [*listed(first), *listed(second)]
        assert len(ids) == 23
        link = re.search(rf'href="/news(/article/{ids[18]}\?[^"]+)"', first)
        assert link
        shown, seen = f"/news{unescape(link[1])}", [ids[18]]
        for _ in range(4):  # each is read, and leaves what is unread
            following = re.search(r'rel="next" href="([^"]+)"', client.get(shown).text)
            assert following
            shown = client.get(unescape(following[1])).headers["location"]
            found = re.match(r"/news/article/(\w+)\?.*at=\d+", shown)
            assert found, shown
            seen.append(found[1])
        assert seen == ids[18:23]
    following = re.search(r'rel="next" href="([^"]+)"', client.get(shown).text)
    assert following
    assert client.get(unescape(following[1])).headers["location"].endswith("#end")
    back = client.get(f"/news/article/{ids[0]}/previous?q=zeppelin&rows=articles&at=1")
    assert back.headers["location"].endswith("#end")


def test_what_was_opened_meanwhile_moves_no_row_of_the_next_page_of_the_unread(page: Page, client: TestClient) -> None:
    es, names = page.context.es, page.context.names
    stock(
        es, names, [an_article(f"https://many.example/{n}", title=f"Zeppelin {n}", story_id=f"z{n}") for n in range(23)]
    )
    first = client.get("/news/?q=zeppelin+is:unread").text
    following = re.search(r'href="([^"]+)"[^>]* rel="next"|rel="next" href="([^"]+)"', first)
    assert following
    for opened in listed(first)[:3]:
        desk(page).do("ann", opened, "read", NOW + timedelta(minutes=1))
    second = client.get(unescape(following[1] or following[2])).text
    assert len({*listed(first), *listed(second)}) == 23
    assert len(listed(client.get("/news/?q=zeppelin+is:unread").text)) == 20
    assert len(listed(client.get("/news/?q=zeppelin+is:unread&offset=20").text)) == 0


def test_without_its_index_the_page_shows_all_else_says_so_and_mends_it(page: Page, client: TestClient) -> None:
    es, names = page.context.es, page.context.names
    es.indices.delete(index=names.readers)
    broken = client.get("/news/?q=AWACS")
    assert broken.status_code == 200
    assert listed(broken.text)
    assert f"Your marks can&#39;t be shown now: The index {names.readers} is missing" in broken.text
    mended = client.get("/news/?q=AWACS").text
    assert "Your marks" not in mended
    assert 'aria-pressed="false"' in mended
    desk(page).hand(article_id(page), Step("ann", "bob", NOW), 0)
    assert "with <bdi>bob</bdi>" in client.get("/news/?q=AWACS").text
