"""What was watched, as it is read: cheap for ten thousand feeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elastic_transport import Transport
from elasticsearch import Elasticsearch, helpers

from newswatch.feed import FeedState, Gap
from newswatch.outages import Cause, Outage, begun, ended
from newswatch.settings import Settings
from store.feed_documents import feed_document
from store.indices.setup import set_up
from store.names import Names
from store.outages import OutageStore
from store.watched import read_watched
from tests.factories import NOW, a_feed

pytestmark = pytest.mark.slow

FEEDS = 10_000
HOUR = timedelta(hours=1)


def test_ten_thousand_feeds_cost_a_handful_of_requests(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(es, names, Settings(index_prefix=names.prefix))
    outage, gap = Outage(NOW - HOUR, NOW, "503"), Gap(NOW - HOUR, NOW)
    state = FeedState("f", "u", last_poll_at=NOW, outages=(outage,), gaps=(gap,), entry_ids=("e" * 50,) * 50)

    def document(number: int) -> dict[str, Any]:
        feed = a_feed(f"f{number}", enabled=number != 7)
        return feed_document(feed, replace(state, feed_id=feed.id, url=feed.url))

    helpers.bulk(es, ({"_index": names.feeds, "_id": f"f{n}", **document(n)} for n in range(FEEDS)))
    OutageStore(es, names).change(Cause.NETWORK, lambda history: begun(history, NOW))
    asked: list[str] = []
    original = Transport.perform_request

    def counted(self: Transport, method: str, target: str, **more: Any) -> Any:
        asked.append(target)
        return original(self, method, target, **more)

    monkeypatch.setattr(Transport, "perform_request", counted)
    watched = read_watched(es, names, NOW)
    assert len(watched.feeds) == FEEDS - 1, "one is disabled"
    assert len(asked) <= 6, asked
    assert (watched.feeds[0].outages, watched.feeds[0].gaps, watched.feeds[0].last_poll_at) == ((outage,), (gap,), NOW)
    assert watched.own == {Cause.NETWORK: (Outage(NOW),)}


def test_outages_are_written_only_when_they_change(es: Elasticsearch, names: Names) -> None:
    set_up(es, names, Settings(index_prefix=names.prefix))
    store = OutageStore(es, names)
    assert store.read() == {}
    assert store.change(Cause.MAIL, lambda history: ended(history, NOW)) == ()
    assert not es.exists(index=names.outages, id=Cause.MAIL)
    store.change(Cause.MAIL, lambda history: begun(history, NOW, "down"))
    version = es.get(index=names.outages, id=Cause.MAIL)["_version"]
    store.change(Cause.MAIL, lambda history: begun(history, NOW + HOUR, "down"))
    assert es.get(index=names.outages, id=Cause.MAIL)["_version"] == version
    assert store.read() == {Cause.MAIL: (Outage(NOW, None, "down"),)}
