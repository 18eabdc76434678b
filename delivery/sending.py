"""Offers a mail to its channel, and decides what the answer means for its deliveries and the mailbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from delivery.channels.channel import SendResult
from delivery.compose import Mail
from delivery.composing import Composed
from delivery.mailbox import Mailbox, answered, put_off, served
from delivery.outcomes import Parcel
from delivery.report import DeliverReport
from newswatch.delivery import DeliveryState, Outcome
from newswatch.latencies import Latencies
from store.elastic.documents import Stored


@dataclass(slots=True)
class Served:
    """A recipient whose mailbox the worker holds, and the mails that it is still to get."""

    held: Stored[Mailbox]
    box: Mailbox
    """What the mailbox is to be without the try that is recorded while a mail is written and sent."""
    parcels: Mapping[str, Parcel]
    """Id of a delivery → the parcel as it was planned."""
    mails: deque[Mail] = field(default_factory=deque)

    @property
    def address(self) -> str:
        """The recipient's address."""
        return self.held.value.address


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was begun, and may be offered to its channel."""

    served: Served
    mail: Mail
    made: Composed
    parcels: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a channel's answer means for the deliveries of a mail and for the mailbox. Pure."""

    state: DeliveryState
    box: Mailbox
    report: DeliverReport
    error: str | None = None
    forget: bool = False
    """The mail was certainly not accepted: its deliveries may join another one next time."""
    reference: str = ""
    """The channel's name for the mail, if the answer gave it."""
    given_up: Mapping[str, str] = field(default_factory=dict)
    """Id → why, of the deliveries that were tried for long enough, in a mail whose others are tried again."""

    def outcome(self, parcel: Parcel, mail: Mail, now: datetime) -> Outcome:
        """The outcome of one of the mail's deliveries; unchanged if another worker has taken it over."""
        was = parcel.outcome
        if not is_ours(was, mail):
            return was
        if why := self.given_up.get(parcel.id):
            return replace(was, state=DeliveryState.FAILED, at=now, error=why, key="", reference="")
        key, name = ("", "") if self.forget else (mail.key, self.reference or was.reference)
        return replace(was, state=self.state, at=now, error=self.error, key=key, reference=name)


def judged(result: SendResult, letter: Letter, to: str, now: datetime, give_up: timedelta, down: str | None) -> Verdict:
    """The verdict on the channel's answer; `down`: why the channel is not used any more after it. Pure."""
    mail, made, box = letter.mail, letter.made, letter.served.box
    if to in result.accepted:
        saved_search_ids = tuple(d.alert_id for d in mail.matched)
        digests = dict.fromkeys(saved_search_ids, made.seen_until) if made.seen_until else {}
        report = DeliverReport(sent=1, latency=latencies(mail, now))
        later = served(box, saved_search_ids, now, digests)
        return Verdict(DeliveryState.SENT, later, report, reference=result.reference)
    why, refusal = result.why_not(to), result.refused.get(to)
    if refusal and refusal.permanent:
        return Verdict(DeliveryState.FAILED, answered(box, why), DeliverReport(failed=1), why)
    forget = result.unknown is None and not mail.again
    if result.down:
        report = DeliverReport(postponed=1, down=result.down)
        return Verdict(DeliveryState.PENDING, replace(box, last_error=why), report, why, forget)
    later, broken = put_off(box, why, now, refusal.retry_after_s if refusal else None), why if result.broken else None
    over = _given_up(letter.parcels, later, now, give_up, together=not forget)
    reason = f"given up, refused since {later.failing_since:%Y-%m-%d}: {why}"
    if over and len(over) == len(letter.parcels):
        return Verdict(DeliveryState.FAILED, later, DeliverReport(failed=1, down=down, broken=broken), reason)
    report = DeliverReport(postponed=1, failed=int(bool(over)), later=later.retry_at, down=down, broken=broken)
    return Verdict(DeliveryState.PENDING, later, report, why, forget, given_up=dict.fromkeys(over, reason))


def _given_up(
    parcels: Sequence[Parcel], box: Mailbox, now: datetime, give_up: timedelta, *, together: bool
) -> frozenset[str]:
    """The deliveries that were refused for as long as a mail is tried. Pure.

    The time counts from when a delivery came due, not only since the recipient is refused: what comes while an address
    is full is tried as long as the first mail was. A mail that may have been accepted is one thing (`together`).
    """
    refused_since = box.failing_since or now
    since = {one.id: max(refused_since, one.delivery.not_before or one.delivery.created_at) for one in parcels}
    if together:
        since = dict.fromkeys(since, max(since.values(), default=now))
    return frozenset(name for name, moment in since.items() if now - moment >= give_up)


def begun(parcel: Parcel, made: Composed, mail: Mail) -> Outcome:
    """The outcome with the key of its mail, before sending; unchanged if another worker has taken it over. Pure.

    It also keeps the article's current correction notice, so that the notice is not sent again as a correction.
    """
    was = parcel.outcome
    if not is_ours(was, mail):
        return was
    return replace(
        was,
        key=mail.key,
        reference=made.rendered.reference,
        subject=made.subject,
        attempts=was.attempts + 1,
        notice=made.notices.get(parcel.delivery.article_id, was.notice),
    )


def is_ours(outcome: Outcome, mail: Mail) -> bool:
    """Whether no other mail to the recipient was sent or begun with this delivery. Pure."""
    return outcome.state is DeliveryState.PENDING and outcome.key in ("", mail.key)


def latencies(mail: Mail, now: datetime) -> Latencies:
    """How long its stories took from being read until `now`. Digests and corrections wait on purpose. Pure."""
    instant = [d for d in mail.deliveries if d.schedule == "instant" and d.kind == "story"]
    return Latencies.of((now - d.fetched_at).total_seconds() for d in instant if d.fetched_at)
