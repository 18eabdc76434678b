"""The audit log's page: every change that a page makes stands there, for those who may make changes."""

from __future__ import annotations

import html
import re

import pytest
from fastapi.testclient import TestClient

from delivery.links import Link, Links
from store.audit import Deed, pseudonym
from tests.web.conftest import Page
from tests.web.test_problems import dangers
from web import links
from web.audit_pages import PAGE
from web.security import Role

pytestmark = pytest.mark.slow


def test_who_changed_what_from_where_is_listed_and_filtered(page: Page) -> None:
    client = TestClient(page.app, follow_redirects=False)
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/searches/new").text)
    assert token
    sent = {"csrf": token[1], "name": "Ice", "query": "ice", "recipients": "a@example.org", "schedule": "instant"}
    assert client.post("/news/searches/new", data=sent | {"do": "save"}).status_code == 303
    assert client.post("/news/searches/ice/mute", data=sent | {"for": "1 day"}).status_code == 303
    page.visitor.name = "bob"
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/searches/new").text)
    assert token
    assert client.post("/news/searches/ice/delete", data={"csrf": token[1]}).status_code == 303
    reader = TestClient(links.create_app(lambda: page.context))
    link = Link("not-relevant", "reader@example.org", "nato", "story-1")
    assert reader.post(f"/{Links(page.context.settings).token(link)}").status_code == 200
    page.context.audit.record(Deed("<script>x</script>", "tried", "“x\u202ey", details='"><img src=x>'))

    shown = client.get("/news/audit")
    text = html.unescape(re.sub(r"<[^>]+>", " ", shown.text))
    assert not dangers(shown.text)
    for told in ("saved search created", "saved search deleted", "mute_until", "the News page, from testclient", "bob"):
        assert told in text
    assert "a link in a mail" in text
    assert pseudonym("reader@example.org") in text
    assert "example.org" not in text, "addresses would outlast an erasure"
    assert pseudonym("reader@example.org") in client.get("/news/audit?who=Reader%40example.org").text
    of_bob = client.get("/news/audit?who=bob").text
    assert "saved search deleted" in of_bob
    assert "mute_until" not in of_bob
    assert "No change fits" in client.get("/news/audit?since=2020-01-01&until=2020-01-02").text
    page.visitor.role = Role.ANALYST
    assert client.get("/news/audit").status_code == 403


def test_long_logs_are_paged_by_number(page: Page) -> None:
    log = page.context.audit
    for n in range(PAGE + 3):
        log.record(Deed("ann", "feed changed", f"feed-{n}"))
    client = TestClient(page.app)
    first = client.get("/news/audit").text
    assert "feed-3<" in first
    assert "feed-2<" not in first
    (older,) = re.findall(r'rel="next" href="[^"]*(\?before=4)"', first)
    log.record(Deed("ann", "feed changed", "another"))
    rest = client.get(f"/news/audit{older}").text
    assert [f"feed-{n}<" in rest for n in range(4)] == [True, True, True, False], "nothing shifts when records come"
