"""Feeds: their state, what they brought, and polling one again."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from ingest.polling.fast import pace
from newswatch.texts import without_logins
from store.feed_history import read_history, retry
from store.feeds import FeedRecord, FeedStore
from web.charts import bars
from web.problem_pages import SHOWN
from web.render import render
from web.security import Here
from web.zones import zone_of

HISTORY_DAYS = 30
TROUBLE = ("failing", "gone", "gap", "stale", "slow", "new", "ok", "disabled")
"""States, worst first."""
_SOON = "the next run of `poll_feeds` takes it, within a minute"
DONE = {
    "retry": f"It is due now: {_SOON}.",
    "added": f"It is in the list: {_SOON}.",
    "saved": "It is saved, and holds from the next poll on.",
    "on": f"It is switched on: {_SOON}.",
    "off": "It is switched off. What it has brought stays.",
}
"""What was done → a sentence on it."""

router = APIRouter()
changes = APIRouter()


@router.get("/feeds")
def list_feeds(
    request: Request,
    here: Here,
    state: Annotated[str, Query(max_length=20)] = "",
    find: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    records = FeedStore(here.es, here.names).all()
    counts = Counter(state_of(record) for record in records)
    shown = [r for r in records if (not state or state_of(r) == state) and _fits(r, find)]
    shown.sort(key=lambda r: (_rank(state_of(r)), r.feed.title.casefold()))
    values = {"records": shown, "total": len(records), "counts": sorted(counts.items(), key=lambda c: _rank(c[0]))}
    return render(request, "feeds.html.j2", state=state, find=find, now=here.clock(), state_of=state_of, **values)


@router.get("/feeds/{feed_id}")
def show_feed(request: Request, here: Here, feed_id: str, done: str = "") -> Response:
    now, zone = here.clock(), zone_of(request)
    history = read_history(here.es, here.names, feed_id, days=HISTORY_DAYS, now=now, zone=zone)
    values = {"history": history, "bars": bars(history.days), "state": state_of(history.record), **SHOWN}
    record = history.record
    paced = pace(record.feed, record.state, here.settings, now) if record.feed.enabled else None
    more = {"done": DONE.get(done, ""), "days": HISTORY_DAYS, "zone": zone, "fast_lane": paced and paced.why}
    return render(request, "feed.html.j2", now=now, **more, **values)


@changes.post("/feeds/{feed_id}/retry")
def poll_again(request: Request, here: Here, feed_id: str) -> Response:
    retry(here.es, here.names, feed_id)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/feeds/{feed_id}?done=retry", 303)


def state_of(record: FeedRecord) -> str:
    """The state a feed is shown in."""
    return str(record.state.health) if record.feed.enabled else "disabled"


def _rank(state: str) -> int:
    return TROUBLE.index(state) if state in TROUBLE else 0


def _fits(record: FeedRecord, find: str) -> bool:
    address = without_logins(record.state.url)  # what isn't shown must not be found out by searching for it
    text = f"{record.feed.id} {record.feed.title} {address} {record.feed.owner or ''}".casefold()
    return all(word in text for word in find.casefold().split())
