"""`upkeep`: drops what is too old, and force-merges past months."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jobs.context import Context, job
from jobs.keeping import join_archive
from store import retention


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was done."""

    dropped: tuple[str, ...]
    """Slices that were past their retention."""
    superseded: tuple[str, ...]
    """Generations that an upgrade had replaced."""
    merged: tuple[str, ...]
    entries: int
    batches: int
    quarantined: int
    desks: int
    """Readers' marks, handovers and visits."""


@job("upkeep")
def upkeep(context: Context) -> UpkeepReport:
    """Drop what is older than `retention_days` and `batch_retention_days`; repeating it is harmless.

    Raises:
        StoreError: Elasticsearch is unavailable; the next run does the rest.
    """
    join_archive(context)
    es, names, now = context.es, context.names, context.clock()
    old = now - timedelta(days=context.settings.retention_days)
    done = now - timedelta(days=context.settings.batch_retention_days)
    return UpkeepReport(
        dropped=tuple(retention.drop_old_slices(es, names, old)),
        superseded=tuple(retention.drop_superseded(es, names, now)),
        # Entries last: they must be known as long as their article exists.
        entries=retention.forget_entries(es, names, old),
        batches=retention.forget_batches(es, names, done),
        quarantined=retention.forget_quarantine(es, names, old),
        desks=retention.forget_readers(es, names, old),
        merged=tuple(retention.merge_settled(es, names, now)),
    )
