"""What hubs push: who is let in, what is kept, and what is dropped and counted."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from fastapi.testclient import TestClient
from pydantic import SecretStr

from ingest.polling.hubs import Subscription, SubscriptionState, key_of
from jobs.context import Context
from newswatch.settings import Settings
from store.hubs import HubStore, Push
from store.names import Names
from tests.factories import NOW
from web import hub, plugin

pytestmark = pytest.mark.slow
TOPIC = "https://news.example/rss"
KEY = "k" * 40


@dataclass
class Receiver:
    client: TestClient
    hubs: HubStore
    path: str = f"/f/{key_of(KEY, 'callback', 'f', 1)}"

    def push(self, body: bytes, secret: str | None = None, path: str | None = None) -> int:
        signature = hmac.new((secret or key_of(KEY, "secret", "f", 1)).encode(), body, hashlib.sha512).hexdigest()
        headers = {"X-Hub-Signature": f"sha512={signature}", "Content-Type": "application/rss+xml"}
        return int(self.client.post(path or self.path, content=body, headers=headers).status_code)


@pytest.fixture
def receiver(es: Elasticsearch, names: Names, tmp_path: Path) -> Receiver:
    settings = Settings(data_dir=tmp_path, websub=True, secret_key=SecretStr(KEY))
    context = Context(settings, es, names, clock=lambda: NOW)
    hubs = HubStore(es, names)
    hubs.change("f", lambda _: Subscription("f", "https://hub.example/", TOPIC, at=NOW))
    return Receiver(TestClient(hub.create_app(lambda: context)), hubs)


def asked(**changes: str) -> dict[str, str]:
    stated = {"mode": "subscribe", "topic": TOPIC, "challenge": "<b>xyz", "lease_seconds": "3600"} | changes
    return {f"hub.{name}": value for name, value in stated.items()}


def test_an_intent_is_verified_for_what_was_asked_only(receiver: Receiver) -> None:
    get = receiver.client.get
    for wrong in (asked(topic="https://other.example"), asked(mode="unsubscribe"), asked(challenge="")):
        assert get(receiver.path, params=wrong).status_code == 404
    assert get("/f/" + "0" * 64, params=asked()).status_code == 404
    assert get("/g/" + receiver.path[3:], params=asked()).status_code == 404
    answer = get(receiver.path, params=asked())
    assert (answer.status_code, answer.text) == (200, "<b>xyz")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    subscription = receiver.hubs.get("f")
    assert subscription
    assert subscription.state is SubscriptionState.ACTIVE
    assert subscription.until
    assert (subscription.until - NOW).total_seconds() == 3_600


def test_a_denial_is_noted(receiver: Receiver) -> None:
    denied = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "no"}
    assert receiver.client.get(receiver.path, params=denied).status_code == 200
    subscription = receiver.hubs.get("f")
    assert subscription
    assert (subscription.state, subscription.why) == (SubscriptionState.DENIED, "no")


def test_a_signed_push_is_kept_and_rings(receiver: Receiver) -> None:
    before, body = receiver.hubs.rung(), b"<rss>\xff</rss>"
    assert receiver.push(body) == 202
    (push,) = receiver.hubs.waiting(10)
    assert (push.value.feed_id, push.value.body, push.value.content_type) == ("f", body, "application/rss+xml")
    assert receiver.hubs.rung() != before
    receiver.hubs.done([push])
    assert receiver.hubs.waiting(10) == []


def test_a_push_that_is_not_the_hubs_is_dropped_and_counted(receiver: Receiver) -> None:
    assert receiver.push(b"<rss/>", secret="guessed") == 202
    assert receiver.client.post(receiver.path, content=b"<rss/>").status_code == 202
    assert receiver.push(b"<rss/>", path="/f/" + "0" * 64) == 404
    assert receiver.push(b"x" * (hub.MOST_BYTES + 1)) == 413
    assert receiver.hubs.waiting(10) == []
    subscription = receiver.hubs.get("f")
    assert subscription
    assert (subscription.refused, subscription.pushed_at) == (2, None)


def test_requests_and_waiting_pushes_have_a_budget(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.hubs.EACH_WAITING", 1)
    assert receiver.push(b"<rss/>") == 202
    assert [push.value.feed_id for push in receiver.hubs.waiting(10)] == ["f"]
    assert receiver.push(b"<rss/>") == 503, "too many of one feed"
    assert receiver.hubs.keep(Push("g", NOW, "text/xml", b"<rss/>")), "which takes no other's place"
    monkeypatch.setattr("store.hubs.EACH_WAITING", 10)
    monkeypatch.setattr("store.hubs.MOST_BYTES", 18)
    assert receiver.push(b"<rss/>") == 202, "eighteen bytes wait"
    assert [push.value.feed_id for push in receiver.hubs.waiting(10)] == ["f", "g", "f"]
    assert receiver.push(b"<rss/>") == 503, "too many bytes"
    monkeypatch.setattr("store.hubs.MOST_BYTES", 100)
    monkeypatch.setattr("store.hubs.MOST_WAITING", 0)
    assert receiver.push(b"<rss/>") == 503
    got = [receiver.client.get(receiver.path).status_code for _ in range(hub.EACH)]
    assert (got[0], got[-1]) == (404, 429)


def test_the_plugin_serves_it_where_hubs_are_told() -> None:
    from jobs.fast.hubs import PATH

    assert f"/{plugin.HUB}" == PATH
