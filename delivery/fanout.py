"""From a delivery to its outcomes and back.

A delivery is enqueued as one document, and "spread" before anything is sent: each recipient gets an outcome, created
once, whoever spreads it and however often. The state of the delivery as a whole follows when no recipient waits any
more (`settle`). Whatever a worker leaves when it dies, the next run does.

An installation from before the outcomes had an index has years of deliveries to spread. Those that nobody waits for are
spread by and by (`spread_newest`); whoever needs certain ones before spreads them first (`spread`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from delivery.documents import outcome_document, outcome_id, read_delivery
from delivery.made import first_outcomes, joint_state
from newswatch.delivery import Delivery, DeliveryState
from newswatch.problems import Problem, reason_of, report_problem
from store.elastic import bulk
from store.elastic.client import Client
from store.elastic.documents import Document, Stored, all_stored, stored
from store.elastic.reading import every, get_stored, in_parts, pages
from store.elastic.times import moment_at
from store.names import Names

PENDING: Final = {"term": {"state": DeliveryState.PENDING}}
UNSPREAD: Final = {"bool": {"must_not": {"term": {"spread": True}}}}
"""The deliveries whose recipients have no documents yet: fresh ones, and those from before there were any."""
EVERY: Final[Document] = {"match_all": {}}
OLD_AT_ONCE: Final = 5_000
"""Outcomes that are created at once of deliveries from before there were any, some three seconds' work; mails go on."""
_SPREAD_AT_ONCE: Final = 200
_PAGE: Final = 1_000
_LAST: Final = {"max": {"field": "sent_at"}}


class Fanout:
    """Spreads and settles the deliveries of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._index, self._deliveries = es, names.outcomes, names.deliveries

    def refresh(self) -> None:
        """Make all writes to the outbox visible to searches."""
        self._es.indices.refresh(index=[self._deliveries, self._index])

    def spread(self, which: Document = EVERY) -> int:
        """Create the outcomes of the deliveries that match and lack them, as of the last refresh; their number.

        Killed at any point, it is continued by the next call: an outcome that exists stays as it is.

        Raises:
            StoreError: Elasticsearch did not accept all; call it again.
        """
        if not self._lacks(query := {"bool": {"filter": [which, UNSPREAD]}}):
            return 0
        number = 0
        for page in pages(self._es, self._deliveries, query, size=_SPREAD_AT_ONCE, seq_no_primary_term=True):
            number += self._spread(all_stored(page, read_delivery))
        self.refresh()
        return number

    def spread_of(self, field: str, values: Iterable[str]) -> int:
        """The same for the deliveries with one of the values in a field, however many there are."""
        return sum(self.spread({"terms": {field: part}}) for part in in_parts(sorted({*values})))

    def spread_newest(self, most: int, which: Document = EVERY) -> bool:
        """Create the outcomes of the newest deliveries that match and lack them, some `most` outcomes; whether some are
        left.

        Raises:
            StoreError: Elasticsearch did not accept all; call it again.
        """
        if not self._lacks(query := {"bool": {"filter": [which, UNSPREAD]}}):
            return False
        order, made = [{"created_at": "desc"}, "_shard_doc"], 0
        found = pages(self._es, self._deliveries, query, size=_SPREAD_AT_ONCE, sort=order, seq_no_primary_term=True)
        with closing(found):
            for page in found:
                some = []
                for each in all_stored(page, read_delivery):
                    if made < most:
                        some.append(each)
                        made += max(1, len(each.value.recipients))
                self._spread(some)
                if made >= most:
                    break
        self.refresh()
        return self._lacks(query)

    def _lacks(self, query: Document) -> bool:
        return bool(self._es.search(index=self._deliveries, query=query, size=1, source=False)["hits"]["hits"])

    def spread_again(self, since: datetime) -> None:
        """Have the deliveries spread again that were created since then; an outcome that exists stays as it is.

        A snapshot takes one index after the other, so it may hold a delivery as spread without its outcomes.

        Raises:
            StoreError: the index can't be written to; call it again.
        """
        self.refresh()
        query = {"bool": {"filter": [{"range": {"created_at": {"gte": since.isoformat()}}}]}}
        found = every(self._es, self._deliveries, query, source=False)
        actions = (bulk.merge(self._deliveries, hit["_id"], {"spread": False}) for hit in found)
        for result in bulk.write(self._es, actions):
            bulk.won(result)

    def _spread(self, deliveries: Sequence[Stored[Delivery]]) -> int:
        owners, failed = deque[str](), set[str]()

        def actions() -> Iterator[Document]:
            for each in deliveries:
                try:
                    made = self._first_actions(each)
                except Exception as error:  # what an edit by hand made of it costs itself
                    failed.add(each.id)
                    report_problem(Problem("document", f"{self._deliveries}/{each.id}", reason_of(error)))
                else:
                    owners.extend([each.id] * len(made))
                    yield from made

        for result in bulk.write(self._es, actions()):
            owner = owners.popleft()
            if result.own_fault:
                failed.add(owner)
                report_problem(Problem("document", f"{self._index}/{result.id}", result.reason or ""))
            else:
                bulk.require(result)
        whole = [each for each in deliveries if each.id not in failed]
        done = {"spread": True, "waiting": [], "detail": {"outcomes": []}}
        won = list(map(bulk.require, bulk.write(self._es, (bulk.amend(each, done) for each in whole))))
        # A conflict: another worker has spread it too, or somebody was erased meanwhile.
        self._take_back([each for each, is_ours in zip(whole, won, strict=True) if not is_ours])
        return sum(won)

    def _take_back(self, changed: Sequence[Stored[Delivery]]) -> None:
        """Delete the outcomes of those whom a delivery that others have changed no longer names: they were erased."""
        fresh = get_stored(self._es, self._deliveries, [each.id for each in changed], read_delivery) if changed else ()
        named = {each.id: {*each.value.recipients} for each in fresh}
        for each in changed:
            for recipient in {*each.value.recipients} - named.get(each.id, {*each.value.recipients}):
                self._es.options(ignore_status=404).delete(index=self._index, id=outcome_id(each.id, recipient))

    def _first_actions(self, one: Stored[Delivery]) -> list[Document]:
        return [
            bulk.create(self._index, outcome_id(one.id, first.recipient), outcome_document(one.value, first))
            for first in first_outcomes(one.value)
        ]

    def settle(self, ids: Iterable[str], now: datetime) -> int:
        """Give the deliveries for which nobody waits any more the state of all their recipients; their number.

        Besides `ids`, those are looked at that a worker may have left: the newest thousand that are due and open.
        """
        self.refresh()
        due = {"range": {"not_before": {"lte": now.isoformat()}}}
        open_ = [PENDING, {"term": {"spread": True}}]
        hits = self._open([*open_, due])
        known = {hit["_id"] for hit in hits}
        others = sorted({*ids} - known)
        for start in range(0, len(others), _PAGE):
            hits += self._open([*open_, {"ids": {"values": others[start : start + _PAGE]}}])
        return sum(self._settle(hits[start : start + _PAGE]) for start in range(0, len(hits), _PAGE))

    def _open(self, filters: list[Any]) -> list[Any]:
        query = {"bool": {"filter": filters}}
        return list(
            self._es.search(
                index=self._deliveries,
                query=query,
                size=_PAGE,
                sort=[{"created_at": "desc"}],
                source=False,
                seq_no_primary_term=True,
            )["hits"]["hits"]
        )

    def _settle(self, hits: Sequence[Any]) -> int:
        joint = self._joint([hit["_id"] for hit in hits])
        if unseen := [hit["_id"] for hit in hits if hit["_id"] not in joint]:
            # Another worker may have spread them since our refresh; who is spread has outcomes, unless it has nobody.
            self._es.indices.refresh(index=self._index)
            joint |= self._joint(unseen)
        unfinished = {name for name, (state, _, _) in joint.items() if state is DeliveryState.PENDING}
        actions = [
            bulk.amend(stored(None, hit), _settled(*joint.get(hit["_id"], (DeliveryState.SUPPRESSED, None, None))))
            for hit in hits
            if hit["_id"] not in unfinished
        ]
        # A conflict: another worker has settled or requeued it.
        return sum(bulk.won(result) for result in bulk.write(self._es, actions))

    def _joint(self, ids: Sequence[str]) -> dict[str, tuple[DeliveryState, datetime | None, str | None]]:
        """Delivery → its joint state, when the last recipient received it, and a rule that suppressed it."""
        why = {"terms": {"field": "error", "size": 1}}
        inner = {"terms": {"field": "state", "size": len(DeliveryState)}, "aggs": {"why": why}}
        aggs = {"d": {"terms": {"field": "delivery_id", "size": len(ids)}, "aggs": {"states": inner, "last": _LAST}}}
        about = {"terms": {"delivery_id": list(ids)}}
        if not ids:
            return {}
        answer = self._es.search(index=self._index, size=0, query=about, aggs=aggs)
        return {bucket["key"]: _joint_of(bucket) for bucket in answer["aggregations"]["d"]["buckets"]}


def _joint_of(bucket: Mapping[str, Any]) -> tuple[DeliveryState, datetime | None, str | None]:
    reasons = {DeliveryState(one["key"]): one["why"]["buckets"] for one in bucket["states"]["buckets"]}
    state = joint_state(set(reasons))
    last = bucket["last"]["value"]
    sent_at = moment_at(last) if state is DeliveryState.SENT and last is not None else None
    why = reasons[state] if state is DeliveryState.SUPPRESSED else ()
    return state, sent_at, next((str(one["key"]) for one in why), None)


def _settled(state: DeliveryState, sent_at: datetime | None, why: str | None) -> Document:
    fields = {"state": state, "sent_at": sent_at and sent_at.isoformat(), "suppressed_by": why}
    known = {name: value for name, value in fields.items() if value is not None}
    return known | {"detail": known}
