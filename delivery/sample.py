"""Renders a sample of a saved search's mail. Nothing is enqueued, and the links in the sample do nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr

from alerts import schedule
from alerts.highlight import highlights
from alerts.query import to_query
from delivery.channels.registry import channel_of
from delivery.compose import Mail, MailItem
from delivery.links import Links
from delivery.message import MessageKind
from delivery.story_views import MailStory, with_facts
from delivery.writing import message_of
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from search.story_view import StoryFacts, story_facts
from store.elastic.client import Client
from store.names import Names


def sample(
    es: Client, names: Names, settings: Settings, search: SavedSearch, articles: Sequence[Article], now: datetime
) -> str:
    """The mail, as HTML, to the first recipient of `search` with these articles (at least one), each its own story."""
    query = to_query(search)
    passages = highlights(es, names, ((search.id, query, a.language, a.id) for a in articles))
    facts = story_facts(es, names.articles, [a.story_id or a.id for a in articles], lacking=[])
    stories = []
    for article in articles:
        story_id = article.story_id or article.id
        delivery = Delivery(
            alert_id=search.id,
            alert_name=search.name,
            story_id=story_id,
            article_id=article.id,
            recipients=search.recipients,
            state=DeliveryState.PENDING,
            created_at=now,
            passages=passages.get((search.id, article.id), ()),
            schedule=search.schedule,
        )
        item = MailItem(story_id, (delivery,))
        stories.append(with_facts(MailStory(item, article, 1), facts.get(story_id, StoryFacts())))
    digest = schedule.parse(search.schedule).digest
    kind: MessageKind = "digest" if digest else "story" if len(stories) == 1 else "group"
    mail = Mail(next(iter(search.recipients), "nobody@localhost"), kind, tuple(s.item for s in stories), "sample")
    # Signed with a throw-away key, so that the links of a sample do nothing.
    unsigned = Links(settings.model_copy(update={"secret_key": SecretStr(secrets.token_hex())}))
    topics = names.shown_topics()
    return channel_of(mail.recipient).preview(
        message_of(mail, stories, settings, unsigned, topics, now=now, languages=search.languages), settings
    )
