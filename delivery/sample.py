"""The mail that a saved search would send on some articles, as a sample: it owes nothing, its links do nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr

from alerts import schedule
from alerts.highlight import highlights
from alerts.query import to_query
from delivery.compose import Item, Mail, MailKind
from delivery.links import Links
from delivery.mail import Story, render
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from search.story_view import independent_sources
from store.client import Client
from store.names import Names


def sample(
    es: Client, names: Names, settings: Settings, search: SavedSearch, articles: Sequence[Article], now: datetime
) -> str:
    """The HTML of the mail to the first recipient of `search` on these articles (one at least), each its own story."""
    asked = to_query(search)
    passages = highlights(es, names, ((search.id, asked, a.language, a.id) for a in articles))
    counts = independent_sources(es, names.articles, [a.story_id or a.id for a in articles])
    stories = []
    for article in articles:
        story_id = article.story_id or article.id
        owed = Delivery(
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
        stories.append(Story(Item(story_id, (owed,)), article, counts.get(story_id, 1)))
    digest = schedule.parse(search.schedule).digest
    kind: MailKind = "digest" if digest else "story" if len(stories) == 1 else "group"
    mail = Mail(search.recipients[0], kind, tuple(s.item for s in stories), "<sample@localhost>")
    # Signed with a key that nobody keeps: the links of a sample do nothing.
    unsigned = Links(settings.model_copy(update={"secret_key": SecretStr(secrets.token_hex())}))
    part = render(mail, stories, settings, unsigned, names.shown_topics(), now=now).get_body(("html",))
    return str(part.get_content()) if part else ""
