"""What each role may do on the News page, whatever the auth manager."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from alerts.saved import SavedSearches
from newswatch.problems import Problem
from store.quarantine import Quarantine
from tests.factories import NOW
from tests.web.conftest import Page
from tests.web.test_pages import post
from web import saved_pages
from web.security import Role

ANN = "ann@ministry.example"
FIELDS = {"name": "Baltic", "query": "AWACS", "recipients": ANN, "do": "save", "confirmed": "yes"}


@pytest.fixture
def client(page: Page) -> TestClient:
    page.visitor.role, page.visitor.address = Role.ANALYST, ANN
    visitor = TestClient(page.app, follow_redirects=False)
    visitor.get("/news/searches")  # brings in what the file lists
    return visitor


def change(client: TestClient, path: str, **fields: str) -> Response:
    """Open the form of a saved search, and send it with these fields."""
    seen = re.search(r'name="was" value="([^"]+)"', client.get(path).text)
    assert seen
    return post(client, path, **FIELDS | fields | {"was": seen[1]})


def searches(page: Page) -> SavedSearches:
    return SavedSearches(page.context.es, page.context.names)


def test_an_analyst_keeps_searches_of_his_own_that_mail_to_him_alone(page: Page, client: TestClient) -> None:
    assert post(client, "/news/searches/new", **FIELDS).status_code == 303
    assert (searches(page).get("baltic").owner, searches(page).get("baltic").recipients) == ("ann", (ANN,))
    assert post(client, "/news/searches/baltic/mute", **{"for": "1 day"}).status_code == 303
    stranger = change(client, "/news/searches/baltic", recipients=f"{ANN}, eve@elsewhere.example")
    assert stranger.status_code == 403
    assert "an editor may add eve@elsewhere.example" in stranger.text
    added = replace(searches(page).get("baltic"), recipients=(ANN, "bob@ministry.example"))
    searches(page).save(added, by="an editor")
    kept = change(client, "/news/searches/baltic", recipients=f"bob@ministry.example {ANN.upper()}")
    assert kept.status_code == 303, "whom an editor added may stay, and letters' case is no other address"
    assert post(client, "/news/searches/baltic/delete").status_code == 303


def test_an_analyst_may_not_touch_the_searches_of_others(page: Page, client: TestClient) -> None:
    page.visitor.name = ""  # `nato` has no owner: a user without a name must not own it
    others = ("", "/mute", "/switch", "/delete")
    assert [post(client, f"/news/searches/nato{do}", **FIELDS).status_code for do in others[:1]] == [403]
    page.visitor.name = "ann"
    before = searches(page).get("nato")
    fields = FIELDS | {"for": "1 day", "to": "off"}
    assert {post(client, f"/news/searches/nato{do}", **fields).status_code for do in others} == {403}
    assert searches(page).get("nato") == before
    assert "<fieldset disabled>" in client.get("/news/searches/nato").text
    assert "New saved search" in client.get("/news/searches").text


def test_an_analyst_without_an_address_saves_nothing(page: Page, client: TestClient) -> None:
    page.visitor.address = ""
    refused = post(client, "/news/searches/new", **FIELDS)
    assert (refused.status_code, "has no mail address" in refused.text) == (403, True)
    assert "New saved search" not in client.get("/news/searches").text


def test_an_analyst_has_no_endless_number_of_searches(
    page: Page, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_pages, "OWN_SEARCHES", 1)
    assert post(client, "/news/searches/new", **FIELDS).status_code == 303
    assert post(client, "/news/searches/new", **FIELDS | {"name": "Second"}).status_code == 403


def test_an_editor_changes_what_is_mailed_and_sees_no_mail_of_others(page: Page, client: TestClient) -> None:
    page.visitor.role = Role.EDITOR
    assert change(client, "/news/searches/nato", recipients="eve@elsewhere.example").status_code == 303
    assert client.get("/news/feeds/courier/edit").status_code == 200
    problem = Problem("mail", "m", "why", document={"link": "secret"})
    quarantine = Quarantine(page.context.es, page.context.names)
    quarantine.note([problem], now=NOW)
    document, mails = f"/news/problems/{problem.id}/document", "/news/mails"
    assert [client.get(path).status_code for path in (document, mails)] == [403, 403]
    assert "secret" not in client.get(f"/news/problems/{problem.id}").text
    page.visitor.role = Role.OPERATOR
    assert [client.get(path).status_code for path in (document, mails)] == [200, 200]
