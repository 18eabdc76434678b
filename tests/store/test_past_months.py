"""What is known of a past month while it is out of reach: which articles it certainly doesn't have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from newswatch.errors import StoreError
from store.articles import ArticleStore
from store.elastic.index_facts import uuid_of
from store.elastic.reading import every
from store.names import Names
from store.past_months import PastMonths
from tests.alerts.press import Press, a_story
from tests.factories import NOW, a_batch
from tests.lost_slice import lost_slice

pytestmark = pytest.mark.slow

LAST = "2026.02"
BEFORE = NOW - timedelta(days=20)
OLD, NEW, LATE = a_story(1, first_seen=BEFORE), a_story(2), a_story(3, first_seen=BEFORE)


@pytest.fixture
def months(es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch) -> PastMonths:
    monkeypatch.setattr("store.articles._ROUNDS", 2)
    press = Press(es, names)
    press.publish(OLD, now=BEFORE)
    press.publish(a_story(9))
    return PastMonths(es, names)


def write(es: Elasticsearch, names: Names, article: Article, number: int = 9, *, importing: bool = False) -> Any:
    batch = a_batch(number)
    return ArticleStore(es, names, importing=importing).write([article], batch, batch.seq_of_attempt, now=NOW)


def test_new_articles_are_written_without_a_month_of_which_they_are_known_not_to_be(
    es: Elasticsearch, names: Names, months: PastMonths
) -> None:
    assert months.learn(NOW) == [names.slice_of_month(LAST)]
    assert months.learn(NOW) == [], "once"
    with lost_slice(es, names, LAST):
        assert write(es, names, NEW).new == (NEW.id,)
        assert ArticleStore(es, names).exist([NEW.id, a_story(4).id]) == {NEW.id}
        with pytest.raises(StoreError, match="can't be read now"):
            write(es, names, replace(OLD, first_seen=NOW))
    assert write(es, names, replace(OLD, first_seen=NOW), 10).known == (OLD.id,)


def test_without_what_is_known_of_it_everything_waits_for_a_month(
    es: Elasticsearch, names: Names, months: PastMonths
) -> None:
    with lost_slice(es, names, LAST), pytest.raises(StoreError, match="can't be read now"):
        write(es, names, NEW)
    assert months.learn(NOW) == [names.slice_of_month(LAST, 2)], "of the index in force"


def test_who_writes_into_a_past_month_says_so_first(es: Elasticsearch, names: Names, months: PastMonths) -> None:
    months.learn(NOW)
    assert write(es, names, LATE, importing=True).new == (LATE.id,)
    index = names.slice_of_month(LAST)
    assert months.learn(NOW + timedelta(hours=23)) == []
    assert months.lacking(index, [LATE.id, NEW.id]) == set()
    assert months.learn(NOW + timedelta(hours=25)) == [index]
    assert months.lacking(index, [LATE.id, NEW.id]) == {NEW.id}


def test_what_is_written_while_a_month_is_learned_leaves_it_unknown(
    es: Elasticsearch, names: Names, months: PastMonths, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all = every

    def meanwhile(*asked: Any, **more: Any) -> Iterator[Any]:
        if asked[1] != names.months:
            monkeypatch.setattr("store.past_months.every", read_all)
            hits = [*read_all(*asked, **more)]
            assert write(es, names, LATE, importing=True).new
            return iter(hits)
        return read_all(*asked, **more)

    monkeypatch.setattr("store.past_months.every", meanwhile)
    assert months.learn(NOW) == []
    index = names.slice_of_month(LAST)
    assert months.lacking(index, [LATE.id, NEW.id]) == set()


def test_what_is_known_of_a_month_is_not_of_another_index_of_its_name(
    es: Elasticsearch, names: Names, months: PastMonths
) -> None:
    months.learn(NOW)
    index = names.slice_of_month(LAST)
    assert months.lacking(index, [OLD.id, NEW.id]) == {NEW.id}
    was = uuid_of(es, index)
    es.indices.delete(index=index)
    assert write(es, names, LATE, importing=True).new
    assert uuid_of(es, index) != was
    assert months.lacking(index, [NEW.id]) == set()


def test_a_month_is_learned_when_it_has_settled_and_forgotten_with_its_slice(
    es: Elasticsearch, names: Names, months: PastMonths
) -> None:
    assert months.learn(NOW.replace(day=2)) == []
    assert months.learn(NOW.replace(day=4)) == [names.slice_of_month(LAST)]
    es.indices.delete(index=names.slice_of_month(LAST))
    es.indices.refresh(index=names.months)
    assert months.learn(NOW) == []
    es.indices.refresh(index=names.months)
    assert es.count(index=names.months)["count"] == 0


def test_what_somebody_made_of_the_hashes_proves_nothing(es: Elasticsearch, names: Names, months: PastMonths) -> None:
    index = names.slice_of_month(LAST)
    for ids in ("AAA=", "AAAA"):
        document = {"uuid": uuid_of(es, index), "at": NOW.isoformat(), "ids": ids}
        es.index(index=names.months, id=index, document=document)
        assert months.lacking(index, [NEW.id]) == set()
