"""What saved searches have found lately: new, last match, mails a week; each fails alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from alerts.counts import MOST, Counts, counts
from delivery.fanout import Fanout
from delivery.outbox import Outbox
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Tag
from newswatch.delivery import Delivery, DeliveryState, Outcome
from search.extract_filters import as_typed
from search.query import find
from store.names import Names
from tests.factories import NOW, a_source, an_article
from tests.newsstand import stock

DAY = timedelta(days=1)
NEW = {"range": {"indexed_at": {"gt": (NOW - DAY).isoformat()}}}
ALL = SavedSearch("all", "All", "", ("ann@example.org",))


def delivered(story: str, days_ago: int, reference: str) -> Delivery:
    at = NOW - days_ago * DAY
    outcome = Outcome("ann@example.org", DeliveryState.SENT, at=at, reference=reference)
    sent = DeliveryState.SENT
    return Delivery("awacs", "AWACS", story, story, ("ann@example.org",), sent, at, sent_at=at, outcomes=(outcome,))


def test_each_is_counted_and_a_broken_one_costs_only_itself(es: Elasticsearch, names: Names) -> None:
    old = an_article("https://x.example/old", title="AWACS yesterday")
    new = an_article("https://x.example/new", title="AWACS today")
    stock(es, names, [old], now=NOW - 2 * DAY)
    stock(es, names, [new], now=NOW)
    digest = [delivered(story, 14, "digest") for story in "abc"]
    Outbox(es, names).add([*digest, delivered("d", 1, "one"), delivered("e", 40, "long ago")])
    fanout = Fanout(es, names)
    fanout.refresh()
    assert fanout.spread() == 5
    fanout.refresh()
    searches = [
        replace(ALL, id="awacs", query="AWACS"),
        replace(ALL, id="yesterday", query="yesterday"),
        replace(ALL, id="broken", query="AWACS AND ("),
        replace(ALL, id="costly", query="x" * 100_000),
        replace(ALL, id="none", query="zeppelin"),
    ]
    found = counts(es, names, searches, NEW, NOW)
    assert found["awacs"] == Counts(1, NOW, 2 / 2), "three stories of a digest are one mail"
    assert found["yesterday"] == Counts(0, NOW - 2 * DAY)
    assert found["none"] == Counts()
    assert found["broken"].fault
    assert found["costly"].fault
    with pytest.raises(ValueError, match="51 saved searches at once; 50 is the most"):
        counts(es, names, [ALL] * (MOST + 1), NEW, NOW)


def test_what_is_typed_finds_what_the_saved_search_matches(es: Elasticsearch, names: Names) -> None:
    tags = (Tag("nato", "main", 0.9, ()), Tag("nato/burden-sharing", "mention", 0.4, ()))
    of_a, title = a_source(domain="a.example"), "Ministers meet allies"
    fits = an_article("https://a.example/1", title=title, tags=tags, source=of_a)
    others = [
        an_article("https://b.a.example/2", title=title, tags=tags, source=a_source(domain="b.a.example")),
        an_article("https://a.example/3", title="Ministers meet", tags=tags, source=of_a),
        an_article("https://a.example/4", title=title, tags=tags[:1], source=of_a),
    ]
    stock(es, names, [fits, *others])
    search = replace(
        ALL,
        query="ministers allies",
        tags=(TagFilter("nato", "main"), TagFilter("nato/burden-sharing")),
        min_score=0.3,
        sources=("a.example",),
        languages=("en",),
    )
    typed = as_typed(search)
    assert [hit.article.id for hit in find(es, names, typed, now=NOW).hits] == [fits.id], typed
    main = replace(ALL, tags=(TagFilter("nato", "main"),), countries=("BE", "FR"))
    assert as_typed(main) == "tag:nato level:main country:BE,FR"
    assert as_typed(ALL) == ""
