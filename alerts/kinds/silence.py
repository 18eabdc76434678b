"""Kind `silence`: reports that no matching article has come in for a given time."""

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
    """The event that nothing has come in for `silence_s`; None otherwise, and if nothing ever came in.

    Raises:
        QueryError: it can't be run, takes too long or needs too much memory.
        StoreError: Elasticsearch is unavailable.
    """
    newest = {"last": {"max": {"field": "first_seen"}}}
    # A time in the future was written by a wrong clock or by hand, and would hide the silence.
    so_far = {"range": {"first_seen": {"lte": (now + SKEW).isoformat()}}}
    query = {"bool": {"filter": [to_query(search), so_far]}}
    answer = ask(es, names.articles, search.query, size=0, query=query, aggs=newest)
    last = answer["aggregations"]["last"]
    if last["value"] is None:
        return None
    since = datetime.fromisoformat(last["value_as_string"])
    if now - since < timedelta(seconds=search.silence_s):
        return None
    headline = f"{search.name}: nothing since {since:%d %b %Y, %H:%M} UTC"
    return Event(search.id, KIND.name, f"silence-{since:%Y%m%dT%H%M%S}", headline)


KIND = Kind(
    "silence",
    "Silence: nothing that matches for",
    watches="{silence} without",
    lasts=True,
    look=look,
    label="Nothing for a long time",
)
