"""Recipients: who is being served by whom, when they last got a mail, what their channel said of them.

A worker serves a recipient only while it holds the recipient's claim, so that two workers never send one person the
same thing, nor two mails where one was meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from newswatch.clock import SKEW
from newswatch.errors import DocumentError
from newswatch.problems import report_problem
from store.client import Client
from store.compare_and_set import put, until_written
from store.documents import Stored, dump, load, problem_of, readable, require_id
from store.names import Names
from store.reading import get_hits, get_one

_PAGE = 1_000
_FIRST_RETRY = timedelta(minutes=1)
_LAST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """What is remembered of a recipient."""

    address: str
    claimed_by: str = ""
    claimed_until: datetime | None = None
    last_sent_at: datetime | None = None
    failures: int = 0
    """Tries in a row that the channel put off."""
    failing_since: datetime | None = None
    retry_at: datetime | None = None
    """Not to be tried before."""
    last_error: str | None = None
    unsubscribed: tuple[str, ...] = ()
    """Saved searches that the recipient wants no mail of; `*` is all."""
    last_by_alert: Mapping[str, datetime] = field(default_factory=dict)
    """Saved search → when it last mailed the recipient; for throttling."""
    muted: Mapping[str, datetime] = field(default_factory=dict)
    """Saved search → until when the recipient wants no mail of it."""
    acknowledged: Mapping[str, datetime] = field(default_factory=dict)
    """Story → when the recipient said that they know enough of it: no more on it, save corrections."""


def served(box: Mailbox, alert_ids: tuple[str, ...], now: datetime) -> Mailbox:
    """The mailbox after it took a mail. Pure."""
    last = {**box.last_by_alert, **dict.fromkeys(alert_ids, now)}
    return replace(
        box, last_sent_at=now, last_by_alert=last, failures=0, failing_since=None, retry_at=None, last_error=None
    )


def put_off(box: Mailbox, why: str, now: datetime) -> Mailbox:
    """The mailbox after a temporary refusal: tried again after 1, 2, 4 … minutes, an hour at most.

    Soon at first, since who puts strangers off on principle lets them in after a few minutes. Pure.
    """
    wait = min(_FIRST_RETRY * 2 ** min(box.failures, 10), _LAST_RETRY)
    return replace(
        box, failures=box.failures + 1, failing_since=box.failing_since or now, retry_at=now + wait, last_error=why
    )


def seen_at(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox without moments that can't be: a clock that went back since wrote them. Pure.

    What lies in the future counts as now, so that mails are held as long as after any other, and not until the clock
    has caught up.
    """
    last = box.last_sent_at and min(box.last_sent_at, now)
    by_alert = {alert_id: min(at, now) for alert_id, at in box.last_by_alert.items()}
    since = box.failing_since and min(box.failing_since, now)
    retry_at = box.retry_at and min(box.retry_at, now + _LAST_RETRY)
    return replace(box, last_sent_at=last, last_by_alert=by_alert, failing_since=since, retry_at=retry_at)


def believed(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox without the moments that can't be, to tell whether it is due. Pure.

    Counted as now (`seen_at`), they would move on with the clock, and nobody would be due until it has caught up. So
    the recipient is due, and its claim puts them right.
    """
    last = box.last_sent_at if box.last_sent_at and box.last_sent_at <= now else None
    by_alert = {alert_id: at for alert_id, at in box.last_by_alert.items() if at <= now}
    retry_at = box.retry_at if box.retry_at and box.retry_at <= now + _LAST_RETRY else None
    return replace(box, last_sent_at=last, last_by_alert=by_alert, retry_at=retry_at)


def is_held(box: Mailbox, now: datetime, lease: timedelta) -> bool:
    """Whether a worker serves it. A claim that ends later than one can last holds nothing. Pure."""
    return bool(box.claimed_until and now < box.claimed_until <= now + lease + SKEW)


def tried(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox as it is kept while a mail to it is made and offered: put off, in case the worker is killed by it.

    Pure.
    """
    return put_off(box, "the worker that tried it did not come to its end", now)


def untried(noted: Mailbox, before: Mailbox) -> Mailbox:
    """`noted` as if it had not been tried since `before`; what the recipient has changed meanwhile stands. Pure."""
    return replace(
        noted,
        failures=before.failures,
        failing_since=before.failing_since,
        retry_at=before.retry_at,
        last_error=before.last_error,
    )


def answered(box: Mailbox, why: str) -> Mailbox:
    """The mailbox after its channel has refused a mail to it for good: nothing is to be tried again. Pure."""
    return replace(box, failures=0, failing_since=None, retry_at=None, last_error=why)


class Mailboxes:
    """The mailboxes of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._index = es, names.mailboxes

    def get(self, address: str) -> Mailbox:
        """The mailbox, in real time; a new one for an address never written to.

        Raises:
            DocumentError: it can't be read.
        """
        found = self.find(address)
        return found.value if found else Mailbox(address)

    def claim(self, address: str, worker: str, now: datetime, lease: timedelta) -> Stored[Mailbox] | None:
        """The mailbox, now held by `worker` until `now + lease`; None while somebody else holds it.

        None also if it can't be read, which is set aside: who has unsubscribed must get no mail for that. A claim that
        ends later than one can last was made by a clock that went back since, and holds nothing.
        """
        try:
            was = self.find(address)
        except DocumentError as error:
            report_problem(problem_of(error))
            return None
        box = seen_at(was.value, now) if was else Mailbox(address)
        if is_held(box, now, lease) and box.claimed_by != worker:
            return None
        return self._write(was, replace(box, claimed_by=worker, claimed_until=now + lease))

    def keep(self, held: Stored[Mailbox], box: Mailbox) -> Stored[Mailbox] | None:
        """Write `box` while it is still held; None if the claim has been lost to somebody else."""
        return self._write(held, box)

    def change(self, address: str, change: Callable[[Mailbox], Mailbox]) -> Mailbox:
        """Change a mailbox on its owner's behalf, also while a worker holds it.

        Raises:
            DocumentError: it can't be read, and stays as it is.
            StoreError: somebody else keeps changing it.
        """

        def attempt() -> Stored[Mailbox] | None:
            was = self.find(address)
            return self._write(was, change(was.value if was else Mailbox(address)))

        told = f"Mailbox {address} keeps being changed by others: try again."
        return until_written(attempt, lambda: told).value

    def find(self, address: str) -> Stored[Mailbox] | None:
        """The mailbox with its token, in real time; None if nothing was ever sent to it.

        Raises:
            DocumentError: it can't be read.
        """
        return get_one(self._es, self._index, address, read_mailbox)

    def many(self, addresses: Sequence[str]) -> Iterator[Mailbox | None]:
        """The mailbox of each address, in order and in real time; None for one that can't be read: set aside."""
        for at in range(0, len(addresses), _PAGE):
            wanted = addresses[at : at + _PAGE]
            hits = {hit["_id"]: hit for hit in get_hits(self._es, self._index, wanted)}
            read_ones = {hit["_id"]: box for hit, box in readable(hits.values(), read_mailbox)}
            yield from (read_ones.get(address) if address in hits else Mailbox(address) for address in wanted)

    def _write(self, was: Stored[Mailbox] | None, box: Mailbox) -> Stored[Mailbox] | None:
        if written := put(self._es, self._index, box.address, box, dump(box), was):
            return written
        # The client retries what timed out: the conflict may be with our own first try.
        now = self.find(box.address)
        return now if now and now.value == box else None


def read_mailbox(address: str, document: Mapping[str, Any]) -> Mailbox:
    """The mailbox of a document. Pure."""
    box = load(Mailbox, document)
    require_id(address, box.address)
    return box
