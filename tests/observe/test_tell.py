"""The ways of telling: what is sent, what an answer means, and that no key is ever shown."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from delivery.channels.email import EMAIL
from delivery.channels.registry import parse_address
from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.episodes import Change, Draft, Episode, Item
from observe.notice import as_json, message_of, sections, subject, title
from observe.tell import Outcome, Way, ways, without_keys
from tests.delivery.post_office import PostOffice, open_post_office
from tests.observe.receiver import Receiver, receiving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DISK = Condition("disk", Severity.WARNING, "The disk is nearly full. Really.", "Free some space.", NOW)
MAIL = Condition("mail-server", Severity.CRITICAL, "No e-mail can be sent: refused.", "Look at it.", NOW)
FILE = Condition("configuration:feeds.yaml", Severity.WARNING, "feeds.yaml is wrong.", "Correct it.", NOW)


def draft(*items: Item, standing: tuple[Condition, ...] = ()) -> Draft:
    return Draft("watch.abc", NOW, items, standing)


def item(change: Change, condition: Condition, *, minutes: int = 20, times: int = 1) -> Item:
    over_at = NOW + timedelta(minutes=minutes) if change in (Change.OVER, Change.PASSED) else None
    return Item(change, Episode(condition, NOW, over_at=over_at, times=times))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as there:
        yield there


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with open_post_office() as there:
        yield there


def by_address(url: str, **more: object) -> Way:
    (way,) = ways(Settings(operator_url=SecretStr(url), **more))  # type: ignore[arg-type]  # any setting
    return way


def by_mail(port: int) -> Way:
    (way,) = ways(Settings(operator="op@example.org", smtp_port=port, smtp_timeout_s=2))
    return way


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (draft(item(Change.NEW, MAIL)), "Critical: No e-mail can be sent: refused"),
        (
            draft(item(Change.NEW, DISK), item(Change.NEW, MAIL)),
            "Critical: No e-mail can be sent: refused (and 1 more)",
        ),
        (draft(item(Change.NEW, DISK)), "Warning: The disk is nearly full"),
        (draft(item(Change.OVER, MAIL)), "All is well again: Mail server"),
        (draft(item(Change.OVER, MAIL), item(Change.PASSED, DISK)), "All is well again: Mail server, Disk"),
        (draft(item(Change.OVER, MAIL), standing=(DISK,)), "Well again: Mail server"),
        (draft(item(Change.OVER, MAIL), item(Change.NEW, DISK)), "Warning: The disk is nearly full"),
    ],
)
def test_the_subject_says_the_worst_or_what_is_over(told: Draft, expected: str) -> None:
    assert subject(told) == expected


def test_titles_are_words() -> None:
    assert [
        title(c) for c in ("mail-server", "dag-processor", "configuration:feeds.yaml", "certificate:a.example")
    ] == [
        "Mail server",
        "DAG processor",
        "Configuration feeds.yaml",
        "Certificate a.example",
    ]


def test_the_message_has_what_since_when_and_what_to_do() -> None:
    told = draft(
        item(Change.NEW, MAIL),
        item(Change.WORSE, MAIL),
        item(Change.OVER, DISK),
        item(Change.PASSED, FILE, times=3),
        standing=(DISK,),
    )
    text = {section.heading: section for section in sections(told)}
    assert list(text) == [
        "Wrong now", "Well again", "Was wrong while this way could not tell you", "Still wrong, as you were told",
    ]  # fmt: skip
    first, worse = text["Wrong now"].rows
    assert (first.title, first.state, first.todo) == ("Mail server", "critical", "Look at it.")
    assert first.facts == ("since Sun 1 Mar 2026, 12:00 UTC",)
    assert worse.state == "now critical"
    (over,) = text["Well again"].rows
    assert over.facts == ("from Sun 1 Mar 2026, 12:00 UTC", "to Sun 1 Mar 2026, 12:20 UTC", "for 20 minutes")
    (passed,) = text["Was wrong while this way could not tell you"].rows
    assert passed.facts[-1] == "3 times in that time"
    assert [row.title for row in text["Still wrong, as you were told"].brief] == ["Disk"]


def test_the_operator_is_told_in_the_zone_of_the_installation() -> None:
    settings = Settings(time_zone="Europe/Brussels")
    mail = EMAIL.render(message_of(draft(item(Change.NEW, MAIL)), settings, "a@example.org"), settings).content
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body
        assert "since Sun 1 Mar 2026, 13:00 CET" in body.get_content()
        assert "UTC" not in body.get_content()


def test_the_same_draft_is_the_same_message() -> None:
    told = draft(item(Change.NEW, MAIL))
    assert message_of(told, Settings(), "a@example.org") == message_of(told, Settings(), "a@example.org")


# ── mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_says_it_in_text_and_html(office: PostOffice) -> None:
    way = by_mail(office.port)
    assert way.send(draft(item(Change.NEW, MAIL))).outcome is Outcome.ACCEPTED
    (mail,) = office.to("op@example.org")
    assert mail["Subject"] == "Critical: No e-mail can be sent: refused"
    assert mail["Message-ID"] == "<watch.abc@localhost>"
    text, html = (part.get_content() for part in mail.iter_parts())
    for body in (text, html):
        assert "Look at it." in body
        assert "since Sun 1 Mar 2026, 12:00 UTC" in body
    assert "What to do: Look at it." in text


def test_a_mail_server_that_refuses_or_is_away(office: PostOffice) -> None:
    office.on_recipient = lambda recipient, before: "550 no such user"
    refused = by_mail(office.port).send(draft(item(Change.NEW, MAIL)))
    assert (refused.outcome, refused.why) == (Outcome.REFUSED, "550 no such user")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert by_mail(port).send(draft(item(Change.NEW, MAIL))).outcome is Outcome.REFUSED


def test_a_mail_whose_answer_is_lost_is_of_unknown_outcome(office: PostOffice) -> None:
    office.on_data = lambda recipient, before: "drop"
    assert by_mail(office.port).send(draft(item(Change.NEW, MAIL))).outcome is Outcome.UNKNOWN


# ── an address ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_address_gets_our_document(receiver: Receiver) -> None:
    way = by_address(f"{receiver.url}/hook?token=secret")
    told = draft(item(Change.NEW, MAIL), item(Change.OVER, DISK), standing=(FILE,))
    assert way.send(told).outcome is Outcome.ACCEPTED
    (document,) = receiver.documents
    assert receiver.paths == ["/hook?token=secret"]
    assert receiver.headers[0]["Idempotency-Key"] == document["key"] == "watch.abc"
    assert (document["version"], document["state"], document["at"]) == (1, "critical", "2026-03-01T12:00:00Z")
    assert document["subject"] == subject(told)
    assert "What to do: Look at it." in document["text"]
    new, over = document["changes"]
    assert new == {
        "change": "new", "id": "mail-server", "severity": "critical", "sentence": MAIL.sentence,
        "next_step": MAIL.next_step, "since": "2026-03-01T12:00:00Z", "until": None, "times": 1,
    }  # fmt: skip
    assert (over["change"], over["until"]) == ("over", "2026-03-01T12:20:00Z")
    assert [condition["id"] for condition in document["standing"]] == ["configuration:feeds.yaml"]


def test_the_state_is_that_of_what_stands() -> None:
    def state(told: Draft) -> str:
        return str(as_json(told, Settings(), "")["state"])

    assert state(draft(item(Change.OVER, MAIL))) == "ok"
    assert state(draft(item(Change.OVER, MAIL), standing=(DISK,))) == "warning"
    assert state(draft(item(Change.NEW, DISK), standing=(MAIL,))) == "critical"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_answer_but_yes_is_a_refusal(receiver: Receiver, status: int) -> None:
    receiver.status = status
    result = by_address(receiver.url).send(draft(item(Change.NEW, MAIL)))
    assert (result.outcome, result.why) == (Outcome.REFUSED, f"it answers {status}")


def test_an_address_that_is_away_was_told_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = by_address(f"http://127.0.0.1:{port}/secret").send(draft(item(Change.NEW, MAIL)))
    assert (result.outcome, result.why) == (Outcome.REFUSED, "connection refused")


def test_an_answer_that_is_lost_is_of_unknown_outcome(receiver: Receiver) -> None:
    receiver.drop = True
    assert by_address(receiver.url).send(draft(item(Change.NEW, MAIL))).outcome is Outcome.UNKNOWN


def test_apprise_sends_to_its_services(receiver: Receiver) -> None:
    """By its own JSON: any other service would need a network."""
    way = by_address(f"json://127.0.0.1:{receiver.port}/hook/", mail_name="desk")
    assert way.title == "json:// (Apprise)"
    assert way.send(draft(item(Change.NEW, MAIL))).outcome is Outcome.ACCEPTED
    assert way.send(draft(item(Change.OVER, MAIL))).outcome is Outcome.ACCEPTED
    first, second = receiver.documents
    assert (first["type"], second["type"]) == ("failure", "success")
    assert first["title"] == "Critical: No e-mail can be sent: refused"
    assert "What to do: Look at it." in first["message"]


def test_apprise_that_fails_says_why_without_keys(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.status = 500
    with caplog.at_level(logging.DEBUG):
        result = by_address(f"json://user:geheim@127.0.0.1:{receiver.port}/hook-key/").send(
            draft(item(Change.NEW, MAIL))
        )
    assert result.outcome is Outcome.REFUSED
    assert result.why
    assert "geheim" not in result.why + caplog.text
    assert "hook-key" not in result.why


def test_an_address_that_apprise_does_not_know_is_named_by_its_setting() -> None:
    with pytest.raises(NewswatchError, match="NEWSWATCH_OPERATOR_URL: Apprise can't read this nonsense://") as error:
        by_address("nonsense://geheim")
    assert "geheim" not in str(error.value)


def test_keys_are_taken_out() -> None:
    said = "POST https://hooks.example/T123/abcdef failed: abcdef"
    assert without_keys(said, "slack://T123/abcdef") == "POST https://hooks.example/…/… failed: …"


def test_a_way_is_the_same_as_long_as_its_address_is() -> None:
    assert by_address("https://a.example/x").id == by_address("https://a.example/x").id
    assert by_address("https://a.example/x").id != by_address("https://a.example/y").id
    assert "example" not in by_address("https://a.example/x").id
    assert by_address("https://user:pass@a.example/key").title == "POST to a.example"
    assert parse_address("op@example.org") in by_mail(25).title
