"""Plans which mails a recipient gets for the deliveries in the outbox. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from alerts import schedule
from delivery.kinds import ABOUT_SEARCHES, COVERAGE, EVENTS, KINDS, NOTICES
from delivery.made import mute_rule, outcome_for
from delivery.mailbox import CONFIRM_WITHIN, Mailbox, waits_for_confirmation
from delivery.message import MessageKind
from delivery.outcomes import Sent
from delivery.parting import TELLING
from newswatch.alert import SavedSearch
from newswatch.delivery import Delivery

STORIES_PER_MAIL: Final = 500
"""Maximum stories in a mail; more are split into several mails, because no server accepts a mail with 10,000."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_REPLIES = 3
"""Maximum separate replies at once. More go into one mail, so that nobody is flooded after an outage."""


@dataclass(frozen=True, slots=True)
class MailItem:
    """One story in a mail, with every saved search of the recipient that it matches."""

    story_id: str
    deliveries: tuple[Delivery, ...]
    mailed: Mapping[str, datetime] = field(default_factory=dict)
    """Article → when a mail last told the recipient of it."""
    briefed: datetime | None = None
    """When a briefing last told the recipient of the story; it shows sentences of articles that are not in `mailed`."""

    @property
    def kind(self) -> str:
        """The gravest kind of its deliveries."""
        return min((d.kind for d in self.deliveries), key=KINDS.index)

    @property
    def was_told(self) -> bool:
        """Whether it is news on a story that the recipient was mailed before, be it for another saved search."""
        return bool(self.mailed) and self.kind in TELLING

    @property
    def article_id(self) -> str:
        """The article that represents the story: the first one for a new story, else the newest."""
        ids = [d.article_id for d in self.deliveries if d.kind == self.kind]
        return ids[0] if self.kind == "story" else ids[-1]

    @property
    def other_article_ids(self) -> tuple[str, ...]:
        """The other articles on the story in the same mail."""
        others = (d.article_id for d in self.deliveries if d.article_id != self.article_id)
        return tuple(dict.fromkeys(others))


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient before it is written, independent of the channel."""

    recipient: str
    kind: MessageKind
    items: tuple[MailItem, ...]
    key: str
    """The idempotency key, which stays the same if the mail is made again."""
    reference: str = ""
    """The channel's name for the mail from an earlier attempt; empty on the first attempt."""
    thread: tuple[str, ...] = ()
    """References of the mails on the story, oldest first; the mail replies to the last."""
    again: bool = False
    """The mail was begun before and may have been accepted, so it stays unchanged until the channel accepts or refuses
    it."""
    notices: tuple[Delivery, ...] = ()
    """What it says besides its stories, or without any: of kinds `NOTICES`."""
    watched_since: datetime | None = None
    """For a digest: it says what was watched since then."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """All deliveries that this mail carries."""
        return (*self.matched, *(d for d in self.notices if d.kind in ABOUT_SEARCHES))

    @property
    def matched(self) -> tuple[Delivery, ...]:
        """Its deliveries without those that report on a saved search itself."""
        return (
            *(d for item in self.items for d in item.deliveries),
            *(d for d in self.notices if d.kind not in ABOUT_SEARCHES),
        )


@dataclass(frozen=True, slots=True)
class MailPlan:
    """The mails to send to a recipient now, and the deliveries that are suppressed or wait."""

    mails: tuple[Mail, ...] = ()
    suppressed: Mapping[str, str] = field(default_factory=dict)
    """Delivery id → the rule that suppresses it."""
    later: datetime | None = None
    """When the first waiting delivery becomes due."""


def plan(
    box: Mailbox,
    waiting: Sequence[Delivery],
    sent: Mapping[str, Sequence[Sent]],
    searches: Mapping[str, SavedSearch],
    *,
    now: datetime,
    group: timedelta,
    threads: bool = True,
) -> MailPlan:
    """The mails for `box` from all its `waiting` deliveries, due or not; `sent` has the earlier mails of each story.

    Due stories are grouped into one mail. Other deliveries on the same story join it, so that a recipient gets one mail
    on a story that names every saved search. News on a story that was sent before replies in its thread if the channel
    has `threads`, unless it is for a digest; otherwise it is sent like other stories. A mail that was begun (its
    deliveries carry its key) is made again unchanged. What is to be said of a saved search itself joins the next mail,
    whatever that is about, and goes alone once it is due.
    """
    rules = ((d.id, _rule(box, d, searches, now)) for d in waiting)
    suppressed = {delivery_id: rule for delivery_id, rule in rules if rule}
    open_ = [d for d in waiting if d.id not in suppressed]
    if waits_for_confirmation(box, now):  # it was held after it was found to be due
        return MailPlan((), suppressed)
    if box.retry_at and box.retry_at > now:
        return MailPlan((), suppressed, box.retry_at)
    begun, fresh = _begun(box.address, open_)
    threaded = sent if threads else {}
    due, later = _due(box, fresh, searches, now, group)
    told = set(map(_told_of, due))
    with_them = [d for d in fresh if _told_of(d) in told]
    if due:
        joining = [d for d in fresh if d.kind in ABOUT_SEARCHES and d not in with_them]
        with_them += joining
    mails = [*resent(box.address, begun, threaded), *_mails(box.address, with_them, threaded)]
    since = _SinceLast(box, now)
    dated = (_with_mailed(since.dated(mail), sent) for mail in mails)
    return MailPlan(tuple(dated), suppressed, min(later, default=None))


def _rule(box: Mailbox, delivery: Delivery, searches: Mapping[str, SavedSearch], now: datetime) -> str | None:
    """The rule that suppresses a delivery; None if it may be sent."""
    if box.unverified_since and not waits_for_confirmation(box, now):
        return f"the address was not confirmed within {CONFIRM_WITHIN.days} days"
    if box.bounced_at:
        return f"mails to the address come back: {box.bounced_why}"
    if delivery.alert_id in box.unsubscribed or "*" in box.unsubscribed:
        return "the recipient has unsubscribed"
    muted = box.muted.get(delivery.alert_id)
    if muted and muted > now:
        return f"muted by the recipient until {muted:%Y-%m-%d %H:%M} UTC"
    if delivery.story_id in box.acknowledged and delivery.kind in TELLING:
        return "the recipient has acknowledged the story"
    told = box.last_digests.get(delivery.alert_id)
    if delivery.kind == COVERAGE and told and told >= (delivery.not_before or delivery.created_at):
        return "a digest has said it meanwhile"
    search = searches.get(delivery.alert_id)
    return mute_rule(search, now) if search else None


def _begun(recipient: str, waiting: Sequence[Delivery]) -> tuple[dict[str, list[Delivery]], list[Delivery]]:
    """Key → the deliveries of a mail that was begun and may have been sent; and all other deliveries."""
    begun: dict[str, list[Delivery]] = {}
    fresh = []
    for delivery in waiting:
        key = outcome_for(delivery, recipient).key
        if key:
            begun.setdefault(key, []).append(delivery)
        else:
            fresh.append(delivery)
    return begun, fresh


def _due(
    box: Mailbox, waiting: Sequence[Delivery], searches: Mapping[str, SavedSearch], now: datetime, group: timedelta
) -> tuple[list[Delivery], list[datetime]]:
    """The deliveries that are due now, and the times when the others will be."""
    due, later = [], []
    for delivery in waiting:
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
    # An instant mail never waits: a start in the future was written before the clock was set back.
    moments = [start if digest else min(start, now)]
    if delivery.kind not in ABOUT_SEARCHES:
        moments.append(throttled_until(box, delivery.alert_id, searches))
    if box.last_sent_at and not digest:
        moments.append(box.last_sent_at + group)
    return max(moments)


def throttled_until(box: Mailbox, saved_search_id: str, searches: Mapping[str, SavedSearch]) -> datetime:
    """When a saved search may next mail the recipient; a time long past if it is not throttled. Pure."""
    search, last = searches.get(saved_search_id), box.last_by_alert.get(saved_search_id)
    if not (search and search.throttle_s and last):
        return _LONG_AGO
    try:
        return last + timedelta(seconds=search.throttle_s)
    except OverflowError:
        return _NEVER


def try_out(
    box: Mailbox, delivery: Delivery, searches: Mapping[str, SavedSearch], *, now: datetime, group: timedelta
) -> Delivery:
    """The delivery, if it can be planned. Raises for a document that a user's edit has made invalid. Pure."""
    _rule(box, delivery, searches, now)
    schedule.parse(delivery.schedule)
    _due_at(box, delivery, searches, now, group) <= now  # noqa: B015 - a time without a zone can't be compared
    return delivery


def _mails(recipient: str, deliveries: Sequence[Delivery], sent: Mapping[str, Sequence[Sent]]) -> list[Mail]:
    mails = _with_stories(recipient, [d for d in deliveries if d.kind not in NOTICES], sent)
    mails = _joined(recipient, mails, "digest", tuple(d for d in deliveries if d.kind == COVERAGE))
    return _joined(recipient, mails, "notice", tuple(d for d in deliveries if d.kind in ABOUT_SEARCHES))


def _joined(
    recipient: str, mails: Sequence[Mail], kind: Literal["digest", "notice"], notices: tuple[Delivery, ...]
) -> list[Mail]:
    """The mails, of which the first that fits says the notices too; if none does, with one more.

    What a digest says goes into a digest; other notices into any mail.
    """
    if not notices:
        return list(mails)
    fitting = next((mail for mail in mails if kind in ("notice", mail.kind)), None)
    carrier = fitting or Mail(recipient, kind, (), "")
    whole = replace(carrier, notices=(*carrier.notices, *notices))
    whole = replace(whole, key=_key(recipient, whole.deliveries))
    return [whole if mail is fitting else mail for mail in mails] + ([] if fitting else [whole])


def _with_stories(recipient: str, deliveries: Sequence[Delivery], sent: Mapping[str, Sequence[Sent]]) -> list[Mail]:
    items = _items(deliveries)
    replies = [item for item in items if _former(item, sent) and not _is_digest(item)]
    if len(replies) > _REPLIES:
        replies = []
    fresh = [item for item in items if item not in replies]
    instant = [item for item in fresh if not _is_digest(item)]
    digest = [item for item in fresh if _is_digest(item)]
    mails = [_mail(recipient, "reply", [item], sent) for item in replies]
    for kind, part in (*_parted("group", instant), *_parted("digest", digest)):
        alone = kind == "group" and len(part) == 1
        mails.append(_mail(recipient, "story" if alone else kind, part, sent))
    return mails


def _parted(kind: MessageKind, items: Sequence[MailItem]) -> list[tuple[MessageKind, Sequence[MailItem]]]:
    return [(kind, items[start : start + STORIES_PER_MAIL]) for start in range(0, len(items), STORIES_PER_MAIL)]


def _items(deliveries: Sequence[Delivery]) -> list[MailItem]:
    """One item for each story and each event, in order of arrival."""
    told: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        told.setdefault(_told_of(delivery), []).append(delivery)
    return [MailItem(of_one[0].story_id, tuple(of_one)) for of_one in told.values()]


def _told_of(delivery: Delivery) -> str:
    """Its story, or the event itself: spikes of several saved searches have one id, and each has its own numbers."""
    return delivery.id if delivery.kind in EVENTS else delivery.story_id


def _former(item: MailItem, sent: Mapping[str, Sequence[Sent]]) -> Sequence[Sent]:
    """The earlier mails on the item's story; an event has none.

    One that told only of what has left the story is none, unless the item is about that: a correction of it.
    """
    if item.kind in EVENTS:
        return ()
    about = {delivery.article_id for delivery in item.deliveries}
    mails = sent.get(item.story_id, ())
    return [mail for mail in mails if not mail.has_left or about & mail.article_ids]


def _is_digest(item: MailItem) -> bool:
    """Whether none of the item's deliveries is instant."""
    return all(schedule.parse(d.schedule).digest for d in item.deliveries)


def _mail(recipient: str, kind: MessageKind, items: Sequence[MailItem], sent: Mapping[str, Sequence[Sent]]) -> Mail:
    key = _key(recipient, (d for item in items for d in item.deliveries))
    return _threaded(Mail(recipient, kind, tuple(items), key), sent)


def _key(recipient: str, deliveries: Iterable[Delivery]) -> str:
    ids = sorted(d.id for d in deliveries)
    return hashlib.sha256("\n".join((recipient, *ids)).encode()).hexdigest()[:32]


def resent(recipient: str, begun: Mapping[str, Sequence[Delivery]], sent: Mapping[str, Sequence[Sent]]) -> list[Mail]:
    """The mails that were begun, made again: key → the deliveries that carry it. Pure."""
    mails = []
    for key, deliveries in begun.items():
        items = _items([d for d in deliveries if d.kind not in NOTICES])
        notices = tuple(d for d in deliveries if d.kind in NOTICES)
        kind: MessageKind = "digest" if all(_is_digest(item) for item in items) else "group"
        if len(items) == 1 and kind == "group":
            kind = "reply" if _former(items[0], sent) else "story"
        if not items and all(d.kind in ABOUT_SEARCHES for d in notices):
            kind = "notice"
        reference = outcome_for(deliveries[0], recipient).reference
        mail = Mail(recipient, kind, tuple(items), key, reference, again=True, notices=notices)
        mails.append(_threaded(mail, sent))
    return mails


@dataclass(frozen=True, slots=True)
class _SinceLast:
    """Says of a digest since when it has to say what was watched."""

    box: Mailbox
    now: datetime

    def dated(self, mail: Mail) -> Mail:
        """The mail with the time; unchanged if it is no digest."""
        if mail.kind != "digest":
            return mail
        return replace(mail, watched_since=min(self._since(d) for d in mail.matched))

    def _since(self, delivery: Delivery) -> datetime:
        """Since the search's last digest to the recipient; for its first one, since the slot before the last."""
        told = self.box.last_digests.get(delivery.alert_id)
        if told:
            return told
        times = schedule.parse(delivery.schedule)
        last = schedule.previous_due(times, self.now)
        return schedule.previous_due(times, last - timedelta(microseconds=1))


def _threaded(mail: Mail, sent: Mapping[str, Sequence[Sent]]) -> Mail:
    """A reply with its thread; any other mail unchanged."""
    if mail.kind != "reply":
        return mail
    thread = [former for former in _former(mail.items[0], sent) if former.reference]
    if not thread:
        return mail
    return replace(mail, thread=tuple(former.reference for former in thread))


def _with_mailed(mail: Mail, sent: Mapping[str, Sequence[Sent]]) -> Mail:
    """The mail, whose items know when their articles were mailed before."""
    if not sent:
        return mail
    return replace(mail, items=tuple(_with_former(item, _former(item, sent)) for item in mail.items))


def _with_former(item: MailItem, mails: Sequence[Sent]) -> MailItem:
    briefings = (mail.at for mail in mails if _was_briefing(mail))
    return replace(item, mailed=_mailed(mails), briefed=max(briefings, default=None))


def _was_briefing(mail: Sent) -> bool:
    times = [schedule.parse(text) for text in mail.schedules]
    return all(one.digest for one in times) and any(one.briefing for one in times)


def _mailed(mails: Sequence[Sent]) -> dict[str, datetime]:
    return {article_id: mail.at for mail in mails for article_id in mail.article_ids}
