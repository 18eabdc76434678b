"""Elasticsearch's times as ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from elasticsearch import Elasticsearch

from newswatch.feed import FeedState
from search.query import find
from store.article_documents import to_document
from store.elastic.times import FIRST, LAST, moment_at
from store.feed_documents import feed_document
from store.feed_history import read_history
from store.names import Names
from tests.factories import NOW, a_feed, stored_article


@pytest.mark.parametrize(
    ("milliseconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        (-9.2e15, FIRST),
        (9.2e15, LAST),
        (float("inf"), LAST),
    ],
)
def test_a_moment_lies_in_a_calendar(milliseconds: float, moment: datetime) -> None:
    assert moment_at(milliseconds) == moment


@pytest.mark.slow
@pytest.mark.parametrize("moment", [10**15, -(10**14), "9999-12-31T23:59:59.999Z", "0001-01-01"])
def test_an_article_edited_to_another_age_spoils_no_time_line(es: Elasticsearch, names: Names, moment: object) -> None:
    index = names.slice_of_month(f"{NOW:%Y.%m}")
    es.indices.create(index=index, aliases={names.articles: {}})
    good = to_document(
        stored_article(url="https://x.example/good"), names.topics(), batch_id="b", seq=2_000_000, indexed_at=NOW
    )
    odd = to_document(
        stored_article(url="https://x.example/odd"), names.topics(), batch_id="b", seq=2_000_001, indexed_at=NOW
    )
    es.index(index=index, id="good", document=good)
    es.index(index=index, id="odd", document=odd | {"published": moment, "first_seen": moment})
    es.index(index=names.feeds, id="herald", document=feed_document(a_feed(), FeedState("herald", a_feed().url)))
    es.indices.refresh(index=f"{index},{names.feeds}")
    assert find(es, names, "", with_facets=True, now=NOW).total >= 1
    history = read_history(es, names, "herald", days=30, now=NOW)
    assert sum(history.days.values()) in (0, 1, 2)
    assert len(history.days) == 30
