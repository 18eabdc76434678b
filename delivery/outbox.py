"""The outbox: what is to be sent. A delivery is one document per saved search and story, created once.

It is created before anything is sent, so that a story is enqueued once, however often its batch is matched. What
becomes of it for each recipient is in `delivery.outcomes`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from alerts.kinds.kind import Event
from delivery.documents import delivery_document, outcome_id, read_delivery
from delivery.fanout import PENDING, Fanout
from delivery.kinds import ABOUT_SEARCHES
from delivery.made import JOINED, MUTED, event_delivery, match_delivery, requeued
from delivery.outcomes import Outcomes, Parcel
from delivery.parting import TELLING, Owed, Withdrawal, joined, told_under
from delivery.routing import Router
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome, story_delivery
from newswatch.problems import Bulkhead, Problem
from store.articles import ArticleStore
from store.elastic import bulk
from store.elastic.client import Client
from store.elastic.documents import Document, Stored, dump, values
from store.elastic.reading import every, get_stored, in_parts
from store.elastic.times import moment_at
from store.names import Names

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class EnqueueReport:
    """How many deliveries were created, and how many existed already."""

    created: int = 0
    existing: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    """Saved search → why one of its deliveries could not be enqueued. All deliveries of the others were."""


@dataclass(slots=True)
class _Created:
    """The result of creating deliveries."""

    count: int = 0
    existing: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    """Saved search → why Elasticsearch refuses one of its deliveries."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A saved search's deliveries that wait for a recipient and are due by schedule."""

    recipient: str
    alert_id: str
    schedule: str
    since: datetime
    """When the first of them became due."""
    count: int = 1
    """Number of deliveries."""
    kind: str | None = "story"
    """None in documents from before there were kinds."""


def _since(milliseconds: float | None, now: datetime) -> datetime:
    """When the first of them became due; now, if no document says so."""
    return now if milliseconds is None else moment_at(milliseconds)


class Outbox:
    """The deliveries of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._index, self._outcomes = es, names, names.deliveries, Outcomes(es, names)
        self._both = [names.deliveries, names.outcomes]

    # ── enqueuing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def enqueue(
        self,
        matches: Iterable[Match],
        searches: Iterable[SavedSearch],
        now: datetime,
        *,
        bulkhead: Bulkhead | None = None,
    ) -> EnqueueReport:
        """Enqueue each match's story for the recipients of its saved search, once.

        Of several articles on a story the first is delivered: the first published, or else the first in ingest order,
        which is arbitrary within a batch. A search with updates also gets the later articles. If all that was delivered
        for a story was parted from it since, so is the first of what is left. If a search's deliveries
        can't be made, the search is in `failed` and its matches must be enqueued later; the others are enqueued.

        Raises:
            StoreError: Elasticsearch did not accept all; enqueue the same matches again.
        """
        walls = bulkhead or Bulkhead("owe")
        by_id = {search.id: search for search in searches}
        found, first = list(matches), dict[tuple[str, str], Match]()
        for match in found:
            other = first.setdefault((match.saved_search_id, match.story_id), match)
            if match.published and other.published and match.published < other.published:
                first[match.saved_search_id, match.story_id] = match
        later = [m for m in found if first[m.saved_search_id, m.story_id] is not m]
        created = self._create(_made(first.values(), by_id, now, walls), walls)
        known = [m for m in first.values() if story_delivery(m.saved_search_id, m.story_id) in created.existing]
        later += known
        updates = self._updates([m for m in later if by_id[m.saved_search_id].updates], by_id, now, walls)
        untold = self._untold([m for m in known if not by_id[m.saved_search_id].updates], by_id, now, walls)
        more = self._create(chain(updates, untold), walls)
        refused = {**created.refused, **more.refused}
        failed = {alert_id: reason for alert_id in by_id if (reason := walls.reason("search", alert_id))}
        return EnqueueReport(created.count + more.count, len(created.existing) + len(more.existing), failed | refused)

    def _updates(
        self, matches: Sequence[Match], searches: Mapping[str, SavedSearch], now: datetime, walls: Bulkhead
    ) -> Iterator[Delivery]:
        """Updates for the matches whose article is not the one that was delivered for the story."""
        ids = (story_delivery(match.saved_search_id, match.story_id) for match in matches)
        delivered = {stored.value.id: stored.value.article_id for stored in self.get(ids)}
        for delivery in _made(matches, searches, now, walls):
            if delivered.get(delivery.id) != delivery.article_id:
                yield replace(delivery, kind="update")

    def _untold(
        self, matches: Sequence[Match], searches: Mapping[str, SavedSearch], now: datetime, walls: Bulkhead
    ) -> Iterator[Delivery]:
        """Deliveries of the matches on stories from which all that was told of them has been parted."""
        ids = (story_delivery(match.saved_search_id, match.story_id) for match in matches)
        left = self._left([stored.value for stored in self.get(ids)])
        if not left:
            return
        self.refresh()
        about = [one for one in self.on_stories({one.story_id for one in left}) if one.kind in TELLING]
        gone = {one.id for one in self._left(about)}
        told = {(one.alert_id, one.story_id) for one in about if one.id not in gone}
        bare = {(one.alert_id, one.story_id) for one in left} - told
        for delivery in _made([m for m in matches if (m.saved_search_id, m.story_id) in bare], searches, now, walls):
            yield replace(delivery, kind="update")  # the delivery that has the story's own id exists

    def _left(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Those whose article is in another story now."""
        stories = ArticleStore(self._es, self._names).stories_of(one.article_id for one in deliveries)
        return [one for one in deliveries if stories.get(one.article_id, one.story_id) != one.story_id]

    def enqueue_events(
        self,
        events: Iterable[Event],
        searches: Iterable[SavedSearch],
        now: datetime,
        *,
        bulkhead: Bulkhead | None = None,
    ) -> EnqueueReport:
        """Enqueue each event for the recipients of its saved search, once.

        Raises:
            StoreError: Elasticsearch did not accept all; enqueue the same events again.
        """
        walls = bulkhead or Bulkhead("owe")
        by_id = {search.id: search for search in searches}
        made = (
            walls.attempt(
                "search", event.saved_search_id, partial(event_delivery, event, by_id[event.saved_search_id], now)
            )
            for event in events
        )
        return self.add((delivery for delivery in made if delivery is not None), bulkhead=walls)

    def add(self, deliveries: Iterable[Delivery], *, bulkhead: Bulkhead | None = None) -> EnqueueReport:
        """Enqueue these deliveries. Those that exist already stay unchanged."""
        created = self._create(deliveries, bulkhead or Bulkhead("owe"))
        return EnqueueReport(created.count, len(created.existing), created.refused)

    def _create(self, deliveries: Iterable[Delivery], walls: Bulkhead) -> _Created:
        created, under_way = _Created(), deque[Delivery]()

        def actions() -> Iterator[Document]:
            for delivery in Router(self._es, self._names).routed(deliveries):
                under_way.append(delivery)
                yield bulk.create(self._index, delivery.id, delivery_document(delivery))

        for result in bulk.write(self._es, actions()):
            delivery = under_way.popleft()
            if result.conflict:
                created.existing.add(result.id)
            elif result.own_fault:
                created.refused[delivery.alert_id] = result.reason or ""
                walls.note(_refused(delivery, result.reason or ""))
            else:
                created.count += bulk.require(result)
        return created

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh(self) -> None:
        """Make all writes visible to searches."""
        Fanout(self._es, self._names).refresh()

    def get(self, ids: Iterable[str]) -> list[Stored[Delivery]]:
        """The deliveries with these ids that exist, without their outcomes, in real time."""
        return get_stored(self._es, self._index, ids, read_delivery)

    def told(self, ids: Iterable[str]) -> list[Delivery]:
        """The deliveries with these ids that exist, with the outcomes of all recipients, in real time."""
        return self._outcomes.of([stored.value for stored in self.get(ids)])

    def due(self, now: datetime) -> list[Waiting]:
        """Everything that is due by schedule, sorted by recipient, as of the last refresh.

        A delivery counts for its recipients until it is spread, and the outcomes do from then on.
        """
        due = _due(now)
        sources: list[dict[str, Any]] = [{name: {"terms": {"field": field}}} for name, field in _WAITING.items()]
        sources.append({"kind": {"terms": {"field": "kind", "missing_bucket": True}}})
        waiting: list[Waiting] = []
        after: dict[str, Any] = {}
        while True:
            composite = {"size": _PAGE, "sources": sources, **after}
            aggs = {"r": {"composite": composite, "aggs": {"since": {"min": {"field": "not_before"}}}}}
            page = self._es.search(index=self._both, size=0, query=due, aggs=aggs)["aggregations"]["r"]
            waiting += [
                Waiting(**bucket["key"], since=_since(bucket["since"]["value"], now), count=bucket["doc_count"])
                for bucket in page["buckets"]
            ]
            if "after_key" not in page:
                return waiting
            after = {"after": page["after_key"]}

    def about(self, alert_id: str, story_id: str) -> list[Delivery]:
        """All deliveries of a saved search on a story with their outcomes, oldest first, as of the last refresh."""
        both = [{"term": {"alert_id": alert_id}}, {"term": {"story_id": story_id}}]
        found = values(every(self._es, self._index, {"bool": {"filter": both}}), read_delivery)
        return self._outcomes.of(sorted(found, key=lambda delivery: delivery.created_at))

    def on_stories(self, story_ids: Collection[str]) -> list[Delivery]:
        """All deliveries on these stories with their outcomes, as of the last refresh."""
        found = values(every(self._es, self._index, {"terms": {"story_id": list(story_ids)}}), read_delivery)
        return self._outcomes.of(list(found))

    def withdraw(self, withdrawals: Iterable[Withdrawal], now: datetime) -> None:
        """Withdraw what waits, and settle the deliveries for which nobody waits any more; together, as there may be as
        many withdrawals as saved searches.

        Raises:
            StoreError: the outcomes keep being changed by others; call it again.
        """
        asked: dict[str, Withdrawal] = {}
        ids: set[str] = set()
        for each in withdrawals:
            ids |= {one.id for one in each.deliveries}
            for one in each.deliveries:
                for reader in each.readers.intersection(one.recipients):
                    asked.setdefault(outcome_id(one.id, reader), each)

        def withdrawn(parcel: Parcel) -> Outcome:
            each = asked[parcel.stored.id]
            return joined(parcel.outcome, each.to, each.readers, now)

        self._outcomes.acknowledge(self._outcomes.parcels(asked), withdrawn)
        Fanout(self._es, self._names).settle(ids, now)

    def settled(self, story_ids: Collection[str], now: datetime) -> list[Delivery]:
        """The deliveries on these stories, and those that their notes lead to, settled: see `settle`."""
        found, asked, wanted = list[Delivery](), set[str](), {*story_ids}
        while wanted:
            self.settle(wanted, now)
            more = self.on_stories(wanted)
            asked |= wanted
            found += more
            wanted = {story for one in more for story in told_under(one)} - asked
        return found

    def settle(self, story_ids: Collection[str], now: datetime) -> None:
        """Give every delivery on these stories its outcomes, and each that nobody waits for its state."""
        fanout = Fanout(self._es, self._names)
        fanout.refresh()
        fanout.spread_of("story_id", story_ids)
        fanout.settle((), now)

    def latest(self, alert_id: str, size: int) -> list[Delivery]:
        """The last deliveries of a saved search with their outcomes, newest first, as of the last refresh."""
        query = {"term": {"alert_id": alert_id}}
        answer = self._es.search(index=self._index, query=query, size=size, sort=[{"created_at": "desc"}])
        return self._outcomes.of(values(answer["hits"]["hits"], read_delivery))

    def of_articles(self, article_ids: Sequence[str]) -> Iterator[tuple[Delivery, list[Outcome]]]:
        """The deliveries of these articles that were mailed, each with the outcomes of those to whom it was, or to whom
        a mail was begun; as of the last refresh."""
        told: dict[str, list[Outcome]] = {}
        for start in range(0, len(article_ids), _PAGE):
            about = {"terms": {"article_id": list(article_ids[start : start + _PAGE])}}
            news = {"terms": {"kind": list(TELLING)}}
            begun = {"bool": {"filter": [PENDING, {"exists": {"field": "key"}}]}}
            sent = {"bool": {"should": [{"term": {"state": DeliveryState.SENT}}, begun], "minimum_should_match": 1}}
            for each in self._outcomes.select({"bool": {"filter": [about, news, sent]}}):
                told.setdefault(each.delivery_id, []).append(each.outcome)
        for stored in self.get(told):
            yield stored.value, told[stored.id]

    def about_searches(self, since: datetime) -> list[Stored[Delivery]]:
        """What was enqueued since then on saved searches that fail or work again; oldest first, in real time."""
        kinds, recent = {"terms": {"kind": ABOUT_SEARCHES}}, {"range": {"created_at": {"gte": since.isoformat()}}}
        query = {"bool": {"filter": [kinds, recent]}}
        found = self.get([hit["_id"] for hit in every(self._es, self._index, query, source=False)])
        return sorted(found, key=lambda stored: (stored.value.created_at, stored.id))

    def requeue(self, alert_id: str, now: datetime) -> int:
        """Requeue the deliveries of a saved search that its mute suppressed; returns their number."""
        of_search = {"term": {"alert_id": alert_id}}
        return self._outcomes.requeue(of_search, of_search, MUTED, partial(requeued, now=now))

    def owe_again(self, withdrawn: Collection[Owed], now: datetime) -> int:
        """Requeue what was withdrawn because its story was joined with another; the number of deliveries."""
        number = 0
        for part in in_parts(sorted({*withdrawn})):
            these = {"ids": {"values": sorted({name for name, _ in part})}}
            theirs = {"ids": {"values": [outcome_id(*each) for each in part]}}
            number += self._outcomes.requeue(these, theirs, JOINED, partial(requeued, now=now))
        return number


def _due(now: datetime) -> Document:
    """The query for everything that is due now.

    An instant mail never waits: one that is due in the future was created before the clock was set back.
    """
    by_time = {"range": {"not_before": {"lte": now.isoformat()}}}
    instant = {"term": {"schedule": "instant"}}
    return {"bool": {"filter": [PENDING], "should": [by_time, instant], "minimum_should_match": 1}}


_WAITING = {"recipient": "waiting", "alert_id": "alert_id", "schedule": "schedule"}


def _made(
    matches: Iterable[Match], searches: Mapping[str, SavedSearch], now: datetime, walls: Bulkhead
) -> Iterator[Delivery]:
    """The deliveries of the matches, without those of searches that have failed."""
    for match in matches:
        if not walls.has("search", match.saved_search_id):
            made = walls.attempt(
                "search", match.saved_search_id, partial(match_delivery, match, searches[match.saved_search_id], now)
            )
            if made is not None:
                yield made


def _refused(delivery: Delivery, reason: str) -> Problem:
    return Problem("mail", delivery.id, reason, "owe", document=dump(delivery))
