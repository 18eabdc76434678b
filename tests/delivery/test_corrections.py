"""Corrections of what was mailed: to those who got it, in the thread, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from elasticsearch import Elasticsearch

from alerts.match import match_batch
from delivery.corrections import Announcement, announced, enqueue_corrections, once
from delivery.deliver import deliver
from delivery.outbox import EnqueueReport, Outbox
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

ANN, BOB = "ann@reader.example", "bob@reader.example"
HOUR = timedelta(hours=1)
NOTE = "Correction: an earlier version of this article gave a wrong year."


def fetched(article: Article, at: datetime) -> Article:
    return replace(article, first_seen=at, provenance=replace(article.provenance, fetched_at=at))


def test_announcements() -> None:
    plain = a_story(1)
    assert announced(plain) is None
    assert announced(replace(plain, text=f"{plain.text}\n{NOTE}")) == Announcement("correction", NOTE)
    assert announced(replace(plain, title="Retraction: the plan")) == Announcement("retraction", "Retraction: the plan")
    lead = "Corrected: the Alliance meets on Wednesday."
    assert announced(replace(plain, text=f"{lead}\n{plain.text}\n{NOTE}")) == Announcement("correction", NOTE), (
        "it says what"
    )
    assert Announcement("correction", NOTE).key == Announcement("correction", f" {NOTE.replace(' ', '  ')}").key


def test_an_article_whose_story_was_joined_with_another_is_corrected_once() -> None:
    old = Delivery("nato", "NATO", "old", "a", ("ann",), DeliveryState.PENDING, NOW, kind="correction", version=7)
    new = replace(old, story_id="new", recipients=("ann", "bob"))
    assert once([old, new], "new", ()) == new
    assert once([old, new], "new", {old.id}) == replace(old, recipients=("ann", "bob")), "it was enqueued before"


@pytest.mark.slow
def test_correction_goes_to_those_who_got_it(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press, outbox = Press(es, names), Outbox(es, names)
    office.on_recipient = lambda recipient, _: "550 unknown" if recipient == BOB else None
    searches = [a_search("ice", "glacier", ANN, BOB), a_search("plan", "plan", ANN)]

    def run(article: Article, hours: int) -> EnqueueReport:
        now = NOW + hours * HOUR
        batch = press.publish(fetched(article, now), now=now)
        outbox.enqueue(match_batch(es, names, batch, searches).matches, searches, now)
        report = enqueue_corrections(es, names, batch, now)
        assert enqueue_corrections(es, names, batch, now).created == 0
        deliver(es, names, posted, now=now)
        return report

    first = a_story(1)
    assert run(first, 0) == EnqueueReport()
    edited = replace(first, text=f"{first.text}\nThe price is not known.")
    assert run(edited, 1) == EnqueueReport(), "an edit that announces nothing is no correction"
    assert len(office.taken) == 1
    corrected = replace(first, text=f"{edited.text}\n{NOTE}")
    assert run(corrected, 2).created == 2
    original, reply = office.messages
    assert reply["To"] == ANN
    assert reply["In-Reply-To"] == original["Message-ID"]
    assert reply["Subject"] == f"Correction: {first.title}"
    text = reply.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "CORRECTION" in text
    assert "  | Correction: an earlier version of this article gave a wrong year." in text.replace("\r\n", "\n")
    assert "  in the text, added: *The price is not known.*" in text.replace("\r\n", "\n"), "since it was mailed"
    assert run(replace(corrected, text=f"{corrected.text}\nMore soon."), 3).created == 0, "told already"
    assert len(office.taken) == 2


@pytest.mark.slow
def test_correction_of_a_story_that_was_mailed_among_others(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press, outbox, searches = Press(es, names), Outbox(es, names), [a_search("all")]
    stories = [a_story(n, text=f"Story {n} was told in the year 2023, they said.") for n in range(1, 4)]
    batch = press.publish(*stories)
    outbox.enqueue(match_batch(es, names, batch, searches).matches, searches, NOW)
    deliver(es, names, posted, now=NOW)
    corrected = replace(
        stories[1], title="A new orchard is agreed", text=f"Story 2 was told in the year 2024, they said.\n{NOTE}"
    )
    enqueue_corrections(es, names, press.publish(fetched(corrected, NOW + HOUR), now=NOW + HOUR), NOW + HOUR)
    deliver(es, names, posted, now=NOW + HOUR)
    group, reply = office.messages
    assert reply["Subject"] == "Correction: A new orchard is agreed"
    assert reply["In-Reply-To"] == reply["References"] == group["Message-ID"]
    text = reply.get_body(("plain",)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
    for line in (
        f"  | {NOTE}",
        "  in the title, before: A new orchard is agreed*, plan 2*",
        "  in the title, now: A new orchard is agreed",
        "  in the text, before: Story 2 was told in the year *2023*, they said.",
        "  in the text, now: Story 2 was told in the year *2024*, they said.",
    ):
        assert line in text.splitlines()


@pytest.mark.slow
def test_article_mailed_with_its_correction_is_not_corrected_again(
    es: Elasticsearch, names: Names, posted: Settings, office: PostOffice
) -> None:
    press, outbox, searches = Press(es, names), Outbox(es, names), [a_search("ice", "glacier")]
    article = a_story(1)
    article = replace(article, text=f"{article.text}\n{NOTE}")
    batch = press.publish(article)
    outbox.enqueue(match_batch(es, names, batch, searches).matches, searches, NOW)
    deliver(es, names, posted, now=NOW)
    later = press.publish(replace(article, text=f"More was said.\n{article.text}"), now=NOW + HOUR)
    assert enqueue_corrections(es, names, later, NOW + HOUR) == EnqueueReport()
