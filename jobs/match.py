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

from alerts.corrections import owe_corrections
from alerts.match import match_batch
from alerts.outbox import Outbox
from alerts.saved import SavedSearches, load_alerts
from alerts.volume import owe_volume
from jobs.context import Context
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
    set_aside: int = 0
    """Batches, corrections and saved searches that could not be used (`newswatch problems` says why)."""


def match(context: Context) -> MatchedReport:
    """Match every batch that waits, and owe the mails.

    Raises:
        StoreError, ConfigError: nothing is lost; run it again.
    """
    walls = context.bulkhead("match")
    try:
        report = _match(context, walls)
    finally:
        if walls.problems:
            context.set_aside(walls)
    return replace(report, set_aside=len(walls.problems))


def _match(context: Context, walls: Bulkhead) -> MatchedReport:
    searches = SavedSearches(context.es, context.names)
    searches.seed(load_alerts(context.settings.config_dir / "alerts.yaml"))
    enabled, batches, now = searches.enabled(), BatchStore(context.es, context.names), context.clock()
    report = MatchedReport()
    for waiting in batches.waiting(now=now):
        report = _walled(context, walls, waiting, enabled, report)
    for late in batches.unmatched(now=now):
        again = [search for search in enabled if search.id in late.value.unmatched]
        report = _walled(context, walls, late, again, report)
    owed = owe_volume(context.es, context.names, enabled, now, bulkhead=walls)
    return replace(report, owed=report.owed + owed.created)


def _walled(
    context: Context, walls: Bulkhead, waiting: Stored[Batch], searches: Sequence[SavedSearch], report: MatchedReport
) -> MatchedReport:
    """`_match_one`; a batch that can't be matched keeps waiting and does not hold up the later ones."""
    work = partial(_match_one, context, walls, waiting, searches, report)
    return walls.attempt("batch", waiting.value.id, work) or report


def _match_one(
    context: Context,
    walls: Bulkhead,
    waiting: Stored[Batch],
    searches: Sequence[SavedSearch],
    report: MatchedReport,
) -> MatchedReport:
    """Place the batch's articles into their stories, find who watches them, owe the mails, and mark the batch."""
    window = timedelta(days=context.settings.story_window_days)
    Stories(context.es, context.names, window=window).place(waiting.value, now=context.clock())
    found = match_batch(context.es, context.names, waiting.value, searches)
    owed = Outbox(context.es, context.names).owe(found.matches, searches, context.clock(), bulkhead=walls)
    corrections = owe_corrections(context.es, context.names, waiting.value, context.clock(), bulkhead=walls)
    # A search that could not be run must neither hold up the others nor miss the batch.
    failed = {**found.failed, **owed.failed}
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
