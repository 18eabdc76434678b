"""Schedules when mailed articles are read again, because outlets correct what they have published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.clock import SKEW
from store.elastic import bulk
from store.elastic.documents import Stored, dump, load, require_id
from store.elastic.reading import find
from store.names import Names

HOURS = (1, 6, 24)
"""Hours after the mail."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A mailed article, and when to read it again."""

    article_id: str
    mailed_at: datetime
    due_at: datetime | None
    """None: all rechecks are done."""
    done: int = 0

    def next(self) -> Recheck:
        """The recheck after one more reading."""
        done = self.done + 1
        due = self.mailed_at + timedelta(hours=HOURS[done]) if done < len(HOURS) else None
        return replace(self, done=done, due_at=due)


class Rechecks:
    """The rechecks of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.rechecks

    def note_mailed(self, *, now: datetime) -> int:
        """Schedule the articles mailed in the last day that are not scheduled yet; their number."""
        self._es.indices.refresh(index=[self._names.outcomes, self._index])
        since = now - timedelta(hours=HOURS[-1])
        answer = self._es.search(
            index=self._names.outcomes,
            size=0,
            query={"bool": {"filter": [{"range": {"sent_at": {"gte": since.isoformat()}}}]}},
            aggs={
                "articles": {
                    "terms": {"field": "article_id", "size": 10_000},
                    "aggs": {"first": {"min": {"field": "sent_at"}}},
                }
            },
        )
        buckets = answer["aggregations"]["articles"]["buckets"]
        mailed = {b["key"]: datetime.fromisoformat(b["first"]["value_as_string"]) for b in buckets if b["key"]}
        first = timedelta(hours=HOURS[0])
        fresh = [Recheck(article_id, mailed_at, mailed_at + first) for article_id, mailed_at in mailed.items()]
        actions = (bulk.create(self._index, recheck.article_id, dump(recheck)) for recheck in fresh)
        return sum(bulk.won(result) for result in bulk.write(self._es, actions))

    def due(self, *, now: datetime, limit: int = 500) -> list[Stored[Recheck]]:
        """The articles to read again now, longest overdue first.

        A recheck due later than the last one can be was scheduled by a clock that was set back since, and is due too.
        """
        self._es.indices.refresh(index=self._index)
        overdue = {"range": {"due_at": {"lte": now.isoformat()}}}
        ahead = {"range": {"due_at": {"gt": (now + timedelta(hours=HOURS[-1]) + SKEW).isoformat()}}}
        return find(
            self._es,
            self._index,
            read_recheck,
            query={"bool": {"should": [overdue, ahead]}},
            size=limit,
            sort=[{"due_at": "asc"}],
        )

    def postpone(self, rechecks: Sequence[Stored[Recheck]], due_at: datetime) -> None:
        """Read the articles again at `due_at` instead, so that they hold up no others until then.

        Raises:
            StoreError: the index can't be written to.
        """
        actions = [bulk.replace(was, dump(replace(was.value, due_at=due_at))) for was in rechecks]
        for result in bulk.write(self._es, actions):
            bulk.won(result)

    def done(self, rechecks: Sequence[Stored[Recheck]]) -> None:
        """Record that the articles were read; what another worker has recorded meanwhile stays.

        Raises:
            StoreError: the index can't be written to.
        """
        actions = [bulk.replace(was, dump(was.value.next())) for was in rechecks]
        for result in bulk.write(self._es, actions):
            bulk.won(result)


def read_recheck(article_id: str, document: Mapping[str, Any]) -> Recheck:
    """The recheck of a document; checks that its next one can be computed. Pure."""
    recheck = load(Recheck, {"due_at": None} | dict(document))
    require_id(article_id, recheck.article_id)
    recheck.next()
    return recheck
