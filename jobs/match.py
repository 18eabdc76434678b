"""`match`: the batches that wait, against every saved search; then the mails owed are sent.

A batch is marked as matched only after every delivery it owes stands in the outbox, so dying anywhere means that it
is matched again, and the outbox takes each (saved search, story) once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alerts.corrections import owe_corrections
from alerts.deliver import DeliverReport, deliver
from alerts.match import match_batch
from alerts.outbox import Outbox
from alerts.owing import owe_each
from alerts.resting import Rests, recovered, rests
from alerts.saved import SavedSearches
from alerts.smtp import Mailer
from alerts.volume import owe_volume
from jobs.context import Context, job
from newswatch.model import Batch, SavedSearch
from newswatch.problems import Bulkhead
from search.batches import BatchStore
from search.documents import Stored
from search.stories import Stories


@dataclass(frozen=True, slots=True)
class MatchedReport:
    """What matching brought."""

    batches: tuple[int, ...] = ()
    matches: int = 0
    owed: int = 0
    """Deliveries that were not owed before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Saved search → why it could not be run. The others were."""
    delivered: DeliverReport | None = None

    def __add__(self, later: MatchedReport) -> MatchedReport:
        """Both as one: what is held back is what `later` says, as it was told last."""
        sent = [report for report in (self.delivered, later.delivered) if report]
        total = sum(sent, DeliverReport())
        return MatchedReport(
            (*self.batches, *later.batches),
            self.matches + later.matches,
            self.owed + later.owed,
            {**self.failed, **later.failed},
            replace(total, down=sent[-1].down, later=sent[-1].later) if sent else None,
        )


LOOK_S = 2.0
"""Seconds between two looks for new batches while a mail is held."""


def attend(context: Context, *, pause: Callable[[float], None] = time.sleep) -> MatchedReport:
    """`match`, and then stay while mails are held that come due within the grouping time, to send them on time.

    Else a mail that is held for a second would wait for the next poll, a minute. What comes in meanwhile is matched at
    once. It stays two grouping times at most: whatever comes later wakes the next run.

    Raises:
        StoreError, ConfigError: nothing is lost; run it again.
    """
    group = timedelta(seconds=context.settings.mail_group_s)
    end = context.clock() + 2 * group
    report = match(context)
    while report.delivered and (due := report.delivered.later) and due <= min(context.clock() + group, end):
        while (left := (due - context.clock()).total_seconds()) > 0:
            pause(min(left, LOOK_S))
            if batch_waits(context):
                break
        report += match(context)
    return report


@job("match")
def match(context: Context) -> MatchedReport:
    """Match every batch that waits, then deliver.

    What is wrong with one saved search, or one item of `alerts.yaml`, costs that search alone and is set aside.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    now, seeding, walls = context.clock(), context.bulkhead("seed"), context.bulkhead("match")
    searches = SavedSearches(context.es, context.names)
    searches.seed_from_file(context.settings.config_dir / "alerts.yaml", seeding, now=now)
    context.set_aside(seeding)
    enabled, batches = searches.enabled(now=now), BatchStore(context.es, context.names)
    known = rests(context.es, context.names, enabled, now)
    report = MatchedReport()
    for waiting in batches.waiting(now=now):
        report = _match_one(context, waiting, enabled, report, walls, known)
    for late in batches.unmatched(now=now):
        again = [search for search in enabled if search.id in late.value.unmatched]
        if not again or any(search.id not in known.resting and search.id not in report.failed for search in again):
            report = _match_one(context, late, again, report, walls, known)
    owed = owe_volume(context.es, context.names, enabled, now, bulkhead=walls, resting=known.resting)
    context.set_aside(walls)
    if report.batches:
        well = (search_id for search_id in known.tried_again if not walls.has("search", search_id))
        recovered(context.es, context.names, well)
    return replace(report, owed=report.owed + owed.created, delivered=send(context))


def _match_one(
    context: Context,
    waiting: Stored[Batch],
    searches: Sequence[SavedSearch],
    report: MatchedReport,
    walls: Bulkhead,
    known: Rests,
) -> MatchedReport:
    """Place the batch's articles into their stories, find who watches them, owe the mails, and mark the batch."""
    window = timedelta(days=context.settings.story_window_days)
    Stories(context.es, context.names, window=window).place(waiting.value, now=context.clock())
    # What failed on one batch of this run is not tried on the next: each try may cost seconds.
    resting = {**known.resting, **report.failed}
    found = match_batch(context.es, context.names, waiting.value, searches, bulkhead=walls, resting=resting)
    outbox = Outbox(context.es, context.names)
    owed = owe_each(outbox, found.matches, searches, context.clock(), walls)
    corrections = owe_corrections(context.es, context.names, waiting.value, context.clock())
    refused = {m.alert_id: why for m in found.matches if (why := walls.reason("search", m.alert_id))}
    failed = {**refused, **found.failed}
    # A search that could not be run must neither hold up the others nor miss the batch.
    BatchStore(context.es, context.names).mark_matched(waiting, now=context.clock(), unmatched=failed)
    return MatchedReport(
        batches=(*report.batches, waiting.value.number),
        matches=report.matches + len(found.matches),
        owed=report.owed + owed.created + corrections.created,
        failed={**report.failed, **failed},
    )


def send(context: Context) -> DeliverReport:
    """Send the mails that are due."""
    mailer = Mailer(context.settings)
    return deliver(context.es, context.names, context.settings, now=context.clock(), mailer=mailer)


def work_waits(context: Context) -> bool:
    """Whether `match` has anything to do: a batch to match or a mail to send."""
    now = context.clock()
    batches = BatchStore(context.es, context.names)
    if batch_waits(context) or batches.unmatched(now=now, limit=1):
        return True
    return Outbox(context.es, context.names).has_due(now)


def batch_waits(context: Context) -> bool:
    """Whether articles have come in that are not matched yet."""
    return bool(BatchStore(context.es, context.names).waiting(now=context.clock(), limit=1))
