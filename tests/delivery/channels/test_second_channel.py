"""A channel is added by listing it: parsed, rendered, sent, threaded, reported, retried after a kill, refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from alerts.definitions import UsageError, read_alerts, with_fields
from delivery.channels import registry
from delivery.channels.email import EMAIL
from delivery.deliver import deliver
from delivery.due import LEASE
from delivery.message import Message, Notice, Row, Section
from delivery.notify import notify
from delivery.outbox import Outbox
from delivery.report import DeliverReport
from delivery.sample import sample
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.errors import NewswatchError
from newswatch.settings import Settings
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.channels.pigeon import PIGEON, arrived
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

ROOT = Path(__file__).resolve().parents[3]
ANN, LOFT, CLOSED, FULL = "ann@reader.example", "pigeon:loft", "pigeon:closed", "pigeon:full"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one place."""
    monkeypatch.setattr(registry, "CHANNELS", (EMAIL, PIGEON))


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_saved_search_takes_its_addresses() -> None:
    given = {"recipients": ["Ann@Reader.Example", " pigeon: Loft ", "PIGEON:loft"]}
    changed = with_fields(a_search("ice"), given, registry.parse_address)
    assert changed.recipients == ("Ann@reader.example", LOFT)


def test_what_is_no_address_of_it_is_refused_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'pigeon:a loft' is no loft"):
        with_fields(a_search("ice"), {"recipients": ["pigeon:a loft"]}, registry.parse_address)
    path = tmp_path / "alerts.yaml"
    path.write_text(
        f"alerts:\n  - {{id: a, name: A, recipients: ['{LOFT}']}}\n  - {{id: b, name: B, recipients: ['x']}}\n"
    )
    searches, (fault,) = read_alerts(path, registry.parse_address)
    assert [search.recipients for search in searches] == [(LOFT,)]
    assert "'x' is not a mail address" in str(fault.error)


def test_an_address_of_a_channel_that_is_not_listed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHANNELS", (EMAIL,))
    with pytest.raises(ValueError, match="is not a mail address"):
        registry.parse_address(LOFT)


def test_its_settings_are_checked_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(settings: Settings) -> None:
        raise ValueError("NEWSWATCH_LOFT: there is no such loft")

    monkeypatch.setattr(registry, "CHANNELS", (EMAIL, replace(PIGEON, check=check)))
    with pytest.raises(NewswatchError, match="NEWSWATCH_LOFT: "):
        registry.check(Settings())


# ── delivering ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Desk:
    """Owes and delivers."""

    press: Press
    settings: Settings

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.press.es, self.press.names)

    def owe(self, article: Article, *recipients: str, now: datetime = NOW, **changes: Any) -> Delivery:
        self.press.publish(article, now=now)
        owed = Delivery("ice", "Ice", article.story_id, article.id, recipients, DeliveryState.PENDING, now)
        owed = replace(owed, not_before=now, **changes)
        assert self.outbox.add([owed]).created == 1
        return owed

    def deliver(self, now: datetime = NOW) -> DeliverReport:
        return deliver(self.press.es, self.press.names, self.settings, now=now)

    def outcomes(self, owed: Delivery) -> dict[str, tuple[DeliveryState, str | None, str]]:
        (found,) = self.outbox.told([owed.id])
        return {o.recipient: (o.state, o.error, o.reference) for o in found.outcomes}

    @property
    def arrived(self) -> list[dict[str, Any]]:
        return arrived(self.settings.data_dir)


@pytest.fixture
def desk(es: Elasticsearch, names: Names, posted: Settings) -> Desk:
    return Desk(Press(es, names), posted)


@pytest.mark.slow
def test_each_recipient_is_told_by_its_channel_and_reported(desk: Desk, office: PostOffice) -> None:
    owed = desk.owe(a_story(1), ANN, LOFT, CLOSED, FULL)
    report = desk.deliver()
    assert (report.sent, report.failed, report.postponed, report.down) == (2, 1, 1, None)
    (mail,), (pigeon,) = office.to(ANN), desk.arrived
    assert (pigeon["to"], pigeon["titles"]) == (LOFT, [a_story(1).title])
    assert pigeon["subject"] == mail["Subject"]
    assert a_story(1).url in pigeon["text"]
    assert desk.outcomes(owed) == {
        ANN: (DeliveryState.SENT, None, mail["Message-ID"]),
        LOFT: (DeliveryState.SENT, None, "ring-1"),
        CLOSED: (DeliveryState.FAILED, "the loft is closed", ""),
        FULL: (DeliveryState.PENDING, "the loft is full", ""),
    }
    (desk.settings.data_dir / "room").touch()
    assert desk.deliver(NOW + 2 * MINUTE).sent == 1
    assert [one["to"] for one in desk.arrived] == [LOFT, FULL]
    assert desk.deliver(NOW + HOUR) == DeliverReport()


@pytest.mark.slow
def test_a_later_message_follows_the_first_by_the_name_that_the_channel_gave_it(desk: Desk) -> None:
    desk.owe(a_story(1), LOFT)
    desk.deliver()
    later = a_story(11, story_id=a_story(1).story_id)
    desk.owe(later, LOFT, now=NOW + HOUR, kind="update")
    assert desk.deliver(NOW + HOUR).sent == 1
    one, two = desk.arrived
    assert (one["thread"], two["thread"]) == ([], ["ring-1"])
    assert two["subject"] == f"Update: {later.title}"


@pytest.mark.slow
def test_a_channel_without_threads_is_told_as_of_any_story(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHANNELS", (EMAIL, replace(PIGEON, threads=False)))
    desk.owe(a_story(1), LOFT)
    desk.deliver()
    later = a_story(11, story_id=a_story(1).story_id)
    desk.owe(later, LOFT, now=NOW + HOUR, kind="update")
    desk.deliver(NOW + HOUR)
    two = desk.arrived[1]
    assert (two["thread"], two["subject"]) == ([], f"Update: {later.title}")
    assert "UPDATE" in two["text"]


@pytest.mark.slow
def test_killed_after_it_was_sent_it_is_sent_again_with_the_same_key(
    desk: Desk, elasticsearch_url: str, names: Names
) -> None:
    owed = desk.owe(a_story(1), LOFT)
    arguments = [elasticsearch_url, names.prefix, str(desk.settings.data_dir), NOW.isoformat()]
    run = subprocess.run([sys.executable, "-m", "tests.delivery.channels.pigeon", *arguments], cwd=ROOT, check=False)
    assert run.returncode == -9
    assert desk.outcomes(owed)[LOFT] == (DeliveryState.PENDING, None, "")
    desk.owe(a_story(2), LOFT, now=NOW + MINUTE)
    assert desk.deliver(NOW + LEASE + MINUTE).sent == 2
    first, again, other = desk.arrived
    assert first["key"] == again["key"] != other["key"]
    assert first["titles"] == again["titles"]
    assert desk.outcomes(owed)[LOFT] == (DeliveryState.SENT, None, "ring-2")
    assert desk.deliver(NOW + HOUR) == DeliverReport()


@pytest.mark.slow
def test_a_channel_that_is_down_keeps_its_own_mails_back_and_nobody_elses(desk: Desk, office: PostOffice) -> None:
    (desk.settings.data_dir / "storm").touch()
    desk.owe(a_story(1), LOFT, "pigeon:other", now=NOW - HOUR)
    desk.owe(a_story(2), ANN)
    report = desk.deliver()
    assert (report.sent, report.postponed, report.down) == (1, 1, "no pigeon flies in a storm")
    assert len(office.to(ANN)) == 1
    (desk.settings.data_dir / "storm").unlink()
    assert desk.deliver(NOW + HOUR).sent == 2
    assert {one["to"] for one in desk.arrived} == {LOFT, "pigeon:other"}


@pytest.mark.slow
def test_a_stored_address_that_is_none_of_it_costs_itself(desk: Desk) -> None:
    owed = desk.owe(a_story(1), "pigeon:a loft", LOFT)
    report = desk.deliver()
    assert (report.sent, report.failed, report.set_aside) == (1, 1, 1)
    assert desk.outcomes(owed)["pigeon:a loft"][:2] == (DeliveryState.FAILED, "'pigeon:a loft' is no loft")


# ── the rest that goes by channels ───────────────────────────────────────────────────────────────────────────────────


def test_the_operator_is_told_by_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, operator="Pigeon:Ops")
    registry.check(settings)
    row = Row("The Herald", "failing", "answered 503", facts=("since today",), url="https://herald.example/rss")
    notice = Notice((Section("Not read any more", "bad", (row,)),))
    message = Message("health.1", "Pigeon:Ops", "Feeds: 1 failing", NOW, "newswatch", notice)
    notify(message, settings)
    (pigeon,) = arrived(tmp_path)
    assert (pigeon["to"], pigeon["key"], pigeon["subject"]) == ("pigeon:ops", "health.1", "Feeds: 1 failing")
    assert "The Herald: failing\n  answered 503\n  since today\n" in pigeon["text"]
    with pytest.raises(NewswatchError, match="“Feeds: 1 failing” to pigeon:closed could not be sent: the loft is clos"):
        notify(replace(message, recipient=CLOSED), settings)


@pytest.mark.slow
def test_a_sample_of_it_is_shown(es: Elasticsearch, names: Names, settings: Settings) -> None:
    press = Press(es, names)
    press.publish(a_story(1))
    shown = sample(es, names, settings, a_search("ice", "glacier", LOFT), [a_story(1)], NOW)
    assert a_story(1).title in shown
    assert "<h2" not in shown, "plain, and not as the e-mail"
