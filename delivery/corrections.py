"""Corrections and retractions of articles that were mailed: owed to those who got them, in the same thread."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from delivery.outbox import EnqueueReport, Outbox
from newswatch.alert import Passage
from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.delivery import Delivery, DeliveryState
from newswatch.problems import Bulkhead
from store.client import Client
from store.documents import from_document, readable
from store.names import Names
from store.reading import every
from transforms.versions import NoticeKind, notice


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an outlet announces about its article."""

    kind: Literal["correction", "retraction"]
    line: str
    """The line that announces it."""

    @property
    def key(self) -> str:
        """Eight hex digits: the same for as long as the announcement is."""
        return hashlib.sha256(" ".join(self.line.split()).encode()).hexdigest()[:8]


def announced(article: Article) -> Announcement | None:
    """What the article says of itself, if it says that it was corrected, clarified or retracted. Pure."""
    kind = notice(article.title, article.text)
    if kind is None:
        return None
    # The last one: what was wrong stands below the text, where the title or the lead say no more than "Corrected"; and
    # an outlet that corrects itself again adds to the end.
    lines = (*article.text.split("\n")[::-1], article.title)
    line = next((line for line in lines if notice(line, "") is kind), article.title)
    return Announcement("retraction" if kind is NoticeKind.RETRACTION else "correction", line)


def enqueue_corrections(
    es: Client, names: Names, batch: Batch, now: datetime, *, bulkhead: Bulkhead | None = None
) -> EnqueueReport:
    """Owe every correction in `batch` of an article that was mailed, once for each announcement.

    An article or a delivery of which none can be made is set aside.

    Raises:
        StoreError: Elasticsearch can't take them all; owe the batch's corrections again.
    """
    walls = bulkhead or Bulkhead("correct")
    told = {article.id: (article, announcement) for article, announcement in _corrected(es, names, batch, walls)}
    if not told:
        return EnqueueReport()
    outbox = Outbox(es, names)
    outbox.refresh()
    made = (
        walls.attempt("mail", sent.id, partial(correction, sent, *told[sent.article_id], now))
        for sent in outbox.of_articles(list(told))
    )
    return outbox.add((delivery for delivery in made if delivery is not None), bulkhead=walls)


def _corrected(es: Client, names: Names, batch: Batch, walls: Bulkhead) -> Iterable[tuple[Article, Announcement]]:
    """The articles of the batch that are a later version and announce something."""
    numbers = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    later = {"range": {"version": {"gte": 2}}}
    query = {"bool": {"filter": [numbers, later]}}
    if not es.indices.exists_alias(name=names.articles):
        return
    es.indices.refresh(index=names.articles)
    for _, article in readable(every(es, names.articles, query, size=200), _versioned):
        if told := walls.attempt("article", article.id, partial(_announcing, article)):
            yield article, told


def _announcing(article: Article) -> Announcement | None:
    """What the article announces, if it was edited."""
    return announced(article) if was_edited(article) else None


def _versioned(article_id: str, document: Mapping[str, Any]) -> Article:
    article = from_document(article_id, document)
    if not article.versions:
        raise ValueError(f"versions: there are none, though it is version {article.version}")
    return article


def was_edited(article: Article) -> bool:
    """Whether its last reading brought its last version; else its page was read at last, which is no edit. Pure."""
    return article.versions[-1].seen_at >= article.provenance.fetched_at


def correction(sent: Delivery, article: Article, told: Announcement, now: datetime) -> Delivery | None:
    """The delivery that corrects `sent`, for those who got it; None if they got it with this announcement. Pure."""
    readers: Sequence[str] = [o.recipient for o in sent.outcomes if o.state is DeliveryState.SENT]
    if not readers or sent.notice == told.key:
        return None
    return Delivery(
        alert_id=sent.alert_id,
        alert_name=sent.alert_name,
        story_id=sent.story_id,
        article_id=article.id,
        recipients=tuple(readers),
        state=DeliveryState.PENDING,
        created_at=now,
        passages=(Passage("text", told.line, ()),),
        not_before=now,
        kind=told.kind,
        version=int(told.key, 16),
        notice=told.key,
        published=article.published,
        fetched_at=article.provenance.fetched_at,
    )
