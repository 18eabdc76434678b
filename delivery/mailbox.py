"""Mailboxes: the state of each recipient, such as the claiming worker, the last mail and the channel's last refusal.

A worker sends to a recipient only while it holds the claim on the mailbox, so that two workers never send a recipient
the same delivery, or two mails instead of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from newswatch.clock import SKEW
from newswatch.problems import Problem, report_problem
from store.elastic import bulk
from store.elastic.beats import alive_until
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Stored, all_stored, dump, load, readable, require_id
from store.elastic.reading import every, get_hits, get_one
from store.names import Names

UNFINISHED: Final = "the worker that tried it did not finish"
_PAGE = 1_000
_FIRST_RETRY = timedelta(minutes=1)
_LAST_RETRY = timedelta(hours=1)
_LONGEST_REST = timedelta(days=1)
"""Longest wait that a channel may ask for."""
_UNTRIED = timedelta(days=1)
"""How late a try must be for the refusals before it to count no more."""
CONFIRM_WITHIN = timedelta(days=7)
"""How long mails wait for an address to be confirmed; after that they are suppressed."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The state of a recipient."""

    address: str
    claimed_by: str = ""
    claimed_until: datetime | None = None
    last_sent_at: datetime | None = None
    failures: int = 0
    """Consecutive temporary refusals."""
    failing_since: datetime | None = None
    """When these refusals began; a recipient who was not tried for a day begins anew."""
    refused_until: datetime | None = None
    """When the next try after the last refusal was to be."""
    retry_at: datetime | None = None
    """Time of the next try."""
    last_error: str | None = None
    unsubscribed: tuple[str, ...] = ()
    """Saved searches from which the recipient has unsubscribed; `*` means all."""
    last_by_alert: Mapping[str, datetime] = field(default_factory=dict)
    """Saved search → time of its last mail to the recipient; for throttling."""
    last_digests: Mapping[str, datetime] = field(default_factory=dict)
    """Saved search → up to when its last digest to the recipient said what was watched; the next goes on from there."""
    muted: Mapping[str, datetime] = field(default_factory=dict)
    """Saved search → end of the recipient's mute."""
    acknowledged: Mapping[str, datetime] = field(default_factory=dict)
    """Story → when the recipient asked for no more mails on it. Corrections are still sent."""
    unverified_since: datetime | None = None
    """Since when the address waits to be confirmed; nothing is sent until then. None: it is confirmed, as is every
    address that newswatch knew before it asked."""
    bounced_at: datetime | None = None
    """When a mail came back because the address is none: it gets no mail until that is undone."""
    bounced_why: str = ""


CHANGED_BY_OTHERS = ("unsubscribed", "muted", "acknowledged", "unverified_since", "bounced_at", "bounced_why")
"""Fields that change while a worker holds the mailbox: it keeps them as they are."""


def served(
    box: Mailbox, alert_ids: tuple[str, ...], now: datetime, digests: Mapping[str, datetime] = MappingProxyType({})
) -> Mailbox:
    """The mailbox after its channel accepted a mail; `digests` as in `Mailbox.last_digests`. Pure."""
    return replace(
        box,
        last_sent_at=now,
        last_by_alert={**box.last_by_alert, **dict.fromkeys(alert_ids, now)},
        last_digests={**box.last_digests, **digests},
        failures=0,
        failing_since=None,
        refused_until=None,
        retry_at=None,
        last_error=None,
    )


def put_off(box: Mailbox, why: str, now: datetime, asked_s: float | None = None) -> Mailbox:
    """The mailbox after a temporary refusal: the next try is after 1, 2, 4 … minutes, at most an hour. Pure.

    If the channel asks for a longer wait, `asked_s` seconds, it gets it, up to a day.

    The first tries come early, because a server that greylists unknown senders accepts them after a few minutes.

    Refusals are counted from the first one as long as the recipient is tried. Where nothing could be tried for a day,
    because the server was away, they are counted from now.
    """
    if box.refused_until is not None and now - box.refused_until >= _UNTRIED:
        box = replace(box, failures=0, failing_since=None)
    asked = min(timedelta(seconds=min(asked_s or 0, 1e6)), _LONGEST_REST)
    wait = max(min(_FIRST_RETRY * 2 ** min(box.failures, 10), _LAST_RETRY), asked)
    return replace(
        box,
        failures=box.failures + 1,
        failing_since=box.failing_since or now,
        refused_until=now + wait,
        retry_at=now + wait,
        last_error=why,
    )


def seen_at(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox with impossible times corrected, which were written before the clock was set back. Pure.

    Times in the future become `now`, so that mails are held for the usual time and not until the clock has caught up.
    """
    last = box.last_sent_at and min(box.last_sent_at, now)
    by_alert = {search_id: min(moment, now) for search_id, moment in box.last_by_alert.items()}
    digests = {search_id: min(moment, now) for search_id, moment in box.last_digests.items()}
    since = box.failing_since and min(box.failing_since, now)
    retry_at = box.retry_at and min(box.retry_at, now + _LONGEST_REST)
    return replace(
        box,
        last_sent_at=last,
        last_by_alert=by_alert,
        last_digests=digests,
        failing_since=since,
        refused_until=box.refused_until and min(box.refused_until, now + _LONGEST_REST),
        retry_at=retry_at,
    )


def believed(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox without impossible times, for deciding whether the recipient is due. Pure.

    If such times became `now` (`seen_at`), they would advance with the clock, and the recipient would not be due until
    the clock has caught up. Without them the recipient is due, and claiming the mailbox corrects them.
    """
    last = box.last_sent_at if box.last_sent_at and box.last_sent_at <= now else None
    by_alert = {search_id: moment for search_id, moment in box.last_by_alert.items() if moment <= now}
    retry_at = box.retry_at if box.retry_at and box.retry_at <= now + _LONGEST_REST else None
    return replace(box, last_sent_at=last, last_by_alert=by_alert, retry_at=retry_at)


def waits_for_confirmation(box: Mailbox, now: datetime) -> bool:
    """Whether its mails wait because the address is not confirmed. Pure."""
    return bool(box.unverified_since and now < box.unverified_since + CONFIRM_WITHIN)


def is_held(box: Mailbox, now: datetime, lease: timedelta) -> bool:
    """Whether a worker holds the mailbox. A claim that ends later than a lease allows is invalid. Pure."""
    return bool(box.claimed_until and now < box.claimed_until <= now + lease + SKEW)


def prolonged(box: Mailbox, alive: Mapping[str, datetime]) -> Mailbox:
    """The mailbox with its claim for as long as its worker is `alive`. Pure."""
    until = alive.get(box.claimed_by)
    if box.claimed_until is None or until is None:
        return box
    return replace(box, claimed_until=max(box.claimed_until, until))


def tried(box: Mailbox, now: datetime) -> Mailbox:
    """The mailbox as stored while a mail is composed and sent: postponed, in case the mail kills the worker. Pure."""
    return put_off(box, UNFINISHED, now)


def is_suspect(box: Mailbox) -> bool:
    """Whether a worker died with a mail to the recipient, which may have killed it. Pure."""
    return bool(box.failures) and box.last_error == UNFINISHED


def untried(noted: Mailbox, before: Mailbox) -> Mailbox:
    """`noted` without the try since `before`, but with the recipient's own changes in the meantime. Pure."""
    return replace(
        noted,
        failures=before.failures,
        failing_since=before.failing_since,
        refused_until=before.refused_until,
        retry_at=before.retry_at,
        last_error=before.last_error,
    )


def answered(box: Mailbox, why: str) -> Mailbox:
    """The mailbox after a permanent refusal: no retry is due. Pure."""
    return replace(box, failures=0, failing_since=None, refused_until=None, retry_at=None, last_error=why)


def bounced(box: Mailbox, why: str, now: datetime) -> Mailbox:
    """The mailbox after a mail came back for good; the first time stays. Pure."""
    return replace(box, bounced_at=box.bounced_at or now, bounced_why=why, last_error=f"bounced: {why}")


def resumed(box: Mailbox) -> Mailbox:
    """The mailbox, mailed again. Pure."""
    nothing_refused = replace(box, failures=0, failing_since=None, refused_until=None, retry_at=None)
    return replace(nothing_refused, bounced_at=None, bounced_why="")


class Mailboxes:
    """The mailboxes of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.mailboxes

    def get(self, address: str) -> Mailbox:
        """The mailbox, in real time; a new one if the address has none.

        Raises:
            DocumentError: it can't be read.
        """
        stored = self.find(address)
        return stored.value if stored else Mailbox(address)

    def claim(
        self, addresses: Sequence[str], worker: str, now: datetime, lease: timedelta
    ) -> dict[str, Stored[Mailbox]]:
        """Address → the mailbox, held by `worker` until `now + lease` at least; without those that another one holds.

        A mailbox that can't be read is missing too: it goes into quarantine, because a recipient who has unsubscribed
        must not get a mail. A claim that ends later than a lease allows was made before the clock was set back, and is
        invalid.
        """
        hits = {hit["_id"]: hit for hit in get_hits(self._es, self._index, addresses)}
        known = {box.id: box for box in all_stored(hits.values(), read_mailbox)}
        boxes = {
            address: seen_at(known[address].value if address in known else Mailbox(address), now)
            for address in addresses
            if address in known or address not in hits
        }
        others = {box.claimed_by for box in boxes.values() if box.claimed_by not in ("", worker)}
        alive = alive_until(self._es, self._names, others, now)
        free = {
            address: replace(box, claimed_by=worker, claimed_until=now + lease)
            for address, box in boxes.items()
            if box.claimed_by == worker or not is_held(prolonged(box, alive), now, lease)
        }
        return self.keep({address: (known.get(address), box) for address, box in free.items()})

    def keep(self, boxes: Mapping[str, tuple[Stored[Mailbox] | None, Mailbox]]) -> dict[str, Stored[Mailbox]]:
        """Write each mailbox unless it was written since it was read; those that were written."""
        wanted = list(boxes.items())
        actions = (self.replacing(was, box) for _, (was, box) in wanted)
        kept, lost = dict[str, Stored[Mailbox]](), dict[str, Mailbox]()
        for (address, (_, box)), result in zip(wanted, bulk.write(self._es, actions), strict=True):
            if result.own_fault:
                report_problem(Problem("recipient", address, f"Elasticsearch refuses its mailbox: {result.reason}"))
            elif bulk.require(result):
                kept[address] = result.stored(box)
            else:
                lost[address] = box
        # The client retries requests that timed out, so a conflict may be with our own first try.
        for current in all_stored(get_hits(self._es, self._index, lost), read_mailbox) if lost else ():
            if current.value == lost[current.id]:
                kept[current.id] = current
        return kept

    def replacing(self, was: Stored[Mailbox] | None, box: Mailbox) -> Document:
        """The action that writes a mailbox if nobody has written it since `was` was read."""
        if was is None:
            return bulk.create(self._index, box.address, dump(box))
        return bulk.replace(was, dump(box))

    def change(self, address: str, change: Callable[[Mailbox], Mailbox]) -> Mailbox:
        """Change a mailbox for its owner, even while a worker holds it.

        Raises:
            DocumentError: it can't be read, and stays as it is.
            StoreError: it was changed by others on every try.
        """

        def attempt() -> Stored[Mailbox] | None:
            was = self.find(address)
            return self._write(was, change(was.value if was else Mailbox(address)))

        conflict = f"Mailbox {address} keeps being changed by others: try again."
        return until_written(attempt, lambda: conflict).value

    def find(self, address: str) -> Stored[Mailbox] | None:
        """The mailbox with its compare-and-set token, in real time; None if there is none.

        Raises:
            DocumentError: it can't be read.
        """
        return get_one(self._es, self._index, address, read_mailbox)

    def addresses(self) -> Iterator[str]:
        """Every address that has a mailbox."""
        self._es.indices.refresh(index=self._index)
        return (str(hit["_id"]) for hit in every(self._es, self._index))

    def many(self, addresses: Sequence[str]) -> Iterator[Mailbox | None]:
        """The mailbox of each address, in order and in real time; None for one that can't be read (quarantined)."""
        for start in range(0, len(addresses), _PAGE):
            wanted = addresses[start : start + _PAGE]
            hits = {hit["_id"]: hit for hit in get_hits(self._es, self._index, wanted)}
            read_ones = {hit["_id"]: box for hit, box in readable(hits.values(), read_mailbox)}
            yield from (read_ones.get(address) if address in hits else Mailbox(address) for address in wanted)

    def _write(self, was: Stored[Mailbox] | None, box: Mailbox) -> Stored[Mailbox] | None:
        if written := put(self._es, self._index, box.address, box, dump(box), was):
            return written
        # The client retries requests that timed out, so the conflict may be with our own first try.
        current = self.find(box.address)
        return current if current and current.value == box else None


def read_mailbox(address: str, document: Mapping[str, Any]) -> Mailbox:
    """The mailbox stored in a document. Pure."""
    box = load(Mailbox, document)
    require_id(address, box.address)
    return box
