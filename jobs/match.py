"""`match`: matches the waiting batches against every saved search. `jobs.deliver` sends the mails it enqueues.

A batch is marked as matched only after all its deliveries are in the outbox. After a crash it is matched again, and the
outbox accepts each (saved search, story) once. A batch, a correction or a saved search that can't be processed goes
into quarantine; a batch also stays waiting, and the next run tries it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, partial

from alerts.events import events
from alerts.match import match_batch
from alerts.resting import Rests, recovered, rests
from alerts.saved import SavedSearches
from delivery.corrections import enqueue_corrections
from delivery.outbox import Outbox
from delivery.search_notices import enqueue_notices
from jobs.applied import seed_searches
from jobs.context import Context, job
from jobs.encoder import encoder_of
from jobs.uniting import join_across
from newswatch.alert import SavedSearch
from newswatch.batch import Batch, BatchState
from newswatch.outages import WORTH_TELLING, Cause, added
from newswatch.problems import Bulkhead
from store.batches import BatchStore
from store.elastic.documents import Stored
from store.elastic.turns import MATCHING, turn
from store.lost_months import lost_slices, names_without
from store.outages import OutageStore
from store.stories import Stories

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MatchedReport:
    """The result of matching."""

    batches: tuple[int, ...] = ()
    matches: int = 0
    owed: int = 0
    """New deliveries in the outbox."""
    notices: int = 0
    """Besides these, what is to be said of saved searches that fail or work again."""
    failed: dict[str, str] = field(default_factory=dict)
    """Saved search → why it could not be run. The others were run."""
    out_of_reach: int = 0
    """Batches that wait for a month of the articles which can't be searched now."""
    set_aside: int = 0
    """Batches, corrections and saved searches that could not be used (`newswatch problems` says why)."""


@job("match")
def match(context: Context) -> MatchedReport:
    """Match every waiting batch, and enqueue the mails. Two runs never match at once: copies must meet in order.

    A fault in one saved search, or in one item of `alerts.yaml`, costs only that search; it goes into quarantine.

    Raises:
        StoreError: nothing is lost; run it again.
    """
    with turn(context.es, context.names, MATCHING) as hold:
        with context.stage("match") as walls:
            report = _match(context, walls, hold)
        # After the problems of matching are kept, which say what has failed. An erasure waits for the turn.
        with context.stage("owe") as owing:
            notices = enqueue_notices(context.es, context.names, context.clock(), bulkhead=owing)
    return replace(report, notices=notices.created, set_aside=len(walls.problems) + len(owing.problems))


def _match(context: Context, walls: Bulkhead, hold: Callable[[], None]) -> MatchedReport:
    now, seeding = context.clock(), context.bulkhead("seed")
    searches = SavedSearches(context.es, context.names)
    seed_searches(context, seeding)
    context.replace_problems(seeding)
    enabled, batches = searches.enabled(now=now), BatchStore(context.es, context.names)
    known = rests(context.es, context.names, enabled, now)
    stories = cache(partial(_stories, context))
    lost = lost_slices(context.es, context.names)
    report = MatchedReport()

    def with_batch(waiting: Stored[Batch], among: Sequence[SavedSearch]) -> MatchedReport:
        """Match a batch. If that fails, it keeps waiting and does not delay the later ones."""
        reach = context
        placing: Callable[[], Stories] = stories
        if lost:
            without = _without(context, waiting.value, lost)
            if without is None:
                log.warning("batch %s waits for %s", waiting.value.number, ", ".join(lost))
                return replace(report, out_of_reach=report.out_of_reach + 1)
            reach, placing = without, partial(_stories, without)
        work = partial(_match_one, reach, placing, waiting, among, report, walls, known, hold)
        return walls.attempt("batch", waiting.value.id, work) or report

    for waiting in batches.waiting(now=now):
        report = with_batch(waiting, enabled)
        _note_lateness(context, waiting.value, report, walls)
    for late in batches.unmatched(now=now):
        again = [search for search in enabled if search.id in late.value.unmatched]
        if not again or any(search.id not in known.resting and search.id not in report.failed for search in again):
            report = with_batch(late, again)
    happened = events(context.es, context.names, enabled, now, bulkhead=walls, resting=known.resting)
    owed = Outbox(context.es, context.names).enqueue_events(happened, enabled, now, bulkhead=walls)
    if report.batches:
        well = (search_id for search_id in known.tried_again if not walls.has("search", search_id))
        recovered(context.es, context.names, well)
    return replace(report, owed=report.owed + owed.created)


def _note_lateness(context: Context, batch: Batch, report: MatchedReport, walls: Bulkhead) -> None:
    """Record that the articles of a batch that was matched now had waited for too long."""
    now = context.clock()
    since = batch.indexed_at or now
    if batch.state is BatchState.INDEXED and batch.number in report.batches and now - since >= WORTH_TELLING:
        late = partial(added, since=since, until=now)
        outages = OutageStore(context.es, context.names)
        walls.attempt("document", f"{Cause.MATCHING} outages", partial(outages.change, Cause.MATCHING, late))


def _stories(context: Context) -> Stories:
    return Stories(context.es, context.names, window=_window(context), encoder=encoder_of(context))


def _window(context: Context) -> timedelta:
    return timedelta(days=context.settings.story_window_days)


def _without(context: Context, batch: Batch, lost: Sequence[str]) -> Context | None:
    """The context by which the batch is matched without the slices that are lost; None: it needs one of them."""
    names = names_without(context.es, context.names, batch, lost, window=_window(context))
    return replace(context, names=names) if names else None


def _match_one(
    context: Context,
    stories: Callable[[], Stories],
    waiting: Stored[Batch],
    searches: Sequence[SavedSearch],
    report: MatchedReport,
    walls: Bulkhead,
    known: Rests,
    hold: Callable[[], None],
) -> MatchedReport:
    """Assign the batch's articles to stories, match the saved searches, enqueue the mails, and mark the batch."""
    stories().place(waiting.value, now=context.clock(), hold=hold)
    # A fault in joining costs no mail. If it had noted joins, the batch is matched once more, which goes on with them.
    across = f"{waiting.value.id} across languages"
    waiting = walls.attempt("batch", across, partial(join_across, context, waiting, hold)) or waiting
    if waiting.value.imported:  # its import died before this step
        BatchStore(context.es, context.names).mark_matched(waiting, now=context.clock())
        return replace(report, batches=(*report.batches, waiting.value.number))
    # A search that failed on one batch of this run is skipped on the next: each try may cost seconds.
    resting = {**known.resting, **report.failed}
    matched = match_batch(context.es, context.names, waiting.value, searches, bulkhead=walls, resting=resting)
    owed = Outbox(context.es, context.names).enqueue(matched.matches, searches, context.clock(), bulkhead=walls)
    corrections = enqueue_corrections(context.es, context.names, waiting.value, context.clock(), bulkhead=walls)
    # A search that could not be run must neither delay the others nor miss the batch.
    failed = {**owed.failed, **matched.failed}
    BatchStore(context.es, context.names).mark_matched(waiting, now=context.clock(), unmatched=failed)
    return replace(
        report,
        batches=(*report.batches, waiting.value.number),
        matches=report.matches + len(matched.matches),
        owed=report.owed + owed.created + corrections.created,
        failed={**report.failed, **failed},
    )


def batch_waits(context: Context) -> bool:
    """Whether `match` has something to do: articles have arrived that are not matched yet."""
    batches, now = BatchStore(context.es, context.names), context.clock()
    return bool(batches.waiting(now=now, limit=1) or batches.unmatched(now=now, limit=1))
