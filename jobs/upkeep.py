"""`upkeep`: what is old goes, what is settled is packed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jobs.context import Context, job
from store import retention


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was done."""

    dropped: tuple[str, ...]
    """Slices that were past their time."""
    superseded: tuple[str, ...]
    """Generations that an upgrade had replaced."""
    merged: tuple[str, ...]
    entries: int
    batches: int
    quarantined: int


@job("upkeep")
def upkeep(context: Context) -> UpkeepReport:
    """Drop what is older than `retention_days` and `batch_retention_days` say; doing it again does no harm.

    Raises:
        StoreError: Elasticsearch is unavailable; the next run does the rest.
    """
    es, names, now = context.es, context.names, context.clock()
    old = now - timedelta(days=context.settings.retention_days)
    done = now - timedelta(days=context.settings.batch_retention_days)
    return UpkeepReport(
        dropped=tuple(retention.drop_old_slices(es, names, old)),
        superseded=tuple(retention.drop_superseded(es, names, now)),
        # The entries last: while their article is there, they must be known.
        entries=retention.forget_entries(es, names, old),
        batches=retention.forget_batches(es, names, done),
        quarantined=retention.forget_quarantine(es, names, old),
        merged=tuple(retention.merge_settled(es, names, now)),
    )
