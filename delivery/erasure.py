"""What newswatch knows of a person, and its erasure (GDPR, articles 15, 17 and 20).

A person is known by addresses: those of `person:NAME` in the address book, or one that is given. An erasure can be
repeated after it broke off; it ends with the address book, so that what remains can still be found.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from alerts import recipients as searches
from alerts.saved import SavedSearches
from delivery.address_book import AddressBook, document
from delivery.confirmed import hold
from delivery.documents import Addressed, outcome_document, outcome_id
from delivery.fanout import Fanout
from delivery.mailbox import Mailbox, Mailboxes
from delivery.outcomes import Outcomes
from newswatch.delivery import DeliveryState, Outcome
from newswatch.subscriber import PERSON, Address, Subscriber
from store.audit import AuditLog, Deed
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, dump
from store.elastic.reading import every, get_one
from store.elastic.turns import BRIEF_S, MATCHING, OWING, turn
from store.names import Names

ERASED: Final = "erased"
_SECRET: Final = ("secret",)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, by kind."""

    counts: dict[str, int] = field(default_factory=dict)
    pseudonym: str = ""
    """What stands for the person in what is kept: deliveries and readers' verdicts."""


class Erasure:
    """Exports and erases people of one installation."""

    def __init__(self, es: Client, names: Names, book: AddressBook) -> None:
        self._es, self._names, self._book = es, names, book

    def ids_of(self, who: str) -> tuple[str, ...]:
        """Under which recipients the person is known: `person:NAME` and the addresses of its routes, or `who` alone.

        An address that another person's routes name too, in any spelling, is theirs as well, and is left out; so is a
        webhook or chat that is shared, or that a group names.
        """
        person = self._book.subscriber(who) if who.startswith(f"{PERSON}:") else None
        if person is None:
            return self._spellings((who,))
        entries = self._book.all()
        others = [entry for entry in entries if isinstance(entry, Subscriber) and entry.id != who]
        of_others = {
            route.to.casefold()
            for other in others
            for route in other.routes
            if other.kind == "person" or ":" in route.to
        } | {entry.id for entry in entries if isinstance(entry, Address) and entry.shared}
        own = (route.to for route in person.routes if route.to.casefold() not in of_others)
        return self._spellings((who, *dict.fromkeys(own)))

    def _spellings(self, ids: Sequence[str]) -> tuple[str, ...]:
        """The ids, and the other spellings by case under which a mail address is known: they are one person's."""
        wanted = {one.casefold() for one in ids if "@" in one}
        also = (one for one in sorted(self.known()) if one.casefold() in wanted) if wanted else ()
        return tuple(dict.fromkeys((*ids, *also)))

    def knows(self, who: str) -> bool:
        """Whether anything is stored of the person."""
        ids = self.ids_of(who)
        subscribers = (entry for entry in self._book.all() if isinstance(entry, Subscriber))
        return (
            any(map(self._has_mailbox, ids))
            or any(route.to in ids for one in subscribers for route in one.routes)
            or any(every(self._es, self._names.quarantine, {"terms": {"subject": list(ids)}}, source=False))
            # Last, as it reads all deliveries.
            or any(value for part, value in self.export(who).items() if part != "recipients")
        )

    def known(self) -> set[str]:
        """The names and addresses of the address book, the saved searches and the mailboxes."""
        book = self._book.all()
        routes = {route.to for one in book if isinstance(one, Subscriber) for route in one.routes}
        boxes = set(Mailboxes(self._es, self._names).addresses())
        watching = {to for search in SavedSearches(self._es, self._names).all() for to in search.recipients}
        return {entry.id for entry in book} | routes | boxes | watching

    def _has_mailbox(self, address: str) -> bool:
        """Also one that can't be read."""
        return bool(self._es.exists(index=self._names.mailboxes, id=address))

    def export(self, who: str) -> Document:
        """All that is stored of the person, as JSON; what is sealed stays out, because it is a key and no news."""
        ids = self.ids_of(who)
        entries = self._book.many(ids)
        boxes = [box for box in Mailboxes(self._es, self._names).many(ids) if box and box != Mailbox(box.address)]
        return {
            "recipients": list(ids),
            "address_book": [_shown(entry) for entry in entries.values()],
            "saved_searches": searches.named_by(self._es, self._names, ids),
            "mailboxes": [dump(box) for box in boxes],
            "feedback": [hit["_source"] for hit in self._labels(ids)],
            "deliveries": list(self._told(ids)),
        }

    def _told(self, ids: Collection[str]) -> Iterator[Document]:
        for one in self._outcomes_of(ids):
            yield {"delivery": one.delivery_id, "story": one.story_id, "article": one.article_id, **dump(one.outcome)}

    def erase(self, who: str, now: datetime, *, by: str) -> Erased:
        """Erase the person. What is kept names nobody: deliveries count for their stories, verdicts for their searches.

        Raises:
            StoreError: Elasticsearch did not take all, or matching goes on for long; erase again.
        """
        ids, pseudonym, counts = self.ids_of(who), f"{ERASED}-{secrets.token_hex(6)}", Counter[str]()
        emptied = without_routes(self._book.all(), ids)
        named = (*ids, *emptied)  # a saved search that named who has no route left would fail with each story
        # Under the name that stays, so that the log names nobody.
        changed = ", ".join(searches.named_by(self._es, self._names, named))
        deed = Deed(by, "person erased", pseudonym, details=f"out of the saved searches {changed}" if changed else "")
        AuditLog(self._es, self._names).record(deed)
        had = set(filter(self._has_mailbox, ids))
        for address in ids:  # first, so that nothing is sent meanwhile
            hold(self._es, self._names, address, now)
        for saved_search_id in searches.named_by(self._es, self._names, named):
            searches.remove(self._es, self._names, saved_search_id, named)
            counts["saved searches"] += 1
        counts["deliveries"] = self._scrub_deliveries(ids, pseudonym, now)
        # Matching, or a join, may have read the searches and deliveries before, and have written the person once more.
        # Only that is left for the turn: all deliveries of a year take minutes, and nothing is matched meanwhile.
        for work in (MATCHING, OWING):
            with turn(self._es, self._names, work, most_s=BRIEF_S) as hold_turn:
                counts["deliveries"] += self._scrub_deliveries(ids, pseudonym, now)
                hold_turn()
        counts["verdicts"] = self._scrub_labels(ids, pseudonym)
        counts["problems"] = self._forget(self._names.quarantine, {"terms": {"subject": list(ids)}})
        counts["groups"] = self._leave_groups(ids, emptied)
        for address in reversed(ids):  # the person last, by whom the addresses are found
            gone = self._delete(self._names.mailboxes, address)
            counts["mailboxes"] += gone if address in had else 0
            counts["entries of the address book"] += int(self._book.delete(address))
        return Erased({what: count for what, count in counts.items() if count}, pseudonym)

    def _outcomes_of(self, ids: Collection[str]) -> list[Addressed]:
        fanout = Fanout(self._es, self._names)
        fanout.refresh()
        fanout.spread_of("recipients", ids)
        return list(Outcomes(self._es, self._names).select({"terms": {"recipient": list(ids)}}))

    def _scrub_deliveries(self, ids: Collection[str], pseudonym: str, now: datetime) -> int:
        """Replace the person in outcomes, whose ids are hashes of addresses too, and in deliveries."""
        found = [outcome_id(one.delivery_id, one.outcome.recipient) for one in self._outcomes_of(ids)]
        parcels = Outcomes(self._es, self._names).parcels(found)
        for parcel in parcels:
            outcome = scrubbed(parcel.outcome, pseudonym, now)
            made = outcome_document(parcel.delivery, outcome)
            self._es.index(index=self._names.outcomes, id=outcome_id(parcel.id, pseudonym), document=made)
            self._delete(self._names.outcomes, parcel.stored.id)
        for gone in {*found} - {parcel.stored.id for parcel in parcels}:  # whose deliveries are no longer there
            self._delete(self._names.outcomes, gone)
        self._es.indices.refresh(index=self._names.deliveries)
        named = [
            hit["_id"]
            for hit in every(self._es, self._names.deliveries, {"terms": {"recipients": list(ids)}}, source=False)
        ]
        for delivery_id in named:
            until_written(
                lambda name=delivery_id: self._rename(name, ids, pseudonym),  # type: ignore[misc]
                lambda: "Deliveries keep being changed by others: erase again.",
            )
        # A worker that had read a delivery before that may have made its outcomes once more.
        self._forget(self._names.outcomes, {"terms": {"recipient": list(ids)}})
        Fanout(self._es, self._names).settle(named, now)
        return len(named)

    def _rename(self, delivery_id: str, ids: Collection[str], pseudonym: str) -> bool | None:
        was = get_one(self._es, self._names.deliveries, delivery_id, lambda _, found: dict(found))
        if was is None:
            return True
        made = renamed(was.value, ids, pseudonym)
        return True if put(self._es, was.index, was.id, made, made, was) else None

    def _labels(self, ids: Collection[str]) -> list[Any]:
        self._es.indices.refresh(index=self._names.labels)
        return list(every(self._es, self._names.labels, {"terms": {"recipient": list(ids)}}))

    def _scrub_labels(self, ids: Collection[str], pseudonym: str) -> int:
        found = self._labels(ids)
        for hit in found:
            label = {**hit["_source"], "recipient": pseudonym}
            # Its id is a hash with the address in it, so it gets another.
            self._es.index(index=self._names.labels, id=secrets.token_hex(16), document=label)
            self._es.delete(index=self._names.labels, id=hit["_id"])
        self._es.indices.refresh(index=self._names.labels)
        return len(found)

    def _leave_groups(self, ids: Collection[str], emptied: Sequence[str]) -> int:
        """Take the person, and those who are left without a route, out of the routes of others, and delete the latter.

        Who names another one is deleted before them, so that both are found again if the erasure breaks off.
        """
        gone, left = {*ids, *emptied}, 0
        for entry in self._book.all():
            if isinstance(entry, Address) or entry.id in gone or not any(route.to in gone for route in entry.routes):
                continue
            self._book.save(replace(entry, routes=tuple(route for route in entry.routes if route.to not in gone)))
            left += 1
        return left + sum(self._book.delete(each) for each in reversed(emptied))

    def _forget(self, index: str, query: Document) -> int:
        self._es.indices.refresh(index=index)
        return sum(self._delete(index, hit["_id"]) for hit in every(self._es, index, query, source=False))

    def _delete(self, index: str, document_id: str) -> int:
        answer = self._es.options(ignore_status=404).delete(index=index, id=document_id, refresh=True)
        return int(answer.get("result") == "deleted")


def _shown(entry: Address | Subscriber) -> Document:
    return {name: value for name, value in document(entry).items() if name not in _SECRET}


def without_routes(entries: Iterable[Address | Subscriber], ids: Collection[str]) -> tuple[str, ...]:
    """The people and groups whose routes all lead to `ids`, or to others of them, who come first. Pure."""
    left = [entry for entry in entries if isinstance(entry, Subscriber) and entry.routes and entry.id not in ids]
    gone, found = {*ids}, list[str]()
    while more := [entry.id for entry in left if entry.id not in gone and all(r.to in gone for r in entry.routes)]:
        gone |= {*more}
        found += more
    return tuple(found)


def scrubbed(outcome: Outcome, pseudonym: str, now: datetime) -> Outcome:
    """The outcome under a pseudonym; one that waits is suppressed. Pure.

    Key and reference are left out because they are hashes with the address in them, an error because it may name it.
    """
    if outcome.state is DeliveryState.PENDING:
        return Outcome(pseudonym, DeliveryState.SUPPRESSED, at=now, error="the person was erased")
    return Outcome(pseudonym, outcome.state, subject=outcome.subject, at=outcome.at, attempts=outcome.attempts)


def renamed(found: Document, ids: Collection[str], pseudonym: str) -> Document:
    """The document of a delivery with the pseudonym in place of the person. Pure."""
    named = [*ids]

    def changed(value: Any) -> Any:
        if isinstance(value, str):
            return pseudonym if value in named else value
        if isinstance(value, list):
            return [changed(one) for one in value]
        return {name: changed(one) for name, one in value.items()} if isinstance(value, dict) else value

    # Of deliveries from before outcomes had documents: words of channels that may name the person.
    made: Document = {name: changed(value) for name, value in found.items() if name not in ("refused", "last_error")}
    return made
