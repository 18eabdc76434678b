"""The outbox: enqueues deliveries and records their outcomes.

A delivery is one document per saved search and story. It is created before anything is sent, so that a story is
enqueued once, however often its batch is matched. The outcome for each recipient is written into it by compare-and-set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from alerts import schedule
from alerts.kinds import EVENT_KINDS
from alerts.kinds.kind import Event
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.errors import NewswatchError
from newswatch.problems import Bulkhead, Problem
from store import bulk
from store.client import Client
from store.compare_and_set import until_written
from store.documents import Document, Stored, dump, load, require_id, values
from store.names import Names
from store.reading import every, get_stored
from store.times import moment_at

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
class Sent:
    """A mail that a recipient got on a story."""

    reference: str
    """The channel's name for the mail; empty if it gives none."""
    at: datetime
    article_ids: frozenset[str] = frozenset()
    """The articles on the story that it told."""
    schedules: frozenset[str] = frozenset()
    """The schedules of the saved searches for which it told of the story."""


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


ABOUT_SEARCHES: Final = ("failing", "working")
"""Kinds of deliveries that report on the saved search itself: it can't be run, or it can again."""
COVERAGE: Final = "coverage"
"""Kind of the delivery that makes a digest due without a story, because the watch was poor (`alerts.coverage`)."""
NOTICES: Final = (*ABOUT_SEARCHES, COVERAGE)
"""Kinds of deliveries without a story."""
KINDS: Final = ("retraction", "correction", *(kind.name for kind in EVENT_KINDS), "story", "update", *NOTICES)
"""The kinds of deliveries, the gravest first."""


def _since(milliseconds: float | None, now: datetime) -> datetime:
    """When the first of them became due; now, if no document says so."""
    return now if milliseconds is None else moment_at(milliseconds)


class RefusedError(NewswatchError):
    """Elasticsearch refuses a delivery because of its content; others are not affected."""


class Outbox:
    """The deliveries of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._index = es, names.deliveries

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
        which is arbitrary within a batch. A search with updates also gets the later articles. If a search's deliveries
        can't be made, the search is in `failed` and its matches must be enqueued later; the others are enqueued.

        Raises:
            StoreError: Elasticsearch did not accept all; enqueue the same matches again.
        """
        walls = bulkhead or Bulkhead("owe")
        by_id = {search.id: search for search in searches}
        found, first = list(matches), dict[tuple[str, str], Match]()
        for match in found:
            known = first.setdefault((match.saved_search_id, match.story_id), match)
            if match.published and known.published and match.published < known.published:
                first[match.saved_search_id, match.story_id] = match
        later = [m for m in found if first[m.saved_search_id, m.story_id] is not m]
        created = self._create(_made(first.values(), by_id, now, walls), walls)
        later += [m for m in first.values() if f"{m.saved_search_id}~{m.story_id}" in created.existing]
        updates = self._updates([m for m in later if by_id[m.saved_search_id].updates], by_id, now, walls)
        more = self._create(updates, walls)
        refused = {**created.refused, **more.refused}
        failed = {alert_id: reason for alert_id in by_id if (reason := walls.reason("search", alert_id))}
        return EnqueueReport(created.count + more.count, len(created.existing) + len(more.existing), failed | refused)

    def _updates(
        self, matches: Sequence[Match], searches: Mapping[str, SavedSearch], now: datetime, walls: Bulkhead
    ) -> Iterator[Delivery]:
        """Updates for the matches whose article is not the one that was delivered for the story."""
        ids = (f"{match.saved_search_id}~{match.story_id}" for match in matches)
        delivered = {stored.value.id: stored.value.article_id for stored in self.get(ids)}
        for delivery in _made(matches, searches, now, walls):
            if delivered.get(delivery.id) != delivery.article_id:
                yield replace(delivery, kind="update")

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
            for delivery in deliveries:
                under_way.append(delivery)
                yield bulk.create(self._index, delivery.id, document(delivery))

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
        self._es.indices.refresh(index=self._index)

    def get(self, ids: Iterable[str]) -> list[Stored[Delivery]]:
        """The deliveries with these ids that exist, in real time."""
        return get_stored(self._es, self._index, ids, read_delivery)

    def due(self, now: datetime) -> list[Waiting]:
        """Everything that is due by schedule, sorted by recipient, as of the last refresh."""
        due = _due(now)
        sources: list[dict[str, Any]] = [{name: {"terms": {"field": field}}} for name, field in _WAITING.items()]
        sources.append({"kind": {"terms": {"field": "kind", "missing_bucket": True}}})
        waiting: list[Waiting] = []
        after: dict[str, Any] = {}
        while True:
            composite = {"size": _PAGE, "sources": sources, **after}
            aggs = {"r": {"composite": composite, "aggs": {"since": {"min": {"field": "not_before"}}}}}
            page = self._es.search(index=self._index, size=0, query=due, aggs=aggs)["aggregations"]["r"]
            waiting += [
                Waiting(**bucket["key"], since=_since(bucket["since"]["value"], now), count=bucket["doc_count"])
                for bucket in page["buckets"]
            ]
            if "after_key" not in page:
                return waiting
            after = {"after": page["after_key"]}

    def waiting_for(self, recipient: str) -> list[Stored[Delivery]]:
        """Everything that waits for `recipient`, due or not, oldest first.

        A search finds the ids; because searches may be out of date, the deliveries are then read in real time.
        """
        query = {"bool": {"filter": [_PENDING, {"term": {"waiting": recipient}}]}}
        waiting = [stored for stored in self._as_now(query) if recipient in stored.value.waiting]
        return sorted(waiting, key=lambda stored: (stored.value.created_at, stored.id))

    def sent_to(self, recipient: str, story_ids: Iterable[str]) -> dict[str, list[Sent]]:
        """Story → the mails on it that `recipient` got, oldest first."""
        by_story: dict[str, dict[str, Sent]] = {}
        for delivery in self._of_stories(list(story_ids), recipient):
            for outcome in delivery.outcomes:
                if outcome.recipient == recipient and outcome.state is DeliveryState.SENT and outcome.at:
                    mails = by_story.setdefault(delivery.story_id, {})
                    sent = mails.get(outcome.key) or Sent(outcome.reference, outcome.at)
                    mails[outcome.key] = replace(
                        sent,
                        article_ids=sent.article_ids | {delivery.article_id},
                        schedules=sent.schedules | {delivery.schedule},
                    )
        return {story: sorted(mails.values(), key=lambda sent: sent.at) for story, mails in by_story.items()}

    def mailed_between(
        self, recipient: str, alert_ids: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, Delivery]:
        """Story → its first delivery of these saved searches that `recipient` got in that time, as of the last
        refresh; at most a thousand."""
        filters = [
            {"terms": {"alert_id": list(alert_ids)}},
            {"term": {"recipients": recipient}},
            {"term": {"kind": "story"}},
            {"range": {"sent_at": {"gt": start.isoformat(), "lte": end.isoformat()}}},
        ]
        answer = self._es.search(
            index=self._index, query={"bool": {"filter": filters}}, size=_PAGE, sort=[{"created_at": "asc"}]
        )
        found: dict[str, Delivery] = {}
        for delivery in values(answer["hits"]["hits"], read_delivery):
            found.setdefault(delivery.story_id, delivery)
        return found

    def about(self, alert_id: str, story_id: str) -> list[Delivery]:
        """All deliveries of a saved search on a story, oldest first, as of the last refresh."""
        both = [{"term": {"alert_id": alert_id}}, {"term": {"story_id": story_id}}]
        return sorted(self._as_indexed({"bool": {"filter": both}}), key=lambda delivery: delivery.created_at)

    def on_story(self, story_id: str) -> list[Delivery]:
        """All deliveries on a story, as of the last refresh."""
        return self._as_indexed({"term": {"story_id": story_id}})

    def latest(self, alert_id: str, size: int) -> list[Delivery]:
        """The last deliveries of a saved search, newest first, as of the last refresh."""
        query = {"term": {"alert_id": alert_id}}
        answer = self._es.search(index=self._index, query=query, size=size, sort=[{"created_at": "desc"}])
        return values(answer["hits"]["hits"], read_delivery)

    def of_articles(self, article_ids: Sequence[str]) -> Iterator[Delivery]:
        """The deliveries of these articles, sent or not, as of the last refresh."""
        for start in range(0, len(article_ids), _PAGE):
            about = {"terms": {"article_id": list(article_ids[start : start + _PAGE])}}
            news = {"terms": {"kind": ["story", "update"]}}
            yield from self._as_indexed({"bool": {"filter": [about, news]}})

    def about_searches(self, since: datetime) -> list[Stored[Delivery]]:
        """What was enqueued since then on saved searches that fail or work again; oldest first, in real time."""
        kinds, recent = {"terms": {"kind": ABOUT_SEARCHES}}, {"range": {"created_at": {"gte": since.isoformat()}}}
        found = self._as_now({"bool": {"filter": [kinds, recent]}})
        return sorted(found, key=lambda stored: (stored.value.created_at, stored.id))

    def _of_stories(self, story_ids: Sequence[str], recipient: str) -> Iterator[Delivery]:
        for start in range(0, len(story_ids), _PAGE):
            about = {"terms": {"story_id": list(story_ids[start : start + _PAGE])}}
            yield from self._as_indexed({"bool": {"filter": [about, {"term": {"recipients": recipient}}]}})

    def _as_indexed(self, query: Document) -> list[Delivery]:
        """The deliveries that match `query`, as of the last refresh."""
        return values(every(self._es, self._index, query), read_delivery)

    def _as_now(self, query: Document) -> list[Stored[Delivery]]:
        """The deliveries that matched `query` at the last refresh, in real time."""
        return self.get([hit["_id"] for hit in every(self._es, self._index, query, source=False)])

    def requeue(self, alert_id: str, now: datetime) -> int:
        """Requeue the deliveries of a saved search that its mute suppressed; returns their number."""
        self.refresh()
        muted = self._muted(alert_id)
        self.acknowledge(muted, lambda delivery: requeued(delivery, now))
        return len(muted)

    def _muted(self, alert_id: str) -> list[Stored[Delivery]]:
        both = [{"term": {"alert_id": alert_id}}, {"term": {"state": DeliveryState.SUPPRESSED}}]
        suppressed = self._as_now({"bool": {"filter": both}})
        return [stored for stored in suppressed if (stored.value.suppressed_by or "").startswith(_MUTED)]

    # ── recording outcomes ───────────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(
        self, deliveries: Iterable[Stored[Delivery]], change: Callable[[Delivery], Delivery]
    ) -> tuple[Delivery, ...]:
        """Record outcomes: apply `change` to each delivery, retrying while workers change it for other recipients.

        Returns the deliveries as written.

        Raises:
            RefusedError: Elasticsearch refuses one because of its content; the others are written.
            StoreError: one was changed by others on every try.
        """
        refused: dict[str, str] = {}
        written: list[Delivery] = []
        left = list(deliveries)

        def attempt() -> bool | None:
            nonlocal left
            changed = [change(was.value) for was in left]
            actions = [bulk.replace(was, document(new)) for was, new in zip(left, changed, strict=True)]
            again = []
            for was, new, result in zip(left, changed, bulk.write(self._es, actions), strict=True):
                if result.own_fault:
                    refused[was.id] = result.reason or ""
                elif bulk.require(result):
                    written.append(new)
                else:
                    again.append(was.id)
            left = self.get(again)
            return None if left else True

        until_written(attempt, lambda: f"Deliveries keep being changed by others: {', '.join(was.id for was in left)}")
        if refused:
            raise RefusedError(
                "; ".join(f"Elasticsearch refuses delivery {name}: {why}" for name, why in refused.items())
            )
        return tuple(written)


def _due(now: datetime) -> Document:
    """The query for everything that is due now.

    An instant mail never waits: one that is due in the future was created before the clock was set back.
    """
    by_time = {"range": {"not_before": {"lte": now.isoformat()}}}
    instant = {"term": {"schedule": "instant"}}
    return {"bool": {"filter": [_PENDING], "should": [by_time, instant], "minimum_should_match": 1}}


_WAITING = {"recipient": "waiting", "alert_id": "alert_id", "schedule": "schedule"}
_MUTED = "muted until"
_PENDING = {"term": {"state": DeliveryState.PENDING}}


def mute_rule(search: SavedSearch, now: datetime) -> str | None:
    """The rule that suppresses a muted saved search's deliveries; None if the search is not muted. Pure."""
    if search.mute_until is None or search.mute_until <= now:
        return None
    return f"{_MUTED} {search.mute_until:%Y-%m-%d %H:%M} UTC"


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


def match_delivery(match: Match, search: SavedSearch, now: datetime) -> Delivery:
    """The delivery of a match, due by the search's schedule; suppressed while the search is muted. Pure."""
    return replace(
        _new_delivery(search, match.story_id, match.article_id, now),
        published=match.published,
        fetched_at=match.fetched_at,
        indexed_at=match.indexed_at,
    )


def event_delivery(event: Event, search: SavedSearch, now: datetime) -> Delivery:
    """The delivery of an event, due by the search's schedule; suppressed while the search is muted. Pure."""
    return replace(_new_delivery(search, event.id, "", now), kind=event.kind, headline=event.headline)


def notice_delivery(search: SavedSearch, kind: str, about: str, text: str, now: datetime, due: datetime) -> Delivery:
    """A delivery of a kind of `NOTICES`, due at `due`; suppressed while the search is muted. Pure.

    `about` is the same for as long as the notice is about the same thing, so that it is enqueued once.
    """
    # A digest's schedule, because an instant delivery waits for nothing, not even for its time.
    times = search.schedule if kind == COVERAGE else "hourly"
    made = _new_delivery(replace(search, schedule=times), about, "", now)
    return replace(made, kind=kind, headline=text, not_before=due)


def _new_delivery(search: SavedSearch, story_id: str, article_id: str, now: datetime) -> Delivery:
    muted = mute_rule(search, now)
    return Delivery(
        alert_id=search.id,
        alert_name=search.name,
        story_id=story_id,
        article_id=article_id,
        recipients=search.recipients,
        state=DeliveryState.SUPPRESSED if muted else DeliveryState.PENDING,
        created_at=now,
        not_before=schedule.next_due(schedule.parse(search.schedule), now),
        schedule=search.schedule,
        suppressed_by=muted,
    )


def requeued(delivery: Delivery, now: datetime) -> Delivery:
    """A delivery that a mute had suppressed, pending again and due by its schedule. Pure."""
    kept = tuple(o for o in delivery.outcomes if not (o.error or "").startswith(_MUTED))
    due = schedule.next_due(schedule.parse(delivery.schedule), now)
    return replace(delivery, state=DeliveryState.PENDING, suppressed_by=None, outcomes=kept, not_before=due)


def with_outcome(delivery: Delivery, outcome: Outcome) -> Delivery:
    """The delivery with the outcome of one recipient. Its state changes once no recipient waits. Pure."""
    others = tuple(o for o in delivery.outcomes if o.recipient != outcome.recipient)
    changed = replace(delivery, outcomes=(*others, outcome))
    if changed.waiting or delivery.state is not DeliveryState.PENDING:
        return changed
    states = {o.state for o in changed.outcomes}
    order = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SUPPRESSED)
    state = next(state for state in order if state in states)
    why = outcome.error if state is DeliveryState.SUPPRESSED else None
    return replace(changed, state=state, sent_at=outcome.at if state is DeliveryState.SENT else None, suppressed_by=why)


def outcome_for(delivery: Delivery, recipient: str) -> Outcome:
    """The outcome of one recipient so far. Pure."""
    return next((o for o in delivery.outcomes if o.recipient == recipient), Outcome(recipient))


def document(delivery: Delivery) -> Document:
    """The document that stores a delivery under the id `delivery.id`. Pure."""
    shown = dump(delivery)
    for name in ("passages", "outcomes", "version", "headline", "notice"):
        shown.pop(name, None)
    return shown | {
        "waiting": list(delivery.waiting),
        "refused": list(delivery.refused),
        "last_error": delivery.last_error,
        "references": sorted({o.reference for o in delivery.outcomes if o.reference}),
        **_lags(delivery),
        "detail": dump(delivery),
    }


def _lags(delivery: Delivery) -> Document:
    """For Kibana: seconds from publication, and from our fetch, to the sending of an instant mail."""
    if delivery.sent_at is None or delivery.schedule != "instant" or delivery.kind != "story":
        return {}
    starts = {"lag_s": delivery.published, "own_lag_s": delivery.fetched_at}
    return {name: round((delivery.sent_at - start).total_seconds()) for name, start in starts.items() if start}


def delivery(document: Mapping[str, Any]) -> Delivery:
    """The inverse of `document`. Pure."""
    detail = dict(document["detail"])
    outcomes = [_in_current_shape(outcome) for outcome in detail.pop("outcomes", ())]
    return load(Delivery, {"recipients": (), "article_id": ""} | detail | {"outcomes": outcomes})


def _in_current_shape(outcome: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of an outcome in the current shape.

    Before there were channels, an outcome only had the `message_id` of its e-mail. It becomes both key and reference of
    that mail, so that a mail begun then is sent again under the same name, and threads continue.
    """
    former = outcome.get("message_id")
    return {"key": former, "reference": former} | dict(outcome) if former else outcome


def read_delivery(delivery_id: str, document: Mapping[str, Any]) -> Delivery:
    """The delivery in a document. Pure.

    Raises:
        ValueError: its id, kind or schedule is not valid.
    """
    read = delivery(document)
    require_id(delivery_id, read.id)
    if read.kind not in KINDS:
        raise ValueError(f"kind: {read.kind!r} must be one of {', '.join(KINDS)}")
    schedule.parse(read.schedule)
    return read
