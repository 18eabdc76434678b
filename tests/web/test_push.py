"""Articles that are pushed: walled off, once, told one by one, and matched like polled ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from pydantic import SecretStr

from alerts.saved import SavedSearches
from delivery.outbox import Outbox
from ingest import tracking, urls
from jobs.context import Context
from jobs.match import match
from newswatch.alert import SavedSearch, TagFilter
from newswatch.errors import StoreError
from newswatch.settings import Settings
from store.articles import ArticleStore
from store.batches import BatchStore
from store.feeds import FeedStore
from store.indices.setup import set_up
from store.keys import KeyStore, Request
from tests.factories import NOW, a_feed
from tests.pristine import Pristine
from tests.web.conftest import Visitor
from web.api.push import MAX_BYTES, MOST
from web.app import create_app

pytestmark = pytest.mark.slow

TEXT = "NATO ministers met in Brussels on Wednesday and agreed on a plan for the eastern flank, officials said."
PATH = "/news/api/v1/articles"


class Door:
    """The endpoint, and what is behind it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        server = FastAPI()
        server.mount("/news", create_app(lambda: context, Visitor(reads=False).access()))
        self.client = TestClient(server, raise_server_exceptions=False)
        keys = KeyStore(context.es, context.names)
        asked = {"courier": ("push",), "reader": ("read",)}
        self.keys = {
            name: keys.create(Request(name, "ann", scopes, 30, 6_000), by="root", now=NOW).text
            for name, scopes in asked.items()
        }

    def send(self, *articles: Any, key: str = "courier", again: str = "", body: bytes | None = None) -> Response:
        content = json.dumps({"articles": articles}).encode() if body is None else body
        headers = {"Authorization": f"Bearer {self.keys[key]}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": again} if again else {}
        answer: Response = self.client.post(PATH, content=content, headers=headers)
        return answer


@pytest.fixture(scope="module")
def door(es: Elasticsearch, pristine: Pristine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    names, folder = pristine.names(), tmp_path_factory.mktemp("push")
    (folder / "alerts.yaml").write_text("alerts: []\n")
    (folder / "taxonomy.yaml").write_bytes((Path("config") / "taxonomy.yaml").read_bytes())
    settings = Settings(secret_key=SecretStr("x"), config_dir=folder, data_dir=folder, index_prefix=names.prefix)
    set_up(es, names, settings)
    context = Context(settings, es, names, lambda: NOW)
    FeedStore(es, names).sync([a_feed("courier", title="The Courier", owner="Courier Group", enabled=False)])
    search = SavedSearch("nato", "NATO", "", ("a@example.org",), tags=(TagFilter("nato", "mention"),))
    SavedSearches(es, names).save(search, by="ann", now=NOW)
    yield Door(context)
    pristine.clean()


def given(name: str, **changes: Any) -> dict[str, Any]:
    return {"url": f"https://courier.example/{name}", "title": f"NATO meets: {name}", "text": TEXT} | changes


def outcomes(answer: Response) -> list[str]:
    assert answer.status_code in (202, 422), answer.text
    return [item["outcome"] for item in answer.json()["items"]]


def test_what_is_pushed_is_tagged_indexed_matched_and_mailed_once(door: Door) -> None:
    here = door.context
    first = door.send(given("a"), given("b", html="<p>x", text=""), {"url": "file:///etc/passwd", "title": "x"}, 7)
    assert outcomes(first) == ["created", "created", "refused", "refused"]
    told = first.json()["items"]
    assert told[0]["url"] == "https://courier.example/a"
    assert "url: " in told[2]["reason"]
    article = ArticleStore(here.es, here.names).get([told[0]["id"]])[told[0]["id"]]
    assert (article.source.name, article.source.owner, article.feeds) == ("The Courier", "Courier Group", ("courier",))
    assert {tag.tag for tag in article.tags} >= {"nato"}
    assert match(here).batches == (first.json()["batch"],)
    assert len(Outbox(here.es, here.names).latest("nato", 10)) >= 1
    mails = len(Outbox(here.es, here.names).latest("nato", 10))
    changed = given("a", url="http://courier.example/a?utm_source=push", text=TEXT + " Nobody left early.")
    assert outcomes(door.send(given("a"), given("a"), changed)) == ["known", "known", "updated"]
    match(here)
    assert len(Outbox(here.es, here.names).latest("nato", 10)) == mails, "an edit of the same story is not mailed again"
    log = here.audit
    assert log.check().faults == ()


def test_a_key_given_twice_costs_its_article_and_no_other(door: Door) -> None:
    good = json.dumps(given("once"))
    answer = door.send(
        body=b'{"articles": [{"url": "https://courier.example/t", "title": "A", "title": "B"}, %s]}' % good.encode()
    )
    assert outcomes(answer) == ["refused", "created"]
    assert answer.json()["items"][0]["reason"] == "'title' is given twice"
    assert door.send(body=b'{"articles": [], "articles": [%s]}' % good.encode()).status_code == 400


def test_a_byte_order_mark_is_no_fault(door: Door) -> None:
    body = json.dumps({"articles": [given("marked")]}).encode("utf-8-sig")
    assert outcomes(door.send(body=body)) == ["created"]


def test_an_address_stored_with_what_was_later_known_to_track_stays_its_article_s(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = given("former", url="https://courier.example/former?srsltid=7")
    with monkeypatch.context() as earlier:
        earlier.setattr(tracking, "_LATER_TRACKING_NAMES", frozenset())
        urls._canonical_cached.cache_clear()
        (before,) = door.send(tracked).json()["items"]
    urls._canonical_cached.cache_clear()
    assert before["url"].endswith("?srsltid=7")
    (after,) = door.send(tracked | {"text": TEXT + " Nobody left early."}).json()["items"]
    assert (after["outcome"], after["id"]) == ("updated", before["id"])
    (new,) = door.send(given("new", url="https://courier.example/new?srsltid=7")).json()["items"]
    assert new["url"] == "https://courier.example/new"


def test_a_request_that_is_sent_again_gets_its_answer(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    first = door.send(given("again"), again="k1")
    assert outcomes(first) == ["created"]
    assert door.send(given("again"), again="k1").json() == first.json()
    other = door.send(given("else"), again="k1")
    assert (other.status_code, other.json()["type"]) == (422, "tag:newswatch,2026:problem/idempotency-key")
    original = BatchStore.mark_indexed

    def dies(*_args: object, **_more: object) -> None:
        raise StoreError("Elasticsearch is away")

    monkeypatch.setattr(BatchStore, "mark_indexed", dies)
    assert door.send(given("late"), again="k2").status_code == 503
    monkeypatch.setattr(BatchStore, "mark_indexed", original)
    assert outcomes(door.send(given("late"), again="k2")) == ["known"], "it was written; the batch is given up in time"
    later = NOW.replace(hour=23)
    assert BatchStore(door.context.es, door.context.names).reap(now=later)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[1]", 400),
        (b'{"articles": []}', 400),
        (b'{"articles": [1], "more": 1}', 400),
        (b"[" * 100_000, 400),
        (b'{"articles": ["\xff"]}', 400),
        (json.dumps({"articles": [1] * (MOST + 1)}).encode(), 413),
        (b" " * (MAX_BYTES + 1), 413),
    ],
)
def test_bodies_that_are_none_are_refused(door: Door, body: bytes, status: int) -> None:
    assert door.send(body=body).status_code == status


def test_nobody_gets_in_without_the_scope(door: Door) -> None:
    assert door.send(given("x"), key="reader").status_code == 403
    assert door.client.post(PATH, json={"articles": [given("x")]}).status_code == 401
    fine = {"Authorization": f"Bearer {door.keys['courier']}"}
    assert door.client.post(PATH, content=b"{}", headers=fine | {"Content-Type": "text/plain"}).status_code == 415
