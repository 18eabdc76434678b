"""Kind `silence`: nothing that matches has come in for too long."""

from __future__ import annotations

from datetime import datetime, timedelta

from elasticsearch import Elasticsearch

from alerts.kinds.kind import Event, Kind
from alerts.query import to_query
from newswatch.alert import SavedSearch
from newswatch.clock import SKEW
from search.asking import ask
from store.names import Names


def look(es: Elasticsearch, names: Names, search: SavedSearch, now: datetime) -> Event | None:
    """That nothing has come in for `silence_s`; None also where nothing ever did.

    Raises:
        QueryError: it can't be run, takes too long or needs too much.
        StoreError: Elasticsearch is in trouble of its own.
    """
    newest = {"last": {"max": {"field": "first_seen"}}}
    # A moment that is yet to come was written by a clock that is wrong, or by hand: it would hide the silence.
    so_far = {"range": {"first_seen": {"lte": (now + SKEW).isoformat()}}}
    query = {"bool": {"filter": [to_query(search), so_far]}}
    answer = ask(es, names.articles, search.query, size=0, query=query, aggs=newest)
    last = answer["aggregations"]["last"]
    if last["value"] is None:
        return None
    since = datetime.fromisoformat(last["value_as_string"])
    if now - since < timedelta(seconds=search.silence_s):
        return None
    told = f"{search.name}: nothing since {since:%d %b %Y, %H:%M} UTC"
    return Event(search.id, KIND.name, f"silence-{since:%Y%m%dT%H%M%S}", told)


KIND = Kind(
    "silence",
    "Silence: nothing that matches for",
    watches="{silence} without",
    lasts=True,
    look=look,
    label="Nothing for a long time",
)
