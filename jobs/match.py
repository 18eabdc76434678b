"""`match`: the batches that wait, against every saved search. What it owes is sent by `jobs.deliver`.

A batch is marked as matched only after every delivery it owes stands in the outbox, so dying anywhere means that it
is matched again, and the outbox takes each (saved search, story) once. A batch, a correction or a saved search that
can't be worked on is set aside; a batch stays waiting, and the next run tries it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from alerts.events import events
from alerts.match import match_batch
from alerts.resting import Rests, recovered, rests
from alerts.saved import SavedSearches
from delivery.channels.registry import parse_address
from delivery.corrections import enqueue_corrections
from delivery.outbox import Outbox
from jobs.context import Context, job
from newswatch.alert import SavedSearch
from newswatch.batch import Batch
from newswatch.problems import Bulkhead
from store.batches import BatchStore
from store.documents import Stored
from store.stories import Stories


@dataclass(frozen=True, slots=True)
class MatchedReport:
    """What matching brought."""

    batches: tuple[int, ...] = ()
    matches: int = 0
    owed: int = 0
    """Deliveries that were not owed before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Saved search → why it could not be run. The others were."""
    set_aside: int = 0
    """Batches, corrections and saved searches that could not be used (`newswatch problems` says why)."""


@job("match")
def match(context: Context) -> MatchedReport:
    """Match every batch that waits, and owe the mails.

    What is wrong with one saved search, or one item of `alerts.yaml`, costs that search alone and is set aside.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    with context.stage("match") as walls:
        report = _match(context, walls)
    return replace(report, set_aside=len(walls.problems))


def _match(context: Context, walls: Bulkhead) -> MatchedReport:
    now, seeding = context.clock(), context.bulkhead("seed")
    searches = SavedSearches(context.es, context.names)
    searches.seed_from_file(context.settings.config_dir / "alerts.yaml", parse_address, seeding, now=now)
    context.settle(seeding)
    enabled, batches = searches.enabled(now=now), BatchStore(context.es, context.names)
    known = rests(context.es, context.names, enabled, now)
    report = MatchedReport()

    def with_batch(waiting: Stored[Batch], among: Sequence[SavedSearch]) -> MatchedReport:
        """A batch that can't be matched keeps waiting and does not hold up the later ones."""
        work = partial(_match_one, context, waiting, among, report, walls, known)
        return walls.attempt("batch", waiting.value.id, work) or report

    for waiting in batches.waiting(now=now):
        report = with_batch(waiting, enabled)
    for late in batches.unmatched(now=now):
        again = [search for search in enabled if search.id in late.value.unmatched]
        if not again or any(search.id not in known.resting and search.id not in report.failed for search in again):
            report = with_batch(late, again)
    told = events(context.es, context.names, enabled, now, bulkhead=walls, resting=known.resting)
    owed = Outbox(context.es, context.names).enqueue_events(told, enabled, now, bulkhead=walls)
    if report.batches:
        well = (search_id for search_id in known.tried_again if not walls.has("search", search_id))
        recovered(context.es, context.names, well)
    return replace(report, owed=report.owed + owed.created)


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
    owed = Outbox(context.es, context.names).enqueue(found.matches, searches, context.clock(), bulkhead=walls)
    corrections = enqueue_corrections(context.es, context.names, waiting.value, context.clock(), bulkhead=walls)
    # A search that could not be run must neither hold up the others nor miss the batch.
    failed = {**owed.failed, **found.failed}
    BatchStore(context.es, context.names).mark_matched(waiting, now=context.clock(), unmatched=failed)
    return MatchedReport(
        batches=(*report.batches, waiting.value.number),
        matches=report.matches + len(found.matches),
        owed=report.owed + owed.created + corrections.created,
        failed={**report.failed, **failed},
    )


def batch_waits(context: Context) -> bool:
    """Whether `match` has anything to do: articles have come in that are not matched yet."""
    batches, now = BatchStore(context.es, context.names), context.clock()
    return bool(batches.waiting(now=now, limit=1) or batches.unmatched(now=now, limit=1))
