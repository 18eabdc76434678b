"""Subscribers by HTTP: what is added, confirmed and erased, by whom; and that no page shows a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from delivery.address_book import AddressBook
from delivery.links import signing_keys
from delivery.mailbox import Mailboxes
from embedded.stack_files import mail_folder
from newswatch.errors import ChangedMeanwhileError
from newswatch.sealing import Sealer
from tests.delivery.channels.receivers import Receiver, as_json, serving
from tests.delivery.post_office import open_post_office
from tests.web.conftest import Page
from web import app as web_app
from web.security import Role
from web.subscriber_pages import DONE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hook() -> Iterator[Receiver]:
    with serving(Receiver()) as there:
        yield there


def client_of(page: Page, hook: Receiver, **changes: object) -> TestClient:
    settings = page.context.settings.model_copy(update={"channel_allow_hosts": (hook.pair,), **changes})
    context = replace(page.context, settings=settings)
    inside = web_app.create_app(lambda: context, page.visitor.access())
    outer = page.app
    outer.router.routes.clear()
    outer.mount("/news", inside)
    return TestClient(outer, follow_redirects=False)


def send(client: TestClient, path: str, **fields: str) -> Response:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/news/subscribers").text)
    assert found
    answer: Response = client.post(f"/news/{path}", data={"csrf": found[1], **fields})
    return answer


def test_a_webhook_is_added_confirmed_used_and_its_keys_are_never_shown_again(page: Page, hook: Receiver) -> None:
    hook.answer = lambda got: as_json(200, {"challenge": got.json["data"]["challenge"]})
    client = client_of(page, hook)
    added = send(client, "subscribers/webhook", name="ops", url=hook.url)
    assert DONE["confirmed"] in added.text
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", added.text)
    assert secret
    for answer in (client.get("/news/subscribers"), send(client, "subscribers/webhook", name="ops", url=hook.url)):
        assert "webhook:ops" in answer.text
        assert secret[0] not in answer.text
        assert "s3cr3t" not in answer.text
    saved = send(client, "searches/new", name="Ice", query="glacier", recipients="webhook:ops", do="save")
    assert saved.status_code == 303
    unknown = send(client, "searches/new", name="Ice 2", query="glacier", recipients="chat:nobody", do="save")
    assert "chat:nobody is not in the address book" in unknown.text

    page.visitor.name = "bob"
    foreign = send(client, "searches/new", name="Ice 3", query="glacier", recipients="webhook:ops", do="save")
    assert "webhook:ops belongs to ann" in foreign.text
    for do in ("secret", "remove", "share", "confirm"):
        refused = send(client, "subscribers/address", id="webhook:ops", do=do, code="x")
        assert (refused.status_code, "belongs to ann" in refused.text) == (400, True)
    other_door = send(client, "subscribers/people", id="webhook:ops", do="remove")
    assert (other_door.status_code, "no such person or group" in other_door.text) == (400, True)
    page.visitor.name = "ann"
    assert send(client, "subscribers/address", id="webhook:ops", do="remove").status_code == 303
    assert "webhook:ops" not in client.get("/news/subscribers").text


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("webhook", {"name": "x", "url": "https://169.254.169.254/s3cr3t"}, "is not a public address"),
        ("webhook", {"name": "X y", "url": "https://hooks.example.org/s3cr3t"}, "This name can&#39;t be used"),
        ("chat", {"name": "x", "url": "exec://s3cr3t"}, "not an address of a service"),
        ("people", {"id": "person:ann", "routes": "chat:gone"}, "chat:gone is not in the address book"),
        ("people", {"id": "ann@reader.example", "routes": "ann@reader.example"}, "neither person:NAME"),
        ("people", {"id": "person:ann", "routes": "ann@reader.example 25:00-26:00"}, "none of: hours"),
    ],
)
def test_what_can_not_be_used_is_said_and_no_key_is_repeated(
    page: Page, hook: Receiver, path: str, fields: dict[str, str], told: str
) -> None:
    answer = send(client_of(page, hook), f"subscribers/{path}", **fields)
    assert answer.status_code == 400
    assert told in answer.text
    assert "s3cr3t" not in answer.text


def test_a_new_mail_address_of_the_form_is_asked_first(page: Page, hook: Receiver) -> None:
    mail_folder(page.context.settings.data_dir).rmdir()  # no catcher: mails are really sent
    names, es = page.context.names, page.context.es
    with open_post_office() as office:
        client = client_of(page, hook, smtp_port=office.port)
        page.visitor.address = "ann@reader.example"
        to = "ann@reader.example new@reader.example"
        assert send(client, "searches/new", name="Ice", query="glacier", recipients=to, do="save").status_code == 303
        found = re.search(r'name="was" value="([^"]+)"', client.get("/news/searches/ice").text)
        again = {"name": "Ice", "query": "glacier", "recipients": to, "note": "more", "was": found[1] if found else ""}
        assert send(client, "searches/ice", **again, do="save").status_code == 303
        assert len(office.to("new@reader.example")) == 1
        assert office.to("ann@reader.example") == []
        for do in ("remove", "replay"):
            assert send(client, "subscribers/address", id="new@reader.example", do=do, last="1").status_code == 400, do
    down = client_of(page, hook, smtp_port=1)
    saved = send(down, "subscribers/people", id="person:zoe", routes="zoe@reader.example")
    assert saved.headers["location"].endswith("done=unasked")
    boxes = Mailboxes(es, names)
    assert boxes.get("new@reader.example").unverified_since
    assert not boxes.get("ann@reader.example").unverified_since


def test_a_person_is_kept_exported_and_erased_by_its_owner_alone(page: Page, hook: Receiver) -> None:
    client = client_of(page, hook)
    routes = "ann@reader.example 08:00-18:00 weekdays\nbob@reader.example main=nato,counter-terrorism"
    made = send(client, "subscribers/people", id="person:ann", name="<b>Ann</b>", routes=routes, zone="Europe/Brussels")
    assert made.status_code == 303
    shown = client.get("/news/subscribers").text
    assert "ann@reader.example 08:00-18:00 weekdays" in shown
    assert "<b>Ann" not in shown
    page.visitor.name = "bob"
    for path, fields in (("people", {"do": "remove"}), ("erase", {"again": "person:ann"})):
        assert "belongs to ann" in send(client, f"subscribers/{path}", id="person:ann", **fields).text
    for name in ("person:ann", "PERSON: Ann"):
        taken = send(client, "subscribers/people", id=name, routes="bob@reader.example", zone="UTC")
        assert "belongs to ann" in taken.text, name
    page.visitor.name = "ann"
    exported = send(client, "subscribers/export", id="person:ann")
    assert exported.json()["recipients"] == ["person:ann", "ann@reader.example", "bob@reader.example"]
    assert "Type person:ann" in send(client, "subscribers/erase", id="person:ann", again="no").text
    assert send(client, "subscribers/erase", id="person:ann", again="person:ann").status_code == 303
    book = AddressBook(page.context.es, page.context.names, Sealer(signing_keys(page.context.settings)))
    assert book.subscriber("person:ann") is None


def test_two_windows_of_one_person_overwrite_nothing(page: Page, hook: Receiver) -> None:
    client = client_of(page, hook)
    person = {"id": "person:ann", "routes": "ann@reader.example", "zone": "UTC"}
    assert send(client, "subscribers/people", **person).status_code == 303
    again = send(client, "subscribers/people", **person | {"routes": "other@reader.example"})
    assert (again.status_code, "There is person:ann already" in again.text) == (400, True)
    assert "other@reader.example" in again.text, "what was typed stays"
    found = re.search(r'name="was" value="([^"]+)"', client.get("/news/subscribers").text)
    assert found
    seen = person | {"was": found[1]}
    first = send(client, "subscribers/people", **seen | {"routes": "ann@reader.example 08:00-18:00"})
    assert first.status_code == 303
    late = send(client, "subscribers/people", **seen | {"routes": "ann@reader.example weekdays"})
    assert late.status_code == 400
    assert "its routes are now: ann@reader.example 08:00-18:00" in late.text
    assert "ann@reader.example weekdays</textarea>" in late.text
    book = AddressBook(page.context.es, page.context.names, Sealer(signing_keys(page.context.settings)))
    stored = book.subscriber("person:ann")
    assert stored is not None
    assert stored.routes[0].start is not None
    assert send(client, "subscribers/people", id="person:ann", do="remove").status_code == 303
    gone = send(client, "subscribers/people", **seen)
    assert "person:ann was removed in another window" in gone.text
    assert book.subscriber("person:ann") is None
    book.create(stored)
    book.save(replace(stored, name="Ann Lee"))
    with pytest.raises(ChangedMeanwhileError):
        book.replace(stored, replace(stored, zone="Europe/Riga"))


def test_nobody_takes_over_a_removed_group_that_others_searches_name(page: Page, hook: Receiver) -> None:
    client = client_of(page, hook)
    page.visitor.name, page.visitor.role, page.visitor.address = "ann", Role.EDITOR, "ann@reader.example"
    group = {"id": "group:desk", "routes": "ann@reader.example", "zone": "UTC"}
    assert send(client, "subscribers/people", **group).status_code == 303
    named = send(client, "searches/new", name="Ice", query="glacier", recipients="group:desk", do="save")
    assert named.status_code == 303
    assert send(client, "subscribers/people", id="group:desk", do="remove").status_code == 303
    page.visitor.name, page.visitor.address = "bob", "bob@reader.example"
    taken = send(client, "subscribers/people", **group | {"routes": "bob@reader.example"})
    assert (taken.status_code, "names group:desk" in taken.text) == (400, True)
    page.visitor.name, page.visitor.address = "ann", "ann@reader.example"
    assert send(client, "subscribers/people", **group).status_code == 303


def test_who_may_not_change_is_refused_and_a_form_of_elsewhere_too(page: Page, hook: Receiver) -> None:
    client = client_of(page, hook)
    assert client.post("/news/subscribers/chat", data={"csrf": "x", "name": "a", "url": "b"}).status_code == 403
    page.visitor.role = Role.ANALYST
    assert client.get("/news/subscribers").status_code == 200
    assert 'action="/news/subscribers' not in client.get("/news/subscribers").text
    assert client.post("/news/subscribers/erase", data={"id": "person:ann"}).status_code == 403
