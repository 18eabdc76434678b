"""Applies readers' feedback on mails: unsubscribe, mute, enough of this story, relevant, not relevant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

from delivery.confirmed import confirm_mail
from delivery.links import Action, Link
from delivery.mailbox import Mailbox, Mailboxes
from store.articles import ArticleStore
from store.audit import AuditLog, Deed, pseudonym
from store.elastic.client import Client
from store.elastic.documents import dump, load, values
from store.elastic.reading import every
from store.names import Names

MUTE = timedelta(days=7)
_REMEMBERED = timedelta(days=90)
"""How long a story stays acknowledged; by then nobody reports on it any more."""
_Z = 1.96
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Label:
    """A reader's verdict on a mail."""

    alert_id: str
    story_id: str
    article_id: str
    recipient: str
    relevant: bool
    at: datetime
    tags: tuple[str, ...] = ()
    """Topics of the article when it was labelled; none if it is gone, or the label is older than this field."""


WILL: Mapping[Action, str] = {
    "unsubscribe": "Stop these mails",
    "subscribe": "Get these mails again",
    "relevant": "Say that it was relevant",
    "not-relevant": "Say that it was not relevant",
    "mute": "Mute for a week",
    "unmute": "End the mute",
    "ack": "No more mails on this story",
    "confirm": "Get mails here",
}
"""The label of each link's button."""
DONE: Mapping[Action, str] = {
    "unsubscribe": "You get no more of these mails.",
    "subscribe": "You get these mails again.",
    "relevant": "Noted: relevant.",
    "not-relevant": "Noted: not relevant.",
    "mute": "Muted for a week. What comes meanwhile is not mailed later either.",
    "unmute": "The mute has ended.",
    "ack": "No more mails on this story, save corrections.",
    "confirm": "Your address is confirmed. Each mail has a link that stops them.",
}
UNDO: Mapping[Action, Action] = {
    "unsubscribe": "subscribe",
    "subscribe": "unsubscribe",
    "mute": "unmute",
    "relevant": "not-relevant",
    "not-relevant": "relevant",
}


def apply_link(es: Client, names: Names, link: Link, now: datetime, *, by: str = "") -> None:
    """Perform the link's action, for its recipient or by a user (`by`) in his place. Idempotent.

    Raises:
        StoreError: the mailbox was changed by others on every try, or that can't be recorded in the audit log.
    """
    reader = pseudonym(link.recipient)
    details = f"saved searches {link.saved_search_ids}" + (f" for {reader}" if by else "")
    deed = Deed(by or reader, f"mails: {link.action}", link.story_id or link.saved_search_ids, details=details)

    def work() -> bool:
        _apply(es, names, link, now)
        return True

    AuditLog(es, names).change(deed, work, now=now)


def _apply(es: Client, names: Names, link: Link, now: datetime) -> None:
    if link.action in ("relevant", "not-relevant"):
        for label in labels(link, now, _tags(es, names, link.article_id)):
            es.index(index=names.labels, id=_label_id(label), document=dump(label), refresh=True)
        return
    if link.action == "confirm":
        confirm_mail(es, names, link.recipient, now)
        return
    # The story, and the one that it was joined with.
    known = ArticleStore(es, names).stories_now([link.story_id]) if link.action == "ack" else {}
    stories = {*known, *known.values()}
    Mailboxes(es, names).change(link.recipient, _change(link, now, stories))


def _tags(es: Client, names: Names, article_id: str) -> tuple[str, ...]:
    article = ArticleStore(es, names).get([article_id]).get(article_id) if article_id else None
    return tuple(tag.tag for tag in article.tags) if article else ()


def labels(link: Link, now: datetime, tags: tuple[str, ...] = ()) -> list[Label]:
    """One label for each saved search of the mail. Pure."""
    relevant = link.action == "relevant"
    return [
        Label(saved_search_id, link.story_id, link.article_id, link.recipient, relevant, now, tags)
        for saved_search_id in link.saved_search_ids.split(",")
    ]


def _label_id(label: Label) -> str:
    return hashlib.sha256(f"{label.alert_id}~{label.story_id}~{label.recipient}".encode()).hexdigest()[:32]


def _change(link: Link, now: datetime, stories: Collection[str]) -> Callable[[Mailbox], Mailbox]:
    """The change to the mailbox that a link requests; one that acknowledges is about `stories`. Pure."""
    ids = link.saved_search_ids.split(",")

    def changed(box: Mailbox) -> Mailbox:
        match link.action:
            case "unsubscribe":
                return replace(box, unsubscribed=tuple(dict.fromkeys((*box.unsubscribed, *ids))))
            case "subscribe":
                return replace(box, unsubscribed=tuple(i for i in box.unsubscribed if i not in ids))
            case "mute":
                return replace(box, muted={**box.muted, **dict.fromkeys(ids, now + MUTE)})
            case "unmute":
                return replace(box, muted={i: until for i, until in box.muted.items() if i not in ids})
            case _:
                recent = {story: when for story, when in box.acknowledged.items() if when > now - _REMEMBERED}
                return replace(box, acknowledged=recent | dict.fromkeys(stories, now))

    return changed


@dataclass(frozen=True, slots=True)
class Quality:
    """How many of the labelled mails of a saved search were relevant."""

    alert_id: str
    relevant: int
    labelled: int

    @property
    def precision(self) -> float:
        """The share of relevant mails among the labelled ones, in [0, 1]; 0 if none is labelled."""
        return self.relevant / self.labelled if self.labelled else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the precision: Wilson's score interval, which also holds for few labels."""
        n, p = self.labelled, self.precision
        if not n:
            return 0.0, 1.0
        middle, spread = p + _Z**2 / (2 * n), _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
        return (middle - spread) / (1 + _Z**2 / n), (middle + spread) / (1 + _Z**2 / n)


def quality(es: Client, names: Names, saved_search_ids: Iterable[str]) -> list[Quality]:
    """The quality of each saved search, from the labels of its mails."""
    es.indices.refresh(index=names.labels)
    filters = {search_id: {"term": {"alert_id": search_id}} for search_id in saved_search_ids}
    if not filters:
        return []
    relevant = {"filter": {"term": {"relevant": True}}}
    aggs = {"alerts": {"filters": {"filters": filters}, "aggs": {"relevant": relevant}}}
    buckets = es.search(index=names.labels, size=0, aggs=aggs)["aggregations"]["alerts"]["buckets"]
    return [Quality(name, buckets[name]["relevant"]["doc_count"], buckets[name]["doc_count"]) for name in filters]


def labelled(es: Client, names: Names, saved_search_id: str, story_ids: Collection[str]) -> Quality:
    """The quality that `saved_search_id` would have with mails on these stories, from the labels of all searches."""
    es.indices.refresh(index=names.labels)
    verdicts: list[bool] = []
    ids = sorted(story_ids)
    for start in range(0, len(ids), _PAGE):
        about = {"terms": {"story_id": ids[start : start + _PAGE]}}
        verdicts += values(every(es, names.labels, about), _is_relevant)
    return Quality(saved_search_id, sum(verdicts), len(verdicts))


def _is_relevant(_id: str, document: Mapping[str, Any]) -> bool:
    return load(Label, {"story_id": "", "article_id": ""} | dict(document)).relevant
