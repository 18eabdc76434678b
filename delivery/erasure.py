"""What newswatch knows of a person, and its erasure (GDPR, articles 15, 17 and 20).

A person is known by addresses: those of `person:NAME` in the address book, or one that is given. An erasure can be
repeated after it broke off; it ends with the address book, so that what remains can still be found.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from alerts import recipients as searches
from delivery.address_book import AddressBook, document
from delivery.confirmed import hold
from delivery.mailbox import Mailboxes
from delivery.outbox import Outbox, read_delivery, with_outcome
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.subscriber import PERSON, Address, Subscriber
from store.client import Client
from store.documents import Document, dump, values
from store.names import Names
from store.reading import every

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

        An address that another person's routes name too is theirs as well, and is left out.
        """
        person = self._book.subscriber(who) if who.startswith(f"{PERSON}:") else None
        if person is None:
            return (who,)
        others = [entry for entry in self._book.all() if isinstance(entry, Subscriber) and entry.id != who]
        shared = {route.to for other in others if other.kind == "person" for route in other.routes}
        return (who, *(route.to for route in person.routes if route.to not in shared))

    def export(self, who: str) -> Document:
        """All that is stored of the person, as JSON; what is sealed stays out, because it is a key and no news."""
        ids = self.ids_of(who)
        entries = self._book.many(ids)
        boxes = [box for box in Mailboxes(self._es, self._names).many(ids) if box]
        return {
            "recipients": list(ids),
            "address_book": [_shown(entry) for entry in entries.values()],
            "saved_searches": searches.named_by(self._es, self._names, ids),
            "mailboxes": [dump(box) for box in boxes],
            "feedback": [hit["_source"] for hit in self._labels(ids)],
            "deliveries": list(self._told(ids)),
        }

    def _told(self, ids: Collection[str]) -> Iterator[Document]:
        for delivery in self._deliveries(ids):
            for outcome in delivery.outcomes:
                if outcome.recipient in ids:
                    yield {
                        "saved_search": delivery.alert_id,
                        "story": delivery.story_id,
                        "article": delivery.article_id,
                        "kind": delivery.kind,
                        **dump(outcome),
                    }

    def erase(self, who: str, now: datetime) -> Erased:
        """Erase the person. What is kept names nobody: deliveries count for their stories, verdicts for their searches.

        Raises:
            StoreError: Elasticsearch did not take all; erase again.
        """
        ids, pseudonym, counts = self.ids_of(who), f"{ERASED}-{secrets.token_hex(6)}", Counter[str]()
        for address in ids:  # first, so that nothing is sent meanwhile
            hold(self._es, self._names, address, now)
        for saved_search_id in searches.named_by(self._es, self._names, ids):
            searches.remove(self._es, self._names, saved_search_id, ids)
            counts["saved searches"] += 1
        counts["deliveries"] = self._scrub_deliveries(ids, pseudonym, now)
        counts["verdicts"] = self._scrub_labels(ids, pseudonym)
        counts["problems"] = self._forget(self._names.quarantine, {"terms": {"subject": list(ids)}})
        counts["groups"] = self._leave_groups(ids)
        for address in ids:
            counts["mailboxes"] += self._delete(self._names.mailboxes, address)
            counts["entries of the address book"] += int(self._book.delete(address))
        return Erased({what: count for what, count in counts.items() if count}, pseudonym)

    def _deliveries(self, ids: Collection[str]) -> list[Delivery]:
        self._es.indices.refresh(index=self._names.deliveries)
        query = {"terms": {"recipients": list(ids)}}
        return values(every(self._es, self._names.deliveries, query), read_delivery)

    def _scrub_deliveries(self, ids: Collection[str], pseudonym: str, now: datetime) -> int:
        outbox = Outbox(self._es, self._names)
        found = outbox.get([delivery.id for delivery in self._deliveries(ids)])
        outbox.acknowledge(found, lambda delivery: scrubbed(delivery, ids, pseudonym, now))
        return len(found)

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

    def _leave_groups(self, ids: Collection[str]) -> int:
        """Take the person out of the routes of others; who has none left is deleted."""
        left = 0
        for entry in self._book.all():
            if isinstance(entry, Address) or entry.id in ids or not any(route.to in ids for route in entry.routes):
                continue
            routes = tuple(route for route in entry.routes if route.to not in ids)
            if routes:
                self._book.save(replace(entry, routes=routes))
            else:
                self._book.delete(entry.id)
            left += 1
        return left

    def _forget(self, index: str, query: Document) -> int:
        self._es.indices.refresh(index=index)
        return sum(self._delete(index, hit["_id"]) for hit in every(self._es, index, query, source=False))

    def _delete(self, index: str, document_id: str) -> int:
        answer = self._es.options(ignore_status=404).delete(index=index, id=document_id, refresh=True)
        return int(answer.get("result") == "deleted")


def _shown(entry: Address | Subscriber) -> Document:
    return {name: value for name, value in document(entry).items() if name not in _SECRET}


def scrubbed(delivery: Delivery, ids: Collection[str], pseudonym: str, now: datetime) -> Delivery:
    """The delivery with a pseudonym for the person; what waits for them is suppressed. Pure."""
    own = [outcome for outcome in delivery.outcomes if outcome.recipient in ids]
    others = tuple(outcome for outcome in delivery.outcomes if outcome.recipient not in ids)
    recipients = tuple(dict.fromkeys(pseudonym if one in ids else one for one in delivery.recipients))
    final = next((o for o in own if o.state is not DeliveryState.PENDING), None)
    state = final.state if final else DeliveryState.SUPPRESSED
    # The key and the reference are hashes with the address in them; an error may name it.
    outcome = Outcome(pseudonym, state, at=final.at if final else now, error=None if final else "the person was erased")
    return with_outcome(replace(delivery, recipients=recipients, outcomes=others), outcome)
