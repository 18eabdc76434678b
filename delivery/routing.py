"""Recipients who are people or groups, as the addresses that a delivery goes to, each reader's under one spelling.

It is decided when the delivery is created, so that it is decided once: a later change of somebody's routes, or of an
article's topics, neither loses a story nor tells it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.definitions import each_once
from delivery.spellings import Spellings
from newswatch.delivery import Delivery
from newswatch.problems import Problem, report_problem
from newswatch.subscriber import GROUP, PERSON, Address, Subscriber, holds
from store.articles import ArticleStore
from store.elastic.client import Client
from store.elastic.documents import values
from store.elastic.reading import get_hits
from store.names import Names

_CHUNK: Final = 500
MOST_DEPTH: Final = 5
"""Groups within groups."""


class Router:
    """Resolves people and groups; keeps what it has read, so use it for one batch."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names = es, names
        self._known: dict[str, Subscriber] = {}
        self._asked: set[str] = set()
        self._spellings = Spellings(es, names)

    def routed(self, deliveries: Iterable[Delivery]) -> Iterator[Delivery]:
        """The deliveries, in order, to addresses only."""
        rest = iter(deliveries)
        while chunk := list(islice(rest, _CHUNK)):
            named = [delivery for delivery in chunk if any(map(is_subscriber, delivery.recipients))]
            if named:
                self._learn({recipient for delivery in named for recipient in delivery.recipients})
            main = self._main_topics(named) if any(r.main for s in self._known.values() for r in s.routes) else {}
            ids = {delivery.id for delivery in named}
            routed = [self._routed(delivery, main) if delivery.id in ids else delivery for delivery in chunk]
            self._spellings.learn(recipient for delivery in routed for recipient in delivery.recipients)
            yield from map(self._spelled, routed)

    def _routed(self, delivery: Delivery, main: Mapping[str, frozenset[str]]) -> Delivery:
        topics = main.get(delivery.article_id, frozenset())
        found = addresses(delivery.recipients, self._known, delivery.created_at, topics)
        return replace(delivery, recipients=found)

    def _spelled(self, delivery: Delivery) -> Delivery:
        """The delivery to each reader once; a correction goes to the spelling that was mailed what it corrects."""
        if delivery.kind in ("correction", "retraction"):
            return delivery
        return replace(delivery, recipients=each_once(map(self._spellings.of, delivery.recipients)))

    def _learn(self, recipients: Iterable[str]) -> None:
        from delivery.address_book import read_entry

        ahead = {recipient for recipient in recipients if is_subscriber(recipient)}
        for _ in range(MOST_DEPTH):
            wanted = ahead - self._asked
            if not wanted:
                return
            self._asked |= wanted
            entries = values(get_hits(self._es, self._names.subscribers, sorted(wanted)), read_entry)
            found = [entry for entry in entries if not isinstance(entry, Address)]
            self._known |= {subscriber.id: subscriber for subscriber in found}
            for lost in (subscriber for subscriber in found if _zone(subscriber) is None):
                why = f"this machine has no time zone {lost.zone[:50]!r}, so its hours are read as UTC: choose another"
                report_problem(Problem("recipient", lost.id, why, "owe"))
            ahead = {route.to for subscriber in found for route in subscriber.routes if is_subscriber(route.to)}

    def _main_topics(self, deliveries: Iterable[Delivery]) -> dict[str, frozenset[str]]:
        """Article → its main topics, and the topics above them."""
        articles = ArticleStore(self._es, self._names).get({d.article_id for d in deliveries if d.article_id})
        return {
            article.id: frozenset(
                name for tag in article.tags if tag.level == "main" for name in _with_parents(tag.tag)
            )
            for article in articles.values()
        }


def _with_parents(tag: str) -> tuple[str, ...]:
    return (tag, tag.partition("/")[0])


def is_subscriber(recipient: str) -> bool:
    """Whether a recipient is a person or a group and not an address. Pure."""
    return recipient.partition(":")[0] in (PERSON, GROUP)


def addresses(
    recipients: Iterable[str], known: Mapping[str, Subscriber], at: datetime, main: frozenset[str]
) -> tuple[str, ...]:
    """The addresses that a story with these main topics goes to, each once. Pure.

    A person or group that is not known stays as it is, so that its delivery fails with a reason instead of vanishing.
    """
    found: list[str] = []
    seen: set[str] = set()
    ahead = list(reversed(tuple(recipients)))
    while ahead:
        recipient = ahead.pop()
        subscriber = known.get(recipient) if is_subscriber(recipient) else None
        if subscriber is None or not subscriber.routes:
            found.append(recipient)
        elif recipient not in seen:  # so that groups within groups, even a group in itself, cost each of them once
            seen.add(recipient)
            zone = _zone(subscriber) or UTC
            taken = [route for route in subscriber.routes if holds(route, at, zone, main)] or [subscriber.routes[0]]
            ahead += [route.to for route in reversed(taken)]
    return each_once(found)


def _zone(subscriber: Subscriber) -> ZoneInfo | None:
    """The zone of a subscriber's hours; None if this machine has none of that name, as of one edited by hand."""
    try:
        return ZoneInfo(subscriber.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
