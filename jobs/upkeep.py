"""`upkeep`: drops what is too old, and force-merges past months."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.context import Context, job
from jobs.doubt import doubt_of_clock, last_upkeep
from jobs.keeping import join_archive
from newswatch.errors import StoreError
from newswatch.problems import Problem
from store import retention
from store.indices.backups import Backups
from store.indices.replicas import apply_replicas
from store.past_months import PastMonths


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
    audit: int = 0
    """Records of the audit log, whose chain was checked."""
    deliveries: int = 0
    rechecks: int = 0
    labels: int = 0
    replicated: tuple[str, ...] = ()
    """Indices that were given the stated number of replicas."""
    learned: tuple[str, ...] = ()
    """Slices of past months whose articles are known now by hashes of their ids, should the month get out of reach."""


@job("upkeep")
def upkeep(context: Context, *, clock_is_right: bool = False) -> UpkeepReport:
    """Drop what is older than its retention in the settings, and check the audit log; repeating it is harmless.

    With `clock_is_right`, somebody has looked at the clock after a long pause.

    Raises:
        StoreError: Elasticsearch is unavailable, and the next run does the rest; or the last run was so long ago that
            the clock is doubtful, and nothing was dropped.
    """
    join_archive(context)
    es, names, now = context.es, context.names, context.clock()
    if not clock_is_right and (doubt := doubt_of_clock(now, last_upkeep(context))):
        raise StoreError(doubt)
    old = now - timedelta(days=context.settings.retention_days)
    done = now - timedelta(days=context.settings.batch_retention_days)
    seen = max(old, now - timedelta(days=context.settings.entry_retention_days))
    logged = now - timedelta(days=context.settings.audit_retention_days)
    backups = Backups(es, names)
    backups.delete_indices(backups.drilled_before(now.date() - timedelta(days=1)))  # of drills that were killed
    retention.forget_pushes(es, names, now)
    retention.forget_milestones(es, names, old)
    return UpkeepReport(
        replicated=tuple(apply_replicas(es, names, context.settings)),
        dropped=tuple(retention.drop_old_slices(es, names, old)),
        superseded=tuple(retention.drop_superseded(es, names, now)),
        # Entries last: they must be known as long as their article exists.
        entries=retention.forget_entries(es, names, seen),
        batches=retention.forget_batches(es, names, done),
        quarantined=retention.forget_quarantine(es, names, old),
        desks=retention.forget_readers(es, names, old),
        audit=_audited(context, logged),
        # After the articles: a story that has none left can't match again.
        deliveries=retention.forget_deliveries(es, names, old),
        rechecks=retention.forget_rechecks(es, names, done),
        labels=retention.forget_labels(es, names, old),
        merged=tuple(retention.merge_settled(es, names, now)),
        learned=tuple(PastMonths(es, names).learn(now)),
    )


def _audited(context: Context, before: datetime) -> int:
    """How many records the audit log has, after its old months were dropped.

    That its chain is broken, or that nothing can be written to it, becomes a problem: the rest must be kept in shape.
    """
    walls = context.bulkhead("audit")
    try:
        retention.drop_old_audit(context.audit, context.names, before)
    except StoreError as error:
        walls.note(Problem("document", "audit retention", f"old records stay: {error}", walls.stage))
    chain = context.audit.check()
    if chain.faults:
        reason = f"records were changed or taken away from outside: {'; '.join(chain.faults)}"
        walls.note(Problem("document", "audit", reason, walls.stage))
    context.replace_problems(walls)
    return chain.records
