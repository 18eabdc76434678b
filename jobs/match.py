"""`match`: the batches that wait, against every saved search; then the mails owed are sent.

A batch is marked as matched only after every delivery it owes stands in the outbox, so dying anywhere means that it
is matched again, and the outbox takes each (saved search, story) once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from alerts.deliver import DeliverReport, deliver
from alerts.outbox import Outbox
from alerts.smtp import Mailer

from alerts.match import match_batch
from alerts.saved import SavedSearches, load_alerts
from jobs.context import Context
from search.batches import BatchStore


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


def match(context: Context) -> MatchedReport:
    """Match every batch that waits, then deliver.

    Raises:
        StoreError, ConfigError: nothing is lost; run it again.
    """
    searches = SavedSearches(context.es, context.names)
    searches.seed(load_alerts(context.settings.config_dir / "alerts.yaml"))
    enabled, outbox, batches = (
        searches.enabled(),
        Outbox(context.es, context.names),
        BatchStore(context.es, context.names),
    )
    counts: Counter[str] = Counter()
    done: list[int] = []
    failed: dict[str, str] = {}
    for waiting in batches.waiting(now=context.clock()):
        found = match_batch(context.es, context.names, waiting.value, enabled)
        failed |= found.failed
        counts["matches"] += len(found.matches)
        counts["owed"] += outbox.owe(found.matches, enabled, context.clock()).created
        batches.mark_matched(waiting, now=context.clock())
        done.append(waiting.value.number)
    return MatchedReport(tuple(done), counts["matches"], counts["owed"], failed, send(context))


def send(context: Context) -> DeliverReport:
    """Send the mails that are due."""
    mailer = Mailer(context.settings)
    return deliver(context.es, context.names, context.settings, now=context.clock(), mailer=mailer)


def work_waits(context: Context) -> bool:
    """Whether `match` has anything to do: a batch to match or a mail to send."""
    now = context.clock()
    if BatchStore(context.es, context.names).waiting(now=now, limit=1):
        return True
    return Outbox(context.es, context.names).has_due(now)
