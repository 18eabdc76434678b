"""Sends the deliveries in the outbox: groups, renders and sends mails, and records their outcomes.

A worker serves recipients in these steps, many at once, so that a crash at any point drops nothing:

1. claim the mailboxes, and read what waits for them in real time;
2. record the try in the mailboxes, then write the mails;
3. write into each outcome the idempotency key of its mail, and the channel's name for that mail;
4. send each mail over one of the channel's lines;
5. record its outcome, before that line sends another.

A worker that finds a key without an outcome makes the same mail again. A mail is only sent twice if a worker dies
between the channel's acceptance and step 5; both copies then have the same key and name. That can be one mail for each
line. If a mail kills the worker, the recorded try postpones its recipient; those who were tried with it are then served
one by one (`delivery.worker`).

A worker gives signs of life while it works (`store.elastic.beats`). A minute after the last one others take over.

The recipients who have waited longest come first (`delivery.due`). A faulty recipient, mail or stored document does not
affect the others. A channel that is down, or that loses the connection with several recipients in a row, is not used
any more in this run; the other channels go on. The whole run has a time limit.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from delivery.address_book import AddressBook
from delivery.channels.lines import Lines
from delivery.links import signing_keys
from delivery.report import DeliverReport
from delivery.worker import Worker
from newswatch.clock import running_from
from newswatch.problems import Bulkhead, collecting
from newswatch.sealing import Sealer
from newswatch.settings import Settings
from store.elastic.client import Client
from store.names import Names

MOST_RECIPIENTS = 20_000
"""Of one run."""

log = logging.getLogger(__name__)


def deliver(
    es: Client,
    names: Names,
    settings: Settings,
    *,
    now: datetime,
    limit: int = MOST_RECIPIENTS,
    until: datetime | None = None,
    bulkhead: Bulkhead | None = None,
) -> DeliverReport:
    """Send what is due, to at most `limit` recipients and until `until`; the rest stays due.

    `until` defaults to `now` plus `Settings.mail_run_s`. Unusable input goes into quarantine by `bulkhead`.

    Raises:
        StoreError: Elasticsearch is in trouble; nothing is dropped, run it again.
    """
    until = until or now + timedelta(seconds=settings.mail_run_s)
    walls = bulkhead or Bulkhead("deliver")
    before = len(walls.problems)
    targets = AddressBook(es, names, Sealer(signing_keys(settings)))
    with Lines(settings, targets) as lines, collecting(walls):
        report = Worker(es, names, settings, running_from(now), lines, walls).run(limit, until)
    for reason in filter(None, (report.down, report.stopped)):
        log.warning("%s", reason)
    return replace(report, set_aside=len(walls.problems) - before)
