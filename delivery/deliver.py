"""Sending what is owed: read, group, render, send, write down what became of it.

For each recipient, in this order, so that dying anywhere loses nothing: claim the mailbox; read what waits, in real
time; note in the mailbox that it is tried; write into each delivery the idempotency key of the mail that will carry it,
and what its channel calls that mail; send; write down the result. Who finds a key without a result makes that same mail
again: only dying between the channel's yes and our note of it sends a mail twice, and then both have one key and one
name. Who is killed by a mail has noted the try, so that the recipient is put off and the next run serves the others
first.

Whoever has waited longest is served first (`delivery.due`). What a recipient, a mail or a stored document breaks costs
itself. A channel that is down, or loses the line with several recipients in a row, is left alone for the rest of the
run; the others go on. The run's time ends it for all.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from alerts.highlight import highlights
from alerts.query import marking_query
from alerts.saved import SavedSearches
from delivery.channels.channel import Rendered, SendResult
from delivery.channels.lines import Lines
from delivery.channels.registry import channel_of
from delivery.compose import Mail, MailItem, MailPlan, plan, try_out
from delivery.corrections import announced
from delivery.due import lease_of, look
from delivery.links import Links
from delivery.mailbox import Mailbox, Mailboxes, answered, put_off, served, tried, untried
from delivery.outbox import Outbox, outcome_for, with_outcome
from delivery.story_views import MailStory
from delivery.writing import message_of
from newswatch.alert import Passage, SavedSearch
from newswatch.clock import running_from
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.errors import NewswatchError
from newswatch.problems import Bulkhead, Problem, collecting, is_trouble, reason_of
from newswatch.settings import Settings
from search.story_view import independent_sources
from store.articles import ArticleStore
from store.client import Client
from store.documents import Stored
from store.names import Names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """What became of the mails that were due."""

    sent: int = 0
    """Mails, not deliveries: a mail can carry many."""
    postponed: int = 0
    """Mails that a channel put off."""
    failed: int = 0
    """Mails refused for good."""
    suppressed: int = 0
    """Deliveries that a rule keeps from being sent."""
    down: str | None = None
    """Why nothing can be sent by a channel now; everything stays owed."""
    later: datetime | None = None
    """When the first of what was held back (to be grouped, throttled or tried again) becomes due."""
    left: int = 0
    """Recipients who are due and were not reached within the run's time or number; the next run serves them first."""
    stopped: str | None = None
    """Why they were not reached."""
    set_aside: int = 0
    """Recipients, mails and documents that could not be used (`newswatch problems` says why)."""

    @property
    def tried(self) -> bool:
        """Whether any mail was made."""
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
    """Send what is due, to `limit` recipients at most and until `until`; the rest stays due.

    Without `until`, `Settings.mail_run_s` from `now`. What can't be used is set aside in `bulkhead`.

    Raises:
        StoreError: Elasticsearch is in trouble; nothing is lost, run it again.
    """
    until = until or now + timedelta(seconds=settings.mail_run_s)
    walls = bulkhead or Bulkhead("deliver")
    before = len(walls.problems)
    with Lines(settings) as lines, collecting(walls):
        report = _Worker(es, names, settings, running_from(now), lines, walls).run(limit, until)
    for told in filter(None, (report.down, report.stopped)):
        log.warning("%s", told)
    return replace(report, set_aside=len(walls.problems) - before)


@dataclass(frozen=True, slots=True)
class _Composed:
    """A mail as it will be sent, and what is to be noted of it."""

    rendered: Rendered
    subject: str
    carried: tuple[str, ...]
    """The deliveries that it tells."""
    notices: Mapping[str, str]
    """Article → what it announces by now."""
    passages: Mapping[str, tuple[Passage, ...]]


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
        self._articles, self._links = ArticleStore(es, names), Links(settings)
        self._walls = walls
        self._id = uuid.uuid4().hex
        self._group = timedelta(seconds=settings.mail_group_s)
        self._lease = lease_of(settings)
        self._searches: dict[str, SavedSearch | None] = {}
        self._begun = ""
        """The mail that was begun last, by its key."""

    def run(self, limit: int, until: datetime) -> DeliverReport:
        due = look(self._es, self._names, self._settings, now=self._clock(), bulkhead=self._walls)
        report, served = DeliverReport(later=due.later), 0
        for at, recipient in enumerate(due.recipients):
            if self._lines.down(channel_of(recipient)):
                continue
            why = self._full(served, limit, until)
            if why:
                left = len(due.recipients) - at
                return report + DeliverReport(left=left, stopped=f"{why}: {left} recipients wait for the next run")
            told = self._walls.attempt("recipient", recipient, partial(self._turn, recipient, until))
            report += told or DeliverReport()
            # Who turned out to rest, or was set aside, takes nobody's place.
            served += bool(told and told.tried)
        return report

    def _full(self, served: int, limit: int, until: datetime) -> str | None:
        """Why no more mails are begun; None: they are."""
        if served >= limit:
            return f"{limit} recipients were served"
        if self._clock() >= until:
            return self._time_over
        return None

    @property
    def _time_over(self) -> str:
        return f"the run's time of {self._settings.mail_run_s} s is over"

    def _turn(self, recipient: str, until: datetime) -> DeliverReport:
        """Serve one recipient, if nobody else does."""
        try:
            channel_of(recipient).parse(recipient)
        except ValueError as error:
            return self._no_address(recipient, str(error))
        held = self._boxes.claim(recipient, self._id, self._clock(), self._lease)
        return self._serve(held, until) if held is not None else DeliverReport()

    def _no_address(self, recipient: str, why: str) -> DeliverReport:
        """Nothing can ever be sent to it: what it is owed has failed, and its saved searches are to be corrected."""
        self._walls.note(Problem("recipient", recipient, why, "deliver"))
        owed = self._outbox.waiting_for(recipient)

        def failed(delivery: Delivery) -> Delivery:
            return with_outcome(delivery, Outcome(recipient, DeliveryState.FAILED, at=self._clock(), error=why))

        self._outbox.acknowledge(owed, failed)
        return DeliverReport(failed=len(owed))

    def _serve(self, held: Stored[Mailbox], until: datetime) -> DeliverReport:
        """Send what `held` is owed, and give the mailbox back."""
        box = held.value
        owed = {found.id: found for found in self._usable(box, self._outbox.waiting_for(box.address))}
        planned = self._plan(box, [found.value for found in owed.values()])
        report = self._suppress(planned, owed, box.address) + DeliverReport(later=planned.later)
        for mail in planned.mails:
            if self._clock() >= until:
                report += DeliverReport(left=1, stopped=self._time_over)
                break
            # Noted before it is made: if that kills the worker, the recipient is put off.
            noted = replace(tried(box, self._clock()), claimed_until=self._clock() + self._lease)
            kept = self._keep(held, noted)
            if kept is None:
                return report  # we took too long: another worker serves this recipient now
            box = untried(kept.value, box)
            outcome = self._walls.attempt("mail", mail.key, partial(self._send, mail, box))
            # One that broke after it was begun may have gone out: the try stays noted, and the recipient put off.
            broke = kept.value if self._begun == mail.key else box
            box, told = outcome or (broke, DeliverReport())
            report += told
            held = self._keep(kept, box) or kept
            if report.down or (box.retry_at and box.retry_at > self._clock()):
                break
        self._give_back(held, box)
        return report

    def _give_back(self, held: Stored[Mailbox], box: Mailbox) -> None:
        rests = box.retry_at if box.retry_at and box.retry_at > self._clock() else None
        self._keep(held, replace(box, retry_at=rests, claimed_until=None, claimed_by=""))

    def _usable(self, box: Mailbox, owed: Sequence[Stored[Delivery]]) -> list[Stored[Delivery]]:
        """Those of what is owed that can be planned; a document that a user has edited to nonsense stays as it is."""
        unknown = {one.value.alert_id for one in owed} - self._searches.keys()
        self._searches |= dict.fromkeys(unknown)
        self._searches |= self._saved.of(unknown)
        searches = self._known()
        return [
            one
            for one in owed
            if self._walls.attempt(
                "document",
                f"{one.index}/{one.id}",
                partial(try_out, box, one.value, searches, now=self._clock(), group=self._group),
            )
        ]

    def _known(self) -> dict[str, SavedSearch]:
        return {alert_id: search for alert_id, search in self._searches.items() if search}

    def _keep(self, held: Stored[Mailbox], box: Mailbox) -> Stored[Mailbox] | None:
        """Write what serving changed; what the recipient has changed meanwhile (unsubscribed, muted) stands."""
        kept = self._boxes.keep(held, box)
        if kept is not None:
            return kept
        now = self._boxes.find(box.address)
        if now is None or now.value.claimed_by != self._id:
            return None
        wishes = {name: getattr(now.value, name) for name in ("unsubscribed", "muted", "acknowledged")}
        return self._boxes.keep(now, replace(box, **wishes))

    def _plan(self, box: Mailbox, owed: Sequence[Delivery]) -> MailPlan:
        told = self._outbox.sent_to(box.address, {d.story_id for d in owed})
        threads = channel_of(box.address).threads
        return plan(box, owed, told, self._known(), now=self._clock(), group=self._group, threads=threads)

    def _suppress(self, planned: MailPlan, owed: Mapping[str, Stored[Delivery]], recipient: str) -> DeliverReport:
        def suppressed(delivery: Delivery) -> Delivery:
            rule = planned.suppressed[delivery.id]
            return with_outcome(delivery, Outcome(recipient, DeliveryState.SUPPRESSED, at=self._clock(), error=rule))

        self._outbox.acknowledge([owed[delivery_id] for delivery_id in planned.suppressed], suppressed)
        return DeliverReport(suppressed=len(planned.suppressed))

    def _send(self, mail: Mail, box: Mailbox) -> tuple[Mailbox, DeliverReport]:
        made, gone = self._tellable(mail)
        if gone:
            self._settle(gone, mail, DeliveryState.FAILED, "its article is no longer in the index")
        if made is None:
            return box, DeliverReport(failed=1 if gone else 0)
        self._begun = mail.key
        if not self._begin(made, mail):
            return box, DeliverReport()
        channel = channel_of(mail.recipient)
        to = channel.parse(mail.recipient)
        result = self._lines.send(channel, made.rendered, to)
        return self._note(result, mail, to, made, box)

    def _tellable(self, mail: Mail) -> tuple[_Composed | None, tuple[str, ...]]:
        """The mail, without the stories that break it; and the deliveries whose article is gone."""
        try:
            return self._compose(mail)
        except Exception as error:
            if is_trouble(error) or len(mail.items) == 1:
                raise
            log.warning("%s can't be composed (%s): its stories are tried apart", mail.key, reason_of(error))
        whole = tuple(self._whole(mail, mail.items))
        return self._compose(replace(mail, items=whole)) if whole else (None, ())

    def _whole(self, mail: Mail, items: Sequence[MailItem]) -> Iterator[MailItem]:
        """Those of the stories that a mail can be composed of; the others are set aside. Halved until one is alone."""
        part = replace(mail, items=tuple(items))
        if len(items) == 1:
            alone = self._walls.attempt("mail", items[0].deliveries[0].id, partial(self._compose, part))
            yield from items if alone else ()
            return
        try:
            self._compose(part)
        except Exception as error:
            if is_trouble(error):
                raise
            middle = len(items) // 2
            yield from self._whole(mail, items[:middle])
            yield from self._whole(mail, items[middle:])
        else:
            yield from items

    def _compose(self, mail: Mail) -> tuple[_Composed | None, tuple[str, ...]]:
        stories, gone = self._stories(mail)
        if not stories:
            return None, tuple(gone)
        passages = self._passages(stories)
        stories = [with_passages(story, passages) for story in stories]
        message = message_of(mail, stories, self._settings, self._links, now=self._clock())
        rendered = channel_of(mail.recipient).render(message, self._settings)
        notices = {s.article.id: told.key for s in stories if s.article and (told := announced(s.article))}
        carried = tuple(d.id for story in stories for d in story.item.deliveries)
        return _Composed(rendered, message.subject, carried, notices, passages), tuple(gone)

    def _stories(self, mail: Mail) -> tuple[list[MailStory], list[str]]:
        """What the mail tells, and the deliveries whose article is gone.

        Raises:
            NewswatchError: an article is there and can't be read; it may be mended, so its mail stays due.
        """
        wanted = {d.article_id for d in mail.deliveries if d.article_id}
        articles = self._articles.get(wanted)
        lacking = wanted - articles.keys()
        if lacking and (unreadable := self._articles.exist(lacking)):
            raise NewswatchError(f"its article {min(unreadable)} can't be read in Elasticsearch")
        counts = independent_sources(self._es, self._names.articles, [item.story_id for item in mail.items])
        stories, gone = [], []
        for item in mail.items:
            article = articles.get(item.article_id)
            if article is None and item.article_id:
                gone += [d.id for d in item.deliveries]
            else:
                others = tuple(articles[other] for other in item.other_article_ids if other in articles)
                stories.append(MailStory(item, article, counts[item.story_id], others))
        return stories, gone

    def _passages(self, stories: Sequence[MailStory]) -> dict[str, tuple[Passage, ...]]:
        """Delivery → where its saved search matches, for those of which it isn't known yet."""
        wanted = {}
        for story in stories:
            for delivery in story.item.deliveries:
                search, article = self._searches.get(delivery.alert_id), story.article
                if search and article and article.id == delivery.article_id and not delivery.passages:
                    wanted[delivery.id] = (search.id, marking_query(search), article.language, article.id)
        found = highlights(self._es, self._names, wanted.values())
        return {name: found.get((alert_id, article_id), ()) for name, (alert_id, _, _, article_id) in wanted.items()}

    def _begin(self, made: _Composed, mail: Mail) -> bool:
        """Write the mail's key into its deliveries, so that whoever finds them makes the same mail.

        False: another worker, which took us for dead, has taken one of them meanwhile; then the mail is not to be sent.
        """
        found = self._outbox.get(made.carried)
        if not all(is_ours(outcome_for(one.value, mail.recipient), mail) for one in found):
            return False
        written = self._outbox.acknowledge(found, partial(begun, made=made, mail=mail))
        return all(outcome_for(one, mail.recipient).key == mail.key for one in written)

    def _note(
        self, result: SendResult, mail: Mail, to: str, made: _Composed, box: Mailbox
    ) -> tuple[Mailbox, DeliverReport]:
        now, carried = self._clock(), made.carried
        if to in result.accepted:
            self._settle(carried, mail, DeliveryState.SENT, None, reference=result.reference)
            alerts = tuple(d.alert_id for d in mail.deliveries)
            return served(box, alerts, now), DeliverReport(sent=1)
        why, refusal = result.why_not(to), result.refused.get(to)
        if refusal and refusal.permanent:
            self._settle(carried, mail, DeliveryState.FAILED, why)
            return answered(box, why), DeliverReport(failed=1)
        # Surely not taken: next time it may go with others, in another mail. Perhaps taken: only as this very mail.
        self._settle(carried, mail, DeliveryState.PENDING, why, forget=result.unknown is None and not mail.again)
        if result.down:
            return replace(box, last_error=why), DeliverReport(postponed=1, down=result.down)
        return self._put_off(mail, carried, put_off(box, why, now), why)

    def _put_off(self, mail: Mail, carried: Sequence[str], later: Mailbox, why: str) -> tuple[Mailbox, DeliverReport]:
        down = self._lines.down(channel_of(mail.recipient))
        tried_for = self._clock() - (later.failing_since or self._clock())
        if tried_for >= timedelta(seconds=self._settings.mail_give_up_s):
            self._settle(carried, mail, DeliveryState.FAILED, f"given up since {later.failing_since:%Y-%m-%d}: {why}")
            return later, DeliverReport(failed=1, down=down)
        return later, DeliverReport(postponed=1, later=later.retry_at, down=down)

    def _settle(
        self,
        ids: Sequence[str],
        mail: Mail,
        state: DeliveryState,
        error: str | None,
        *,
        forget: bool = False,
        reference: str = "",
    ) -> None:
        """Write what became of the deliveries for the mail's recipient."""
        now = self._clock()

        def settled(delivery: Delivery) -> Delivery:
            was = outcome_for(delivery, mail.recipient)
            if not is_ours(was, mail):
                return delivery  # another worker took us for dead: what it noted stands
            key, name = ("", "") if forget else (mail.key, reference or was.reference)
            return with_outcome(delivery, replace(was, state=state, at=now, error=error, key=key, reference=name))

        self._outbox.acknowledge(self._outbox.get(ids), settled)


def begun(delivery: Delivery, made: _Composed, mail: Mail) -> Delivery:
    """The delivery once its mail is about to be sent; as it is, if another worker has taken it meanwhile. Pure.

    It holds what its article announces by now, so that it is not told again as a correction.
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
    """Whether nobody else has served the recipient, or begun to, with another mail. Pure."""
    return outcome.state is DeliveryState.PENDING and outcome.key in ("", mail.key)


def with_passages(story: MailStory, passages: Mapping[str, tuple[Passage, ...]]) -> MailStory:
    """The story with what was found for its deliveries. Pure."""
    found = tuple(replace(d, passages=passages.get(d.id, d.passages)) for d in story.item.deliveries)
    return replace(story, item=replace(story.item, deliveries=found))
