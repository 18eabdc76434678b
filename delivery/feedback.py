"""What readers answer to a mail: stop, mute, enough of this story, relevant, not relevant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

from delivery.links import Action, Link
from delivery.mailbox import Mailbox, Mailboxes
from store.client import Client
from store.documents import dump, load, values
from store.names import Names
from store.reading import every

MUTE = timedelta(days=7)
_REMEMBERED = timedelta(days=90)
"""How long a story stays acknowledged: after that nobody writes about it any more."""
_Z = 1.96
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Label:
    """What a reader said of a mail."""

    alert_id: str
    story_id: str
    article_id: str
    recipient: str
    relevant: bool
    at: datetime


WILL: Mapping[Action, str] = {
    "unsubscribe": "Stop these mails",
    "subscribe": "Get these mails again",
    "relevant": "Say that it was relevant",
    "not-relevant": "Say that it was not relevant",
    "mute": "Mute for a week",
    "unmute": "End the mute",
    "ack": "No more mails on this story",
}
"""What the button of each link says."""
DONE: Mapping[Action, str] = {
    "unsubscribe": "You get no more of these mails.",
    "subscribe": "You get these mails again.",
    "relevant": "Noted: relevant.",
    "not-relevant": "Noted: not relevant.",
    "mute": "Muted for a week. What comes meanwhile is not mailed later either.",
    "unmute": "The mute has ended.",
    "ack": "No more mails on this story, save corrections.",
}
UNDO: Mapping[Action, Action] = {
    "unsubscribe": "subscribe",
    "subscribe": "unsubscribe",
    "mute": "unmute",
    "relevant": "not-relevant",
    "not-relevant": "relevant",
}


def apply_link(es: Client, names: Names, link: Link, now: datetime) -> None:
    """Do what the link says; doing it twice is doing it once.

    Raises:
        StoreError: the mailbox keeps being changed by others.
    """
    if link.action in ("relevant", "not-relevant"):
        for label in labels(link, now):
            es.index(index=names.labels, id=_label_id(label), document=dump(label), refresh=True)
        return
    Mailboxes(es, names).change(link.recipient, _change(link, now))


def labels(link: Link, now: datetime) -> list[Label]:
    """One label for each saved search that the mail answered. Pure."""
    relevant = link.action == "relevant"
    return [Label(a, link.story_id, link.article_id, link.recipient, relevant, now) for a in link.alert_id.split(",")]


def _label_id(label: Label) -> str:
    return hashlib.sha256(f"{label.alert_id}~{label.story_id}~{label.recipient}".encode()).hexdigest()[:32]


def _change(link: Link, now: datetime) -> Callable[[Mailbox], Mailbox]:
    """The change to the mailbox that a link asks for. Pure."""
    alerts = link.alert_id.split(",")

    def changed(box: Mailbox) -> Mailbox:
        match link.action:
            case "unsubscribe":
                return replace(box, unsubscribed=tuple(dict.fromkeys((*box.unsubscribed, *alerts))))
            case "subscribe":
                return replace(box, unsubscribed=tuple(a for a in box.unsubscribed if a not in alerts))
            case "mute":
                return replace(box, muted={**box.muted, **dict.fromkeys(alerts, now + MUTE)})
            case "unmute":
                return replace(box, muted={a: until for a, until in box.muted.items() if a not in alerts})
            case _:
                recent = {s: at for s, at in box.acknowledged.items() if at > now - _REMEMBERED}
                return replace(box, acknowledged={**recent, link.story_id: now})

    return changed


@dataclass(frozen=True, slots=True)
class Quality:
    """How many of the labelled mails of a saved search were relevant."""

    alert_id: str
    relevant: int
    labelled: int

    @property
    def precision(self) -> float:
        """Share of the labelled that were relevant."""
        return self.relevant / self.labelled if self.labelled else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the precision by Wilson's score, which holds for few labels too."""
        n, p = self.labelled, self.precision
        if not n:
            return 0.0, 1.0
        middle, spread = p + _Z**2 / (2 * n), _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
        return (middle - spread) / (1 + _Z**2 / n), (middle + spread) / (1 + _Z**2 / n)


def quality(es: Client, names: Names, alert_ids: Iterable[str]) -> list[Quality]:
    """The quality of each saved search, by what readers said of its mails."""
    es.indices.refresh(index=names.labels)
    filters = {alert_id: {"term": {"alert_id": alert_id}} for alert_id in alert_ids}
    if not filters:
        return []
    relevant = {"filter": {"term": {"relevant": True}}}
    aggs = {"alerts": {"filters": {"filters": filters}, "aggs": {"relevant": relevant}}}
    buckets = es.search(index=names.labels, size=0, aggs=aggs)["aggregations"]["alerts"]["buckets"]
    return [Quality(name, buckets[name]["relevant"]["doc_count"], buckets[name]["doc_count"]) for name in filters]


def labelled(es: Client, names: Names, alert_id: str, story_ids: Collection[str]) -> Quality:
    """What readers said of mails on these stories, whichever search sent them; as the quality of `alert_id`."""
    es.indices.refresh(index=names.labels)
    said: list[bool] = []
    ids = sorted(story_ids)
    for at in range(0, len(ids), _PAGE):
        about = {"terms": {"story_id": ids[at : at + _PAGE]}}
        said += values(every(es, names.labels, about), _is_relevant)
    return Quality(alert_id, sum(said), len(said))


def _is_relevant(_id: str, document: Mapping[str, Any]) -> bool:
    return load(Label, {"story_id": "", "article_id": ""} | dict(document)).relevant
