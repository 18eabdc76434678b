"""The lines that a feed's outlet repeats, learned from the feed's stored articles."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock

from elasticsearch import ApiError, Elasticsearch

from store.names import Names
from transforms.repeated_lines import LEAST_STORIES

log = logging.getLogger(__name__)

_LEARNED_FROM = timedelta(days=30)
_MOST = 300
"""Lines of a feed, those of most articles first."""


class RepeatedLines:
    """The repeated lines of feeds as of one batch: articles of that batch and later ones change nothing."""

    def __init__(self, es: Elasticsearch, names: Names, *, before: int, now: datetime) -> None:
        """Lines are learned from articles with ingest numbers below `before`, of the 30 days before `now`."""
        self._es, self._names, self._before = es, names, before
        self._since = (now - _LEARNED_FROM).isoformat()
        self._known: dict[str, frozenset[str]] = {}
        self._learning = Lock()

    def of(self, feed_id: str) -> frozenset[str]:
        """The hashes of the lines that the feed has in several stories; asked once for each feed."""
        with self._learning:
            if feed_id not in self._known:
                self._known[feed_id] = self._learned(feed_id)
            return self._known[feed_id]

    def _learned(self, feed_id: str) -> frozenset[str]:
        of_feed = [
            {"term": {"source.feed_id": feed_id}},
            {"range": {"seq": {"lt": self._before}}},
            {"range": {"time": {"gte": self._since}}},
            {"exists": {"field": "placed_at"}},
        ]
        in_stories = {"cardinality": {"field": "story_id", "precision_threshold": 100}}
        # By map: few of an index's lines are the feed's, and ordinals of all would be made anew at each refresh.
        terms = {"field": "lines", "min_doc_count": LEAST_STORIES, "size": _MOST, "execution_hint": "map"}
        try:
            answer = self._es.search(
                index=self._names.articles,
                size=0,
                query={"bool": {"filter": of_feed}},
                aggs={"lines": {"terms": terms, "aggs": {"stories": in_stories}}},
                ignore_unavailable=True,
            )
        except ApiError as error:
            if error.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            # No shard answers: another worker is just creating the first slice. Where more is wrong, writing says so.
            log.info("No repeated lines of feed %s are known: no slice of articles can be searched yet", feed_id)
            return frozenset()
        # Without any slice there are no aggregations either.
        buckets = answer.get("aggregations", {}).get("lines", {}).get("buckets", ())
        return frozenset(one["key"] for one in buckets if one["stories"]["value"] >= LEAST_STORIES)
