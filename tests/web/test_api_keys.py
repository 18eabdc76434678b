"""API keys: what opens, what does not, how it is told; on the page, by the command and in the store."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import pytest
from elasticsearch import Elasticsearch
from fastapi import Depends
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from cli.main import app
from jobs.context import Context
from newswatch.api_key import ApiKey, Scope
from newswatch.origin import coming_from
from newswatch.settings import Settings
from store.audit import HEAD, AuditLog
from store.keys import MOST_PLACES, KeyRequestError, KeyStore, Refusal, Request, checked
from store.names import Names
from tests.factories import NOW
from tests.web.conftest import Page
from web.api_keys import requires_key
from web.problem_json import machine_app, network_of
from web.security import Role

pytestmark = pytest.mark.slow


class Door:
    """A route behind a key, and the clock that the store goes by."""

    def __init__(self, es: Elasticsearch, names: Names, folder: Path) -> None:
        self.now, self.keys = NOW, KeyStore(es, names)
        here = Context(Settings(data_dir=folder), es, names, lambda: self.now)
        machine = machine_app(lambda: here, (), title="test", overall=1_000)

        @machine.get("/")
        def ask(key: Annotated[ApiKey, Depends(requires_key(Scope.READ, basic=True))], size: int = 1) -> str:
            return f"{key.owner} {size}"

        @machine.get("/fault")
        def fault() -> None:
            raise RuntimeError("secret")

        self.client, self.known = TestClient(machine), machine.state.door.admitted

    def make(self, *scopes: str, owner: str = "ann", per_minute: int = 600, days: int = 30) -> tuple[ApiKey, str]:
        asked = Request("OpenCTI", owner, scopes or ("read",), days, per_minute)
        made = self.keys.create(asked, by="root", now=self.now)
        return made.key, made.text

    def ask(self, header: str | None, query: str = "") -> tuple[int, dict[str, str]]:
        answer = self.client.get(f"/{query}", headers={"Authorization": header} if header is not None else {})
        return answer.status_code, answer.json() if answer.status_code != 200 else {"said": answer.json()}


@pytest.fixture
def door(es: Elasticsearch, names: Names, tmp_path: Path) -> Door:
    return Door(es, names, tmp_path)


def test_a_key_opens_its_scope_until_it_ends_or_is_revoked_and_only_its_hash_is_kept(
    door: Door, es: Elasticsearch, names: Names
) -> None:
    key, text = door.make("read", "push")
    assert door.ask(f"Bearer {text}") == (200, {"said": "ann 1"})
    basic = base64.b64encode(f"opencti:{text}".encode()).decode()
    assert door.ask(f"basic {basic}")[0] == 200
    es.indices.refresh(index=names.keys)
    assert text.rpartition("_")[2] not in json.dumps(es.search(index=names.keys)["hits"]["hits"])
    other, other_text = door.make("push")
    status, told = door.ask(f"Bearer {other_text}")
    assert (status, told["detail"]) == (403, "This key opens push; this address asks for read.")
    swapped = f"nwk_{key.id}_{other_text[21:]}"
    for header, said in (
        (None, "needs an API key"),
        ("", "sent as a bearer token"),
        (f"Bearer {text[:-1]}", "is no API key"),
        (f"Bearer {swapped}", "is not known here"),
        (f"Bearer nwk_{'0' * 16}_{text[21:]}", "is not known here"),
        (f"Bearer {text}\u00e9".encode("latin-1").decode("latin-1"), "is no API key"),
        ("Basic !!!", "can't be read"),
        (f"Token {text}", "sent as a bearer token"),
        ("Bearer " + "x" * 2_000, "One key is enough"),
    ):
        answer = door.client.get(
            "/", headers=[("Authorization", header.encode("latin-1"))] if header is not None else []
        )
        assert answer.status_code == 401, header
        assert said in answer.json()["detail"], header
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert door.keys.revoke(key.id, by="root", now=door.now)
    assert "was revoked (04 March 2026)" in door.ask(f"Bearer {text}")[1]["detail"]
    door.now += timedelta(days=30)
    assert "has expired (03 April 2026)" in door.ask(f"Bearer {other_text}")[1]["detail"]
    assert {one.id: one.state(door.now) for one in door.keys.all()} == {key.id: "revoked", other.id: "expired"}


def test_use_is_noted_once_an_hour_and_undoes_no_revocation(door: Door, es: Elasticsearch, names: Names) -> None:
    key, text = door.make()

    def used() -> datetime | None:
        known = door.keys.get(key.id)
        assert known
        return known.last_used_at

    door.ask(f"Bearer {text}")
    first = used()
    door.now += timedelta(minutes=59)
    door.ask(f"Bearer {text}")
    assert used() == first == NOW
    stale = door.keys._get(key.id)
    assert stale
    door.keys.revoke(key.id, by="root", now=door.now)
    door.keys._note_use(stale, door.now)
    assert isinstance(door.keys.admitted(text, door.now), Refusal)
    es.index(index=names.keys, id=f"api~{key.id}", document={"kind": "api", "id": key.id}, refresh=True)
    assert "can't be read any more" in door.ask(f"Bearer {text}")[1]["detail"]
    assert door.keys.all() == [], "an unreadable one costs only itself"


def test_the_audit_log_has_where_a_key_was_used_from_on_a_day_and_that_it_was_refused(
    door: Door, es: Elasticsearch, names: Names
) -> None:
    key, text = door.make()

    def used_from(*places: str) -> None:
        for place in places:
            with coming_from(place):
                assert not isinstance(door.keys.admitted(text, door.now), Refusal)

    def recorded(what: str) -> list[tuple[str, str, str]]:
        log = AuditLog(es, names)
        log.refresh()
        return [(one.who, one.subject, one.where) for one in reversed(log.listed(what=what))]

    used_from("a", "b", "a", "b")
    door.now += timedelta(hours=2)
    used_from("a")
    assert recorded("API key used") == [("ann", key.id, "a"), ("ann", key.id, "b")]
    door.now += timedelta(days=1)
    used_from("b", *(f"place {number}" for number in range(2 * MOST_PLACES)))
    assert len(recorded("API key used")) == 2 + MOST_PLACES
    for _ in range(2):
        assert isinstance(door.keys.admitted(text[:-4] + "wxyz", door.now), Refusal)
    assert [subject for _, subject, _ in recorded("API key refused")] == [key.id]
    door.now += timedelta(days=1)
    door.keys.revoke(key.id, by="root", now=door.now)
    assert door.ask(f"Bearer {text}")[0] == 401
    assert recorded("API key refused")[1:] == [("whoever showed it", key.id, "the API, from testclient")]


def test_an_audit_log_that_was_edited_by_hand_closes_no_door(door: Door, es: Elasticsearch, names: Names) -> None:
    _, text = door.make()
    es.index(index=names.audit, id=HEAD, document={"n": 1}, refresh=True)
    assert door.ask(f"Bearer {text}")[0] == 200


def test_who_tries_keys_out_soon_costs_nothing_and_stops_nobody(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = door.make()
    assert door.ask(f"Bearer {text}")[0] == 200
    asked = []
    monkeypatch.setattr(KeyStore, "_get", lambda _, key_id: asked.append(key_id))
    tried = [door.ask(f"Bearer nwk_{number:016x}_{'x' * 43}")[0] for number in range(80)]
    assert tried == [401] * 60 + [429] * 20
    assert len(asked) == 60
    monkeypatch.undo()
    assert door.ask(f"Bearer {text}")[0] == 200, "a known key at the same address"


def test_a_key_with_space_around_it_is_remembered_once(door: Door) -> None:
    _, text = door.make()
    for space in range(4):
        shown = base64.b64encode(f"opencti:{' ' * space}{text}{chr(9) * space}".encode()).decode()
        assert door.ask(f"Basic {shown}")[0] == 200
    assert len(door.known) == 1


def test_each_key_has_its_own_rate_and_faults_are_told_without_secrets(door: Door) -> None:
    (_, slow), (_, quick) = door.make(per_minute=1), door.make(per_minute=5, owner="bob")
    assert door.ask(f"Bearer {slow}")[0] == 200
    limited = door.client.get("/", headers={"Authorization": f"Bearer {slow}"})
    assert (limited.status_code, limited.json()["type"]) == (429, "tag:newswatch,2026:problem/rate-limited")
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert door.ask(f"Bearer {quick}")[1] == {"said": "bob 1"}
    status, told = door.ask(f"Bearer {quick}", "?size=many")
    assert (status, told["parameter"]) == (400, "size")
    assert "must be a whole number (given: 'many')" in told["detail"]
    broken = door.client.get("/fault")
    assert broken.status_code == 500
    assert "secret" not in broken.text
    assert broken.headers["x-robots-tag"] == "noindex, nofollow"
    assert door.client.get("/nothing").json()["detail"] == "There is nothing at this address."


REFUSED = {
    "name: 1 to 100": Request("", "ann", ("read",), 1),
    "name: 1 to 100 printable": Request("a\u202eb", "ann", ("read",), 1),
    "owner: 1 to 100": Request("a", " ", ("read",), 1),
    "scopes: name at least one": Request("a", "ann", (), 1),
    "scopes: 'root' is none of read, feedback": Request("a", "ann", ("root",), 1),
    "days: a key lasts 1 to 730": Request("a", "ann", ("read",), 731),
    "per_minute: 1 to 6,000": Request("a", "ann", ("read",), 1, 0),
}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("nowhere", "testclient", False),
    ],
)
def test_the_addresses_of_one_customer_have_one_budget(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def test_a_key_that_can_not_be_is_refused_by_name() -> None:
    for said, asked in REFUSED.items():
        with pytest.raises(KeyRequestError, match=re.escape(said)):
            checked(asked)


def test_the_page_shows_a_key_once_and_only_to_those_who_may_change(page: Page) -> None:
    client = TestClient(page.app, follow_redirects=False)
    form = client.get("/news/keys").text
    token = re.search(r'name="csrf" value="([^"]+)"', form)
    assert token
    fields = {"csrf": token[1], "name": "<b>mirror</b>", "scope-read": "on", "days": "90", "per_minute": "60"}
    assert client.post("/news/keys", data=fields | {"csrf": "x"}).status_code == 403
    wrong = client.post("/news/keys", data=fields | {"days": "²"})
    assert (wrong.status_code, "days: a whole number." in wrong.text) == (400, True)
    assert 'value="&lt;b&gt;mirror&lt;/b&gt;"' in wrong.text
    made = client.post("/news/keys", data=fields)
    text = re.search(r'value="(nwk_[^"]+)"', made.text)
    assert text
    assert made.headers["cache-control"] == "no-store"
    keys = KeyStore(page.context.es, page.context.names)
    key = keys.admitted(text[1], NOW)
    assert isinstance(key, ApiKey)
    assert (key.owner, key.scopes, key.per_minute) == ("ann", ("read",), 60)
    again = client.get("/news/keys").text
    assert text[1] not in again
    assert "<bdi>&lt;b&gt;mirror&lt;/b&gt;</bdi>" in again
    assert client.post("/news/keys/nothing/revoke", data=fields).status_code == 404
    gone = client.post(f"/news/keys/{key.id}/revoke", data=fields)
    assert gone.headers["location"] == "/news/keys?done=revoked"
    assert isinstance(keys.admitted(text[1], NOW), Refusal)
    page.visitor.role = Role.ANALYST
    assert client.get("/news/keys").status_code == 403
    assert 'href="/news/keys"' not in client.get("/news/searches").text


def test_the_command_prints_a_key_once(
    es: Elasticsearch, names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["api-keys", *words])
        return done.exit_code, done.stdout

    made = json.loads(run("create", "mirror", "--scope", "read", "--owner", "ann", "--days", "7", "--json")[1])
    assert made["key"].startswith(f"nwk_{made['id']}_")
    assert "hash" not in made
    (line,) = run("list", "--json")[1].splitlines()
    assert "key" not in json.loads(line)
    assert "mirror" in run("list")[1]
    assert run("revoke", "nothing")[0] == 1
    assert json.loads(run("revoke", made["id"], "--json")[1])["state"] == "revoked"
    assert run("list", "--json") == (0, "")
    assert json.loads(run("list", "--all", "--json")[1])["id"] == made["id"]
    assert run("create", "x", "--scope", "root")[0] != 0
