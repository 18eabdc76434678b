"""Which mails a recipient gets of what is owed to them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from alerts import schedule
from delivery.mailbox import Mailbox
from delivery.message import MessageKind
from delivery.outbox import KINDS, Sent, mute_rule, outcome_for
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery

STORIES_PER_MAIL: Final = 500
"""More stories than that are told by several mails: no server takes one of 10,000."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_REPLIES = 3
"""More replies at once than these go as one mail: a server that was down must not flood anybody."""


@dataclass(frozen=True, slots=True)
class MailItem:
    """One story in a mail, with every saved search of the recipient that it matches."""

    story_id: str
    deliveries: tuple[Delivery, ...]

    @property
    def kind(self) -> str:
        """What is told of it: the gravest of its deliveries."""
        return min((d.kind for d in self.deliveries), key=KINDS.index)

    @property
    def article_id(self) -> str:
        """The article that tells the story: the first there was, or the newest where only later ones are told."""
        told = [d.article_id for d in self.deliveries if d.kind == self.kind]
        return told[0] if self.kind == "story" else told[-1]

    @property
    def other_article_ids(self) -> tuple[str, ...]:
        """The other articles on the story that are told with it."""
        others = (d.article_id for d in self.deliveries if d.article_id != self.article_id)
        return tuple(dict.fromkeys(others))


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient, by whichever channel, before it is written."""

    recipient: str
    kind: MessageKind
    items: tuple[MailItem, ...]
    key: str
    """The idempotency key: the same whenever the mail is made again."""
    reference: str = ""
    """What the channel called it when it was begun before."""
    thread: tuple[str, ...] = ()
    """References of the mails on the story, oldest first; the last is replied to."""
    thread_subject: str = ""
    """What the thread's first mail was called."""
    again: bool = False
    """Begun before, so that it may have been taken: it stays this mail until the channel has said yes or no."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """All that this mail settles."""
        return tuple(d for item in self.items for d in item.deliveries)


@dataclass(frozen=True, slots=True)
class MailPlan:
    """What to do for one recipient now."""

    mails: tuple[Mail, ...] = ()
    suppressed: Mapping[str, str] = field(default_factory=dict)
    """Delivery id → the rule that keeps it from being sent."""
    later: datetime | None = None
    """When the first of what is held back becomes due."""


def plan(
    box: Mailbox,
    owed: Sequence[Delivery],
    told: Mapping[str, Sequence[Sent]],
    searches: Mapping[str, SavedSearch],
    *,
    now: datetime,
    group: timedelta,
    threads: bool = True,
) -> MailPlan:
    """The mails for `box` out of everything that waits for it, due or not.

    Due stories make one mail; whatever else is owed of the same story goes with it, so that a recipient gets one mail
    on a story with every saved search named. Stories told before are replies in their thread, if the channel has
    `threads`; else they come as any others. A mail that was begun (its deliveries carry its key) is made as it was.
    """
    suppressed = {d.id: rule for d in owed if (rule := _rule(box, d, searches, now))}
    open_ = [d for d in owed if d.id not in suppressed]
    if box.retry_at and box.retry_at > now:
        return MailPlan((), suppressed, box.retry_at)
    begun, fresh = _begun(box.address, open_)
    threaded = told if threads else {}
    due, later = _due(box, fresh, searches, now, group)
    stories = {d.story_id for d in due}
    with_them = [d for d in fresh if d.story_id in stories]
    mails = [*_resent(box.address, begun, threaded), *_mails(box.address, with_them, threaded)]
    return MailPlan(tuple(mails), suppressed, min(later, default=None))


def _rule(box: Mailbox, delivery: Delivery, searches: Mapping[str, SavedSearch], now: datetime) -> str | None:
    """Why a delivery must not be sent."""
    if delivery.alert_id in box.unsubscribed or "*" in box.unsubscribed:
        return "the recipient has unsubscribed"
    muted = box.muted.get(delivery.alert_id)
    if muted and muted > now:
        return f"muted by the recipient until {muted:%Y-%m-%d %H:%M} UTC"
    if delivery.story_id in box.acknowledged and delivery.kind in ("story", "update"):
        return "the recipient has acknowledged the story"
    search = searches.get(delivery.alert_id)
    return mute_rule(search, now) if search else None


def _begun(recipient: str, owed: Sequence[Delivery]) -> tuple[dict[str, list[Delivery]], list[Delivery]]:
    """Key → the deliveries of a mail that may or may not have gone out; and all the others."""
    begun: dict[str, list[Delivery]] = {}
    fresh = []
    for delivery in owed:
        key = outcome_for(delivery, recipient).key
        if key:
            begun.setdefault(key, []).append(delivery)
        else:
            fresh.append(delivery)
    return begun, fresh


def _due(
    box: Mailbox, owed: Sequence[Delivery], searches: Mapping[str, SavedSearch], now: datetime, group: timedelta
) -> tuple[list[Delivery], list[datetime]]:
    """What is to be sent now, and when the rest will be."""
    due, later = [], []
    for delivery in owed:
        moment = _due_at(box, delivery, searches, now, group)
        if moment <= now:
            due.append(delivery)
        else:
            later.append(moment)
    return due, later


def _due_at(
    box: Mailbox, delivery: Delivery, searches: Mapping[str, SavedSearch], now: datetime, group: timedelta
) -> datetime:
    digest = schedule.parse(delivery.schedule).digest
    start = delivery.not_before or delivery.created_at
    # An instant mail waits for nothing: a start in the future is of a clock that went back since.
    moments = [start if digest else min(start, now), throttled_until(box, delivery.alert_id, searches)]
    if box.last_sent_at and not digest:
        moments.append(box.last_sent_at + group)
    return max(moments)


def throttled_until(box: Mailbox, alert_id: str, searches: Mapping[str, SavedSearch]) -> datetime:
    """Before when a saved search mails the recipient nothing more; long ago if it is not throttled. Pure."""
    search, last = searches.get(alert_id), box.last_by_alert.get(alert_id)
    if not (search and search.throttle_s and last):
        return _LONG_AGO
    try:
        return last + timedelta(seconds=search.throttle_s)
    except OverflowError:
        return _NEVER


def try_out(
    box: Mailbox, delivery: Delivery, searches: Mapping[str, SavedSearch], *, now: datetime, group: timedelta
) -> Delivery:
    """The delivery, if it can be planned at all: one that a user has edited to nonsense raises here. Pure."""
    _rule(box, delivery, searches, now)
    schedule.parse(delivery.schedule)
    _due_at(box, delivery, searches, now, group) <= now  # noqa: B015 - a time without a zone can't be compared
    return delivery


def _mails(recipient: str, deliveries: Sequence[Delivery], told: Mapping[str, Sequence[Sent]]) -> list[Mail]:
    items = _items(deliveries)
    replies = [item for item in items if told.get(item.story_id)]
    if len(replies) > _REPLIES:
        replies = []
    fresh = [item for item in items if item not in replies]
    instant = [item for item in fresh if not _is_digest(item)]
    digest = [item for item in fresh if _is_digest(item)]
    mails = [_mail(recipient, "reply", [item], told) for item in replies]
    for kind, part in (*_parted("group", instant), *_parted("digest", digest)):
        alone = kind == "group" and len(part) == 1
        mails += [_mail(recipient, "story" if alone else kind, part, told)]
    return mails


def _parted(kind: MessageKind, items: Sequence[MailItem]) -> list[tuple[MessageKind, Sequence[MailItem]]]:
    return [(kind, items[at : at + STORIES_PER_MAIL]) for at in range(0, len(items), STORIES_PER_MAIL)]


def _items(deliveries: Sequence[Delivery]) -> list[MailItem]:
    """One item for each story, in the order in which the stories came."""
    stories: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        stories.setdefault(delivery.story_id, []).append(delivery)
    return [MailItem(story_id, tuple(found)) for story_id, found in stories.items()]


def _is_digest(item: MailItem) -> bool:
    """A story of which nothing is instant."""
    return all(schedule.parse(d.schedule).digest for d in item.deliveries)


def _mail(recipient: str, kind: MessageKind, items: Sequence[MailItem], told: Mapping[str, Sequence[Sent]]) -> Mail:
    ids = sorted(d.id for item in items for d in item.deliveries)
    key = hashlib.sha256("\n".join((recipient, *ids)).encode()).hexdigest()[:32]
    return _threaded(Mail(recipient, kind, tuple(items), key), told)


def _resent(recipient: str, begun: Mapping[str, Sequence[Delivery]], told: Mapping[str, Sequence[Sent]]) -> list[Mail]:
    mails = []
    for key, deliveries in begun.items():
        items = _items(deliveries)
        kind: MessageKind = "digest" if all(_is_digest(item) for item in items) else "group"
        if len(items) == 1 and kind == "group":
            kind = "reply" if told.get(items[0].story_id) else "story"
        reference = outcome_for(deliveries[0], recipient).reference
        mails.append(_threaded(Mail(recipient, kind, tuple(items), key, reference, again=True), told))
    return mails


def _threaded(mail: Mail, told: Mapping[str, Sequence[Sent]]) -> Mail:
    """A reply with the mails it replies to; any other mail as it is."""
    thread = [sent for sent in told.get(mail.items[0].story_id, ()) if sent.reference]
    if mail.kind != "reply" or not thread:
        return mail
    return replace(mail, thread=tuple(sent.reference for sent in thread), thread_subject=thread[0].subject)
