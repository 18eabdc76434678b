"""Sends the deliveries in the outbox: groups, renders and sends mails, and records their outcomes.

A worker handles each recipient in these steps, so that a crash at any point drops nothing:

1. claim the mailbox, and read the waiting deliveries in real time;
2. record the try in the mailbox;
3. write into each delivery the idempotency key of its mail, and the channel's name for that mail;
4. send the mail;
5. record the outcome.

A worker that finds a key without an outcome makes the same mail again. A mail is only sent twice if a worker dies
between the channel's acceptance and step 5; both copies then have the same key and name. If a mail kills the worker,
the recorded try postpones its recipient, and the next run handles the others first.

The recipients who have waited longest come first (`delivery.due`). A faulty recipient, mail or stored document does not
affect the others. A channel that is down, or that loses the connection with several recipients in a row, is not used
any more in this run; the other channels go on. The whole run has a time limit.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from alerts.saved import SavedSearches
from delivery.channels.channel import SendResult
from delivery.channels.lines import Lines
from delivery.channels.registry import channel_of
from delivery.compose import Mail, MailPlan, plan, try_out
from delivery.composing import Composed, Composer
from delivery.due import lease_of, look
from delivery.mailbox import CHANGED_BY_OTHERS, Mailbox, Mailboxes, answered, put_off, served, tried, untried
from delivery.outbox import Outbox, outcome_for, with_outcome
from newswatch.alert import SavedSearch
from newswatch.clock import running_from
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.latencies import Latencies
from newswatch.problems import Bulkhead, Problem, collecting
from newswatch.settings import Settings
from store.client import Client
from store.documents import Stored
from store.names import Names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """The results of a run."""

    sent: int = 0
    """Mails sent; a mail can carry many deliveries."""
    postponed: int = 0
    """Mails that a channel refused for now."""
    failed: int = 0
    """Mails that a channel refused for good."""
    suppressed: int = 0
    """Deliveries that a rule suppressed."""
    down: str | None = None
    """Why a channel can't send now; its deliveries stay in the outbox."""
    later: datetime | None = None
    """When the first delivery that waits (for grouping, throttling or a retry) becomes due."""
    left: int = 0
    """Due recipients whom the limits of the run left out; the next run handles them first."""
    stopped: str | None = None
    """The limit that left them out."""
    set_aside: int = 0
    """Recipients, mails and documents that went into quarantine (`newswatch problems` says why)."""
    latency: Latencies = field(default_factory=Latencies)
    """Seconds from reading a story to its instant mail's acceptance, once per recipient."""
    broken: str | None = None
    """Why the line to a channel broke with a recipient; with several in a row the channel is `down`."""

    @property
    def tried(self) -> bool:
        """Whether the run tried to send any mail."""
        return bool(self.sent or self.postponed or self.failed)

    def __add__(self, other: DeliverReport) -> DeliverReport:
        moments = [moment for moment in (self.later, other.later) if moment]
        return DeliverReport(
            self.sent + other.sent,
            self.postponed + other.postponed,
            self.failed + other.failed,
            self.suppressed + other.suppressed,
            self.down or other.down,
            min(moments, default=None),
            self.left + other.left,
            other.stopped or self.stopped,
            self.set_aside + other.set_aside,
            self.latency + other.latency,
            self.broken or other.broken,
        )


def deliver(
    es: Client,
    names: Names,
    settings: Settings,
    *,
    now: datetime,
    limit: int = 1_000,
    until: datetime | None = None,
    bulkhead: Bulkhead | None = None,
) -> DeliverReport:
    """Send what is due, to at most `limit` recipients and until `until`; the rest stays due.

    `until` defaults to `now` plus `Settings.mail_run_s`. Unusable input goes into quarantine by `bulkhead`.

    Raises:
        StoreError: Elasticsearch is in trouble; nothing is dropped, run it again.
    """
    until = until or now + timedelta(seconds=settings.mail_run_s)
    walls = bulkhead or Bulkhead("deliver")
    before = len(walls.problems)
    with Lines(settings) as lines, collecting(walls):
        report = _Worker(es, names, settings, running_from(now), lines, walls).run(limit, until)
    for reason in filter(None, (report.down, report.stopped)):
        log.warning("%s", reason)
    return replace(report, set_aside=len(walls.problems) - before)


class _Worker:
    def __init__(
        self,
        es: Client,
        names: Names,
        settings: Settings,
        clock: Callable[[], datetime],
        lines: Lines,
        walls: Bulkhead,
    ) -> None:
        self._es, self._names, self._settings, self._clock, self._lines = es, names, settings, clock, lines
        self._outbox, self._boxes, self._saved = Outbox(es, names), Mailboxes(es, names), SavedSearches(es, names)
        self._walls = walls
        self._id = uuid.uuid4().hex
        self._group = timedelta(seconds=settings.mail_group_s)
        self._lease = lease_of(settings)
        self._searches: dict[str, SavedSearch | None] = {}
        self._composer = Composer(es, names, settings, clock, self._searches, walls)
        self._begun = ""
        """Key of the mail that was begun last."""
        self._last_errors: dict[str, str | None] = {}
        """Recipient → what the channel answered last time."""

    def run(self, limit: int, until: datetime) -> DeliverReport:
        due = look(self._es, self._names, self._settings, now=self._clock(), bulkhead=self._walls)
        report, served = DeliverReport(later=due.later), 0
        for number, recipient in enumerate(due.recipients):
            if self._lines.down(channel_of(recipient)):
                continue
            why = self._full(served, limit, until)
            if why:
                left = len(due.recipients) - number
                return report + DeliverReport(left=left, stopped=f"{why}: {left} recipients wait for the next run")
            result = self._walls.attempt("recipient", recipient, partial(self._turn, recipient, until))
            report += result or DeliverReport()
            # A recipient who turned out to rest, or went into quarantine, does not count against the limit.
            served += bool(result and result.tried)
        return report

    def _full(self, served: int, limit: int, until: datetime) -> str | None:
        """The limit that ends the run; None if it may go on."""
        if served >= limit:
            return f"{limit} recipients were served"
        if self._clock() >= until:
            return self._time_over
        return None

    @property
    def _time_over(self) -> str:
        return f"the run's time of {self._settings.mail_run_s} s is over"

    def _turn(self, recipient: str, until: datetime) -> DeliverReport:
        """Handle one recipient, unless another worker does."""
        try:
            channel_of(recipient).parse(recipient)
        except ValueError as error:
            return self._no_address(recipient, str(error))
        held = self._boxes.claim(recipient, self._id, self._clock(), self._lease)
        return self._serve(held, until) if held is not None else DeliverReport()

    def _no_address(self, recipient: str, why: str) -> DeliverReport:
        """Fail everything that waits for an invalid address, and report it so that its saved searches are corrected."""
        self._walls.note(Problem("recipient", recipient, why, "deliver"))
        waiting = self._outbox.waiting_for(recipient)

        def failed(delivery: Delivery) -> Delivery:
            return with_outcome(delivery, Outcome(recipient, DeliveryState.FAILED, at=self._clock(), error=why))

        self._outbox.acknowledge(waiting, failed)
        return DeliverReport(failed=len(waiting))

    def _serve(self, held: Stored[Mailbox], until: datetime) -> DeliverReport:
        """Send what waits for `held`, and release the mailbox."""
        box = held.value
        self._last_errors[box.address] = box.last_error
        waiting = {stored.id: stored for stored in self._usable(box, self._outbox.waiting_for(box.address))}
        planned = self._plan(box, [stored.value for stored in waiting.values()])
        report = self._suppress(planned, waiting, box.address) + DeliverReport(later=planned.later)
        for mail in planned.mails:
            if self._clock() >= until:
                report += DeliverReport(left=1, stopped=self._time_over)
                break
            # Record the try before composing: if that kills the worker, the recipient is postponed.
            noted = replace(tried(box, self._clock()), claimed_until=self._clock() + self._lease)
            kept = self._keep(held, noted)
            if kept is None:
                return report  # our claim expired: another worker handles this recipient now
            box = untried(kept.value, box)
            outcome = self._walls.attempt("mail", mail.key, partial(self._send, mail, box))
            # A mail that failed after it was begun may have been sent: keep the recorded try, which postpones it.
            after_failure = kept.value if self._begun == mail.key else box
            box, result = outcome or (after_failure, DeliverReport())
            report += result
            held = self._keep(kept, box) or kept
            if report.down or (box.retry_at and box.retry_at > self._clock()):
                break
        self._release(held, box)
        return report

    def _release(self, held: Stored[Mailbox], box: Mailbox) -> None:
        retry_at = box.retry_at if box.retry_at and box.retry_at > self._clock() else None
        self._keep(held, replace(box, retry_at=retry_at, claimed_until=None, claimed_by=""))

    def _usable(self, box: Mailbox, waiting: Sequence[Stored[Delivery]]) -> list[Stored[Delivery]]:
        """The waiting deliveries that can be planned. A document that a user's edit made invalid stays unchanged."""
        unknown = {stored.value.alert_id for stored in waiting} - self._searches.keys()
        self._searches.update(dict.fromkeys(unknown))
        self._searches.update(self._saved.of(unknown))
        searches = self._known()

        def can_be_planned(stored: Stored[Delivery]) -> bool:
            attempt = partial(try_out, box, stored.value, searches, now=self._clock(), group=self._group)
            return bool(self._walls.attempt("document", f"{stored.index}/{stored.id}", attempt))

        return list(filter(can_be_planned, waiting))

    def _known(self) -> dict[str, SavedSearch]:
        return {alert_id: search for alert_id, search in self._searches.items() if search}

    def _keep(self, held: Stored[Mailbox], box: Mailbox) -> Stored[Mailbox] | None:
        """Write our changes to the mailbox, keeping the recipient's own changes (unsubscribed, muted) meanwhile.

        None if another worker has claimed it.
        """
        kept = self._boxes.keep(held, box)
        if kept is not None:
            return kept
        current = self._boxes.find(box.address)
        if current is None or current.value.claimed_by != self._id:
            return None
        wishes = {name: getattr(current.value, name) for name in CHANGED_BY_OTHERS}
        return self._boxes.keep(current, replace(box, **wishes))

    def _plan(self, box: Mailbox, waiting: Sequence[Delivery]) -> MailPlan:
        sent = self._outbox.sent_to(box.address, {d.story_id for d in waiting})
        threads = channel_of(box.address).threads
        return plan(box, waiting, sent, self._known(), now=self._clock(), group=self._group, threads=threads)

    def _suppress(self, planned: MailPlan, waiting: Mapping[str, Stored[Delivery]], recipient: str) -> DeliverReport:
        def suppressed(delivery: Delivery) -> Delivery:
            rule = planned.suppressed[delivery.id]
            return with_outcome(delivery, Outcome(recipient, DeliveryState.SUPPRESSED, at=self._clock(), error=rule))

        self._outbox.acknowledge([waiting[delivery_id] for delivery_id in planned.suppressed], suppressed)
        return DeliverReport(suppressed=len(planned.suppressed))

    def _send(self, mail: Mail, box: Mailbox) -> tuple[Mailbox, DeliverReport]:
        made, left_out = self._composer.compose(mail, self._last_errors.get(mail.recipient))
        suppressed = DeliverReport(suppressed=len(left_out.repeated))
        for ids, state, why in (
            (left_out.gone, DeliveryState.FAILED, "its article is no longer in the index"),
            (left_out.repeated, DeliveryState.SUPPRESSED, "it says only what was mailed, word for word"),
        ):
            if ids:
                self._acknowledge(ids, mail, state, why)
        if made is None:
            return box, suppressed + DeliverReport(failed=1 if left_out.gone else 0)
        self._begun = mail.key
        if not self._begin(made, mail):
            return box, suppressed
        channel = channel_of(mail.recipient)
        to = channel.parse(mail.recipient)
        result = self._lines.send(channel, made.rendered, to)
        later, report = self._record(result, mail, to, made, box)
        return later, suppressed + report

    def _begin(self, made: Composed, mail: Mail) -> bool:
        """Write the mail's key into its deliveries, so that a worker that finds them makes the same mail.

        False if another worker took over one of the deliveries, assuming that we had died. Then don't send the mail.
        """
        stored = self._outbox.get(made.carried)
        if not all(is_ours(outcome_for(each.value, mail.recipient), mail) for each in stored):
            return False
        written = self._outbox.acknowledge(stored, partial(begun, made=made, mail=mail))
        return all(outcome_for(delivery, mail.recipient).key == mail.key for delivery in written)

    def _record(
        self, result: SendResult, mail: Mail, to: str, made: Composed, box: Mailbox
    ) -> tuple[Mailbox, DeliverReport]:
        now, carried = self._clock(), made.carried
        if to in result.accepted:
            self._acknowledge(carried, mail, DeliveryState.SENT, None, reference=result.reference)
            saved_search_ids = tuple(d.alert_id for d in mail.matched)
            digests = dict.fromkeys(saved_search_ids, made.seen_until) if made.seen_until else {}
            return served(box, saved_search_ids, now, digests), DeliverReport(sent=1, latency=latencies(mail, now))
        why, refusal = result.why_not(to), result.refused.get(to)
        if refusal and refusal.permanent:
            self._acknowledge(carried, mail, DeliveryState.FAILED, why)
            return answered(box, why), DeliverReport(failed=1)
        # If it was certainly not accepted, its deliveries may join another mail next time. Otherwise keep this mail.
        self._acknowledge(carried, mail, DeliveryState.PENDING, why, forget=result.unknown is None and not mail.again)
        if result.down:
            return replace(box, last_error=why), DeliverReport(postponed=1, down=result.down)
        later, report = self._put_off(mail, carried, put_off(box, why, now), why)
        return later, replace(report, broken=why) if result.broken else report

    def _put_off(self, mail: Mail, carried: Sequence[str], later: Mailbox, why: str) -> tuple[Mailbox, DeliverReport]:
        down = self._lines.down(channel_of(mail.recipient))
        tried_for = self._clock() - (later.failing_since or self._clock())
        if tried_for >= timedelta(seconds=self._settings.mail_give_up_s):
            reason = f"given up, refused since {later.failing_since:%Y-%m-%d}: {why}"
            self._acknowledge(carried, mail, DeliveryState.FAILED, reason)
            return later, DeliverReport(failed=1, down=down)
        return later, DeliverReport(postponed=1, later=later.retry_at, down=down)

    def _acknowledge(
        self,
        ids: Sequence[str],
        mail: Mail,
        state: DeliveryState,
        error: str | None,
        *,
        forget: bool = False,
        reference: str = "",
    ) -> None:
        """Record the outcome of the deliveries for the mail's recipient."""
        now = self._clock()

        def acknowledged(delivery: Delivery) -> Delivery:
            was = outcome_for(delivery, mail.recipient)
            if not is_ours(was, mail):
                return delivery  # another worker has taken over: keep the outcome that it recorded
            key, name = ("", "") if forget else (mail.key, reference or was.reference)
            return with_outcome(delivery, replace(was, state=state, at=now, error=error, key=key, reference=name))

        self._outbox.acknowledge(self._outbox.get(ids), acknowledged)


def latencies(mail: Mail, now: datetime) -> Latencies:
    """How long its stories took from being read until `now`. Digests and corrections wait on purpose. Pure."""
    instant = [d for d in mail.deliveries if d.schedule == "instant" and d.kind == "story"]
    return Latencies.of((now - d.fetched_at).total_seconds() for d in instant if d.fetched_at)


def begun(delivery: Delivery, made: Composed, mail: Mail) -> Delivery:
    """The delivery with the key of its mail, before sending; unchanged if another worker has taken it over. Pure.

    It also stores its article's current correction notice, so that the notice is not sent again as a correction.
    """
    was = outcome_for(delivery, mail.recipient)
    if not is_ours(was, mail):
        return delivery
    now = replace(was, key=mail.key, reference=made.rendered.reference, subject=made.subject, attempts=was.attempts + 1)
    noticed = replace(
        delivery,
        notice=made.notices.get(delivery.article_id, delivery.notice),
        passages=made.passages.get(delivery.id, delivery.passages),
    )
    return with_outcome(noticed, now)


def is_ours(outcome: Outcome, mail: Mail) -> bool:
    """Whether no other mail to the recipient was sent or begun with this delivery. Pure."""
    return outcome.state is DeliveryState.PENDING and outcome.key in ("", mail.key)
