"""Learning a feed's repeated lines from what is stored, on a real Elasticsearch."""

from __future__ import annotations

from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from newswatch.article import Article
from store.articles import ArticleStore
from store.names import Names
from store.repeated_lines import RepeatedLines
from store.stories import Stories
from tests.factories import NOW, a_batch, a_source, an_article
from transforms.repeated_lines import line_hashes

pytestmark = pytest.mark.slow

APPEAL = "Support our newsroom, which needs you."
EVENTS = {
    "Parliament votes on pensions": "Deputies in Oslo raised the pension age after a night of talks.",
    "Visitors win cup in Porto": "A late goal by Mendes won the final for the visitors.",
}


def article(feed: str, title: str, text: str) -> Article:
    source = a_source(feed_id=feed, name=feed, domain=f"{feed}.example")
    url = f"https://{feed}.example/{title.replace(' ', '-')}"
    return an_article(url, title=title, summary="", text=text, source=source, published=NOW, first_seen=NOW)


def test_lines_are_learned_for_each_feed_from_earlier_batches(es: Elasticsearch, names: Names) -> None:
    first, later = a_batch(7), a_batch(8)
    assert RepeatedLines(es, names, before=first.seq_from, now=NOW).of("herald") == frozenset()
    herald = [article("herald", title, f"{text}\n{APPEAL}") for title, text in EVENTS.items()]
    echo = [article("echo", "Pilots strike in Milan", f"Two hundred flights were cancelled.\n{APPEAL}")]
    ArticleStore(es, names).write([*herald, *echo], first, first.seq_of_attempt, now=NOW)
    Stories(es, names, window=timedelta(days=7)).place(first, now=NOW)
    es.indices.refresh(index=names.articles)
    learned = RepeatedLines(es, names, before=later.seq_from, now=NOW)
    assert learned.of("herald") == set(line_hashes(APPEAL))
    assert learned.of("echo") == frozenset()
    assert RepeatedLines(es, names, before=first.seq_from, now=NOW).of("herald") == frozenset(), "a batch run again"
    assert RepeatedLines(es, names, before=later.seq_from, now=NOW + timedelta(days=40)).of("herald") == frozenset()


def test_a_slice_that_is_just_being_created_teaches_nothing(es: Elasticsearch, names: Names) -> None:
    nowhere = {"index.routing.allocation.require._name": "nowhere"}
    es.indices.create(
        index=f"{names.articles}-2026.03",
        aliases={names.articles: {}},
        settings=nowhere,
        wait_for_active_shards="0",
        timeout="1s",
    )
    assert RepeatedLines(es, names, before=10**12, now=NOW).of("herald") == frozenset()
