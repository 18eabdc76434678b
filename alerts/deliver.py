"""Sending what is owed: read, group, render, send, write down what became of it.

For each recipient, in this order, so that dying anywhere loses nothing: claim the mailbox; read what waits, in real
time; write into each delivery the Message-ID of the mail that will carry it; send; write down the result. Who finds a
Message-ID without a result makes that same mail again: only dying between the server's yes and our note of it sends a
mail twice, and then both carry one Message-ID.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Protocol

from elasticsearch import Elasticsearch

from alerts.compose import Mail, Plan, plan
from alerts.corrections import announced
from alerts.highlight import highlights
from alerts.links import Links
from alerts.mail import Story, render
from alerts.mailbox import Mailbox, Mailboxes, put_off, served
from alerts.outbox import Outbox, outcome_for, with_outcome
from alerts.query import marking_query
from alerts.saved import SavedSearches
from alerts.smtp import SendResult
from newswatch.clock import running_from
from newswatch.model import Delivery, DeliveryState, Outcome, Passage, SavedSearch
from newswatch.settings import Settings
from search.articles import ArticleStore
from search.documents import Stored
from search.names import Names
from search.story_view import independent_sources

LEASE = timedelta(minutes=5)
"""How long a worker may take for one mail; after that another takes its recipient over."""


class Sends(Protocol):
    """What hands mails to a server: `alerts.smtp.Mailer`."""

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> SendResult:
        """Offer the mail, once."""
        ...

    def close(self) -> None:
        """Say goodbye."""
        ...


@dataclass(frozen=True, slots=True)
class DeliverReport:
    """What became of the mails that were due."""

    sent: int = 0
    """Mails, not deliveries: a mail can carry many."""
    postponed: int = 0
    """Mails that the server put off."""
    failed: int = 0
    """Mails refused for good."""
    suppressed: int = 0
    """Deliveries that a rule keeps from being sent."""
    down: str | None = None
    """Why nothing can be sent now; everything stays owed."""
    later: datetime | None = None
    """When the first of what was held back (to be grouped, throttled or tried again) becomes due."""

    def __add__(self, other: DeliverReport) -> DeliverReport:
        moments = [moment for moment in (self.later, other.later) if moment]
        return DeliverReport(
            self.sent + other.sent,
            self.postponed + other.postponed,
            self.failed + other.failed,
            self.suppressed + other.suppressed,
            self.down or other.down,
            min(moments, default=None),
        )


def deliver(
    es: Elasticsearch, names: Names, settings: Settings, *, now: datetime, mailer: Sends, limit: int = 1_000
) -> DeliverReport:
    """Send what is due, to `limit` recipients at most; the rest stays due.

    Raises:
        StoreError: Elasticsearch is in trouble; nothing is lost, run it again.
    """
    worker = _Worker(es, names, settings, _clock_from(now), mailer)
    try:
        return worker.run(limit)
    finally:
        mailer.close()


def _clock_from(now: datetime) -> Callable[[], datetime]:
    """A clock that stands at `now` and goes on from there, while the machine sleeps too."""
    return running_from(now)


class _Worker:
    def __init__(
        self, es: Elasticsearch, names: Names, settings: Settings, clock: Callable[[], datetime], mailer: Sends
    ) -> None:
        self._es, self._names, self._settings, self._clock, self._mailer = es, names, settings, clock, mailer
        self._outbox, self._boxes = Outbox(es, names), Mailboxes(es, names)
        self._articles, self._links = ArticleStore(es, names), Links(settings)
        self._id = uuid.uuid4().hex
        self._domain = settings.mail_from.rpartition("@")[2]
        self._searches: dict[str, SavedSearch] = {}

    def run(self, limit: int) -> DeliverReport:
        self._outbox.refresh()
        report = DeliverReport()
        recipients = self._outbox.recipients_due(self._clock())[:limit]
        if recipients:
            self._searches = {s.id: s for s in SavedSearches(self._es, self._names).all()}
        for recipient in recipients:
            held = self._boxes.claim(recipient, self._id, self._clock(), LEASE)
            if held is not None:
                report += self._serve(held)
            if report.down:
                break
        return report

    def _serve(self, held: Stored[Mailbox]) -> DeliverReport:
        """Send what `held` is owed, and give the mailbox back."""
        box = held.value
        owed = {found.id: found for found in self._outbox.owed_to(box.address)}
        planned = self._plan(box, [found.value for found in owed.values()])
        report = self._suppress(planned, owed, box.address) + DeliverReport(later=planned.later)
        for mail in planned.mails:
            kept = self._keep(held, replace(held.value, claimed_until=self._clock() + LEASE))
            if kept is None:
                return report  # we took too long: another worker serves this recipient now
            box, told = self._send(mail, kept.value)
            report += told
            held = self._keep(kept, box) or kept
            if report.down or (box.retry_at and box.retry_at > self._clock()):
                break
        self._keep(held, replace(held.value, claimed_until=None, claimed_by=""))
        return report

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

    def _plan(self, box: Mailbox, owed: Sequence[Delivery]) -> Plan:
        told = self._outbox.told(box.address, {d.story_id for d in owed})
        group = timedelta(seconds=self._settings.mail_group_s)
        return plan(box, owed, told, self._searches, now=self._clock(), group=group, domain=self._domain)

    def _suppress(self, planned: Plan, owed: Mapping[str, Stored[Delivery]], recipient: str) -> DeliverReport:
        def suppressed(delivery: Delivery) -> Delivery:
            rule = planned.suppressed[delivery.id]
            return with_outcome(delivery, Outcome(recipient, DeliveryState.SUPPRESSED, at=self._clock(), error=rule))

        self._outbox.settle([owed[delivery_id] for delivery_id in planned.suppressed], suppressed)
        return DeliverReport(suppressed=len(planned.suppressed))

    def _send(self, mail: Mail, box: Mailbox) -> tuple[Mailbox, DeliverReport]:
        stories, gone = self._stories(mail)
        if gone:
            self._settle(gone, mail, DeliveryState.FAILED, "its article is no longer in the index")
        if not stories:
            return box, DeliverReport(failed=1)
        carried = [d.id for story in stories for d in story.item.deliveries]
        passages = self._passages(stories)
        stories = [with_passages(story, passages) for story in stories]
        message = render(mail, stories, self._settings, self._links, now=self._clock())
        notices = {s.article.id: told.key for s in stories if s.article and (told := announced(s.article))}
        if not self._begin(carried, mail, str(message["Subject"]), notices, passages):
            return box, DeliverReport()
        result = self._mailer.send(message, [mail.recipient])
        return self._note(result, mail, carried, box)

    def _stories(self, mail: Mail) -> tuple[list[Story], list[str]]:
        """What the mail tells, and the deliveries whose article is gone."""
        articles = self._articles.get({d.article_id for d in mail.deliveries if d.article_id})
        counts = independent_sources(self._es, self._names.articles, [item.story_id for item in mail.items])
        stories, gone = [], []
        for item in mail.items:
            article = articles.get(item.article_id)
            if article is None and item.article_id:
                gone += [d.id for d in item.deliveries]
            else:
                others = tuple(articles[other] for other in item.other_article_ids if other in articles)
                stories.append(Story(item, article, counts[item.story_id], others))
        return stories, gone

    def _passages(self, stories: Sequence[Story]) -> dict[str, tuple[Passage, ...]]:
        """Delivery → where its saved search matches, for those of which it isn't known yet."""
        wanted = {}
        for story in stories:
            for delivery in story.item.deliveries:
                search, article = self._searches.get(delivery.alert_id), story.article
                if search and article and article.id == delivery.article_id and not delivery.passages:
                    wanted[delivery.id] = (search.id, marking_query(search), article.language, article.id)
        found = highlights(self._es, self._names, wanted.values())
        return {name: found.get((alert_id, article_id), ()) for name, (alert_id, _, _, article_id) in wanted.items()}

    def _begin(
        self,
        carried: Sequence[str],
        mail: Mail,
        subject: str,
        notices: Mapping[str, str],
        passages: Mapping[str, tuple[Passage, ...]],
    ) -> bool:
        """Write the mail's Message-ID into its deliveries, so that whoever finds them makes the same mail.

        And what the articles announce by now (`notices`, by article), so that it is not told again as a correction.
        False: another worker, which took us for dead, has taken one of them meanwhile; then the mail is not to be sent.
        """
        taken: set[str] = set()

        def begun(delivery: Delivery) -> Delivery:
            was = outcome_for(delivery, mail.recipient)
            if not is_ours(was, mail):
                taken.add(delivery.id)
                return delivery
            now = replace(was, message_id=mail.message_id, subject=subject, attempts=was.attempts + 1)
            noticed = replace(
                delivery,
                notice=notices.get(delivery.article_id, delivery.notice),
                passages=passages.get(delivery.id, delivery.passages),
            )
            return with_outcome(noticed, now)

        found = self._outbox.get(carried)
        if any(not is_ours(outcome_for(one.value, mail.recipient), mail) for one in found):
            return False
        self._outbox.settle(found, begun)
        return not taken

    def _note(
        self, result: SendResult, mail: Mail, carried: Sequence[str], box: Mailbox
    ) -> tuple[Mailbox, DeliverReport]:
        now = self._clock()
        if mail.recipient in result.accepted:
            self._settle(carried, mail, DeliveryState.SENT, None)
            alerts = tuple(d.alert_id for d in mail.deliveries)
            return served(box, alerts, now), DeliverReport(sent=1)
        refusal = result.refused.get(mail.recipient)
        if refusal and refusal.permanent:
            self._settle(carried, mail, DeliveryState.FAILED, refusal.reason)
            return replace(box, last_error=refusal.reason), DeliverReport(failed=1)
        why = refusal.reason if refusal else result.down or result.unknown or "no answer"
        # Surely not taken: next time it may go with others, in another mail. Perhaps taken: only as this very mail.
        self._settle(carried, mail, DeliveryState.PENDING, why, forget=result.unknown is None and not mail.again)
        if result.down:
            return replace(box, last_error=why), DeliverReport(postponed=1, down=result.down)
        later = put_off(box, why, now)
        if later.failing_since and now - later.failing_since >= timedelta(seconds=self._settings.mail_give_up_s):
            self._settle(carried, mail, DeliveryState.FAILED, f"given up since {later.failing_since:%Y-%m-%d}: {why}")
            return later, DeliverReport(failed=1)
        return later, DeliverReport(postponed=1, later=later.retry_at)

    def _settle(
        self, ids: Sequence[str], mail: Mail, state: DeliveryState, error: str | None, *, forget: bool = False
    ) -> None:
        """Write what became of the deliveries for the mail's recipient."""
        now = self._clock()

        def settled(delivery: Delivery) -> Delivery:
            was = outcome_for(delivery, mail.recipient)
            if not is_ours(was, mail):
                return delivery  # another worker took us for dead: what it noted stands
            message_id = "" if forget else mail.message_id
            return with_outcome(delivery, replace(was, state=state, at=now, error=error, message_id=message_id))

        self._outbox.settle(self._outbox.get(ids), settled)


def is_ours(outcome: Outcome, mail: Mail) -> bool:
    """Whether nobody else has served the recipient, or begun to, with another mail. Pure."""
    return outcome.state is DeliveryState.PENDING and outcome.message_id in ("", mail.message_id)


def with_passages(story: Story, passages: Mapping[str, tuple[Passage, ...]]) -> Story:
    """The story with what was found for its deliveries. Pure."""
    found = tuple(replace(d, passages=passages.get(d.id, d.passages)) for d in story.item.deliveries)
    return replace(story, item=replace(story.item, deliveries=found))
