"""Enqueues corrections and retractions of mailed articles for the recipients of those mails, in the same thread."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

from delivery.fanout import Fanout
from delivery.outbox import EnqueueReport, Outbox
from newswatch.alert import Passage
from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.problems import Bulkhead
from store.article_documents import from_document
from store.elastic.client import Client
from store.elastic.documents import readable
from store.elastic.reading import every
from store.names import Names
from transforms.versions import NoticeKind, notice


@dataclass(frozen=True, slots=True)
class Announcement:
    """An outlet's announcement that it corrected or retracted its article."""

    kind: Literal["correction", "retraction"]
    line: str
    """The line that announces it."""

    @property
    def key(self) -> str:
        """Eight hexadecimal digits, which stay the same while the announcement does."""
        return hashlib.sha256(" ".join(self.line.split()).encode()).hexdigest()[:8]


def announced(article: Article) -> Announcement | None:
    """The article's announcement that it was corrected, clarified or retracted; None if there is none. Pure."""
    kind = notice(article.title, article.text)
    if kind is None:
        return None
    # Take the last announcement: the title or lead often only says "Corrected", while the note below the text says what
    # was wrong. An outlet that corrects itself again adds to the end.
    lines = (*article.text.split("\n")[::-1], article.title)
    line = next((line for line in lines if notice(line, "") is kind), article.title)
    return Announcement("retraction" if kind is NoticeKind.RETRACTION else "correction", line)


def enqueue_corrections(
    es: Client, names: Names, batch: Batch, now: datetime, *, bulkhead: Bulkhead | None = None
) -> EnqueueReport:
    """Enqueue the corrections in `batch` of articles that were mailed, once for each announcement.

    An article or delivery for which no correction can be made goes into quarantine.

    Raises:
        StoreError: Elasticsearch did not accept all; enqueue the batch's corrections again.
    """
    walls = bulkhead or Bulkhead("correct")
    corrected = {article.id: (article, announcement) for article, announcement in _corrected(es, names, batch, walls)}
    if not corrected:
        return EnqueueReport()
    outbox = Outbox(es, names)
    outbox.refresh()
    Fanout(es, names).spread_of("article_id", corrected)
    made = (
        walls.attempt("mail", sent.id, partial(correction, sent, told, *corrected[sent.article_id], now))
        for sent, told in outbox.of_articles(list(corrected))
    )
    stories = {article_id: article.story_id for article_id, (article, _) in corrected.items()}
    return outbox.add(_once_each(outbox, filter(None, made), stories), bulkhead=walls)


def _once_each(outbox: Outbox, made: Iterable[Delivery], stories: Mapping[str, str]) -> Iterator[Delivery]:
    of_article: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for one in made:
        of_article[one.alert_id, one.article_id].append(one)
    known = {stored.id for stored in outbox.get(one.id for some in of_article.values() for one in some)}
    for (_, article_id), some in of_article.items():
        yield once(some, stories[article_id], known)


def once(made: Sequence[Delivery], story_id: str, known: Collection[str]) -> Delivery:
    """Of the corrections of one article for one saved search, the one to enqueue.

    There are several if its story was joined with another, where what was mailed is noted, too. If one is `known` in
    the outbox it stays that one; else it is on the article's story. Pure.
    """
    chosen = min(made, key=lambda one: (one.id not in known, one.story_id != story_id, one.id))
    return replace(chosen, recipients=tuple(dict.fromkeys(who for one in (chosen, *made) for who in one.recipients)))


def _corrected(es: Client, names: Names, batch: Batch, walls: Bulkhead) -> Iterable[tuple[Article, Announcement]]:
    """The articles of the batch in a later version, with their announcements."""
    numbers = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    later = {"range": {"version": {"gte": 2}}}
    query = {"bool": {"filter": [numbers, later]}}
    if not es.indices.exists_alias(name=names.alias):
        return
    es.indices.refresh(index=names.articles)
    for _, article in readable(every(es, names.articles, query, size=200), _versioned):
        announcement = walls.attempt("article", article.id, partial(_announced_by_edit, article))
        if announcement:
            yield article, announcement


def _announced_by_edit(article: Article) -> Announcement | None:
    """The article's announcement, if the article was edited."""
    return announced(article) if was_edited(article) else None


def _versioned(article_id: str, document: Mapping[str, Any]) -> Article:
    article = from_document(article_id, document)
    if not article.versions:
        raise ValueError(f"versions: empty, although it is version {article.version}")
    return article


def was_edited(article: Article) -> bool:
    """Whether the last fetch brought the last version. Otherwise only its page was read, which is not an edit. Pure."""
    return article.versions[-1].seen_at >= article.provenance.fetched_at


def correction(
    sent: Delivery, told: Iterable[Outcome], article: Article, announcement: Announcement, now: datetime
) -> Delivery | None:
    """The delivery that corrects `sent`, for those whom a mail told of it without this announcement; None if it was in
    all of their mails. Pure."""
    readers = [outcome.recipient for outcome in told if outcome.notice != announcement.key]
    if not readers:
        return None
    return Delivery(
        alert_id=sent.alert_id,
        alert_name=sent.alert_name,
        story_id=sent.story_id,
        article_id=article.id,
        recipients=tuple(readers),
        state=DeliveryState.PENDING,
        created_at=now,
        passages=(Passage("text", announcement.line, ()),),
        not_before=now,
        kind=announcement.kind,
        version=int(announcement.key, 16),
        notice=announcement.key,
        published=article.published,
        fetched_at=article.provenance.fetched_at,
    )
