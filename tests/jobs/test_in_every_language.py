"""One event that outlets of several languages report: one story, one mail, from the batch to the mailbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from jobs.deliver import deliver
from jobs.match import match
from newswatch.article import Article
from store.batches import BatchStore
from tests.factories import a_source, an_article
from tests.jobs.conftest import World
from tests.languages_of_one_event import FERRY
from transforms.encoder import Encoder
from transforms.meaning import with_meaning

pytestmark = pytest.mark.slow


def article(language: str, minutes: int, world: World) -> Article:
    title, text = FERRY[language]
    outlet = f"{language}-herald"
    when = world.now - timedelta(hours=1) + timedelta(minutes=minutes)
    return an_article(
        f"https://{outlet}.example/ferry",
        title=title,
        text=text,
        summary="",
        language=language,
        source=a_source(feed_id=outlet, name=f"The {language} Herald", domain=f"{outlet}.example", owner=outlet),
        entities=(),
        published=when,
        first_seen=when,
    )


def bring(world: World, encoder: Encoder, *articles: Article) -> None:
    """Index the articles as a batch, match it, and send what is due a minute later."""
    batches = BatchStore(world.context.es, world.context.names)
    batch = batches.begin(batches.open([], now=world.now, lease_s=600).number)
    encoded = [with_meaning(one, encoder) for one in articles]
    world.articles().write(encoded, batch, batch.seq_of_attempt, now=world.now)
    batches.mark_indexed(batch.number, counts={}, now=world.now)
    match(world.context)
    world.wait(minutes=2)
    deliver(world.context)


def test_one_event_in_four_languages_is_one_mail(world: World, encoder: Encoder) -> None:
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"vectors": True}))
    bring(world, encoder, article("en", 0, world), article("fr", 5, world), article("ru", 9, world))
    (mail,) = world.mailbox.mails
    body = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    assert body is not None
    told = " ".join(body.get_content().split())
    assert "3 independent sources in English, French and Russian" in told
    assert f"{FERRY['fr'][0]}" in told
    assert "The ru Herald, in Russian" in told
    bring(world, encoder, article("zh", 30, world))
    assert len(world.mailbox.mails) == 1
