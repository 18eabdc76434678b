"""Reads what a feed shows: a page of it, newest first, which whatever comes in meanwhile does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alerts.highlight import Place, highlights
from delivery.feeds_out import Addresses, Shown, shown_by
from delivery.words import one_line, shortened
from jobs.context import Context
from newswatch.alert import Passage
from newswatch.feed_address import FeedAddress, Target
from search.ingest_pages import Numbered, page_before
from store.ingest_order import Horizons
from web.feeds_out.entries import Document, entry_of, tag_uri
from web.render import query_string

_TITLE: Final = 200
_ABOUT: Final = "Found by newswatch. Copies are left out."


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page of a feed was asked for."""

    before: int | None = None
    """Only articles with lower ingest numbers; None: the newest."""
    since: datetime | None = None
    """Only what was indexed from then on."""
    limit: int = 50


def check(here: Context, target: Target) -> None:
    """Check that there is such a feed.

    Raises:
        NewswatchError: there is not; the message says why.
    """
    shown_by(here.es, here.names, target, here.clock())


def read_feed(here: Context, address: FeedAddress, asked: Asked, form: str, horizons: Horizons) -> Document:
    """One page of the feed.

    Raises:
        NoSuchFeedError: its saved search or story is gone.
        QueryError: its query can't be run, or takes too long.
        StoreError, elasticsearch's errors: Elasticsearch is unavailable.
    """
    now = here.clock()
    what = shown_by(here.es, here.names, address.target, now)
    since = [{"range": {"indexed_at": {"gte": asked.since.isoformat()}}}] if asked.since else []
    query = {"bool": {"filter": [what.query, *since]}}
    shown, before = page_before(
        here.es, here.names, query, asked.before, typed=what.typed, size=asked.limit, horizons=horizons, now=now
    )
    passages = _passages(here, what, shown) if what.marks else {}
    topics, settings = here.names.shown_topics(), here.settings
    entries = tuple(entry_of(one, passages.get((_WHY, one.article.id), ()), settings, topics) for one in shown)
    about = _ABOUT if address.target.shows != "story" else "All reports of a story, found by newswatch."
    url = Addresses(settings).url(address, form)
    kept: dict[str, Any] = {
        "since": asked.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if asked.since else None,
        "limit": asked.limit if asked.limit != Asked().limit else None,
    }
    return Document(
        id=tag_uri(settings, "feed", f"{address.id}-{address.number}"),
        title=shortened(one_line(what.title), _TITLE),
        about=f"{about} {what.shortened}".rstrip(),
        shortened=what.shortened,
        self_url=_url(url, before=asked.before, **kept),
        first_url=_url(url, **kept),
        next_url=_url(url, before=before, **kept) if before is not None else "",
        home_url=f"{settings.public_url.rstrip('/')}/news{what.home}",
        hub=settings.websub_hub or "",
        updated=max([address.created_at, *(one.indexed_at for one in shown)]),
        entries=entries,
    )


def _url(url: str, **asked: Any) -> str:
    return f"{url}{query_string(**asked)}".rstrip("?")


_WHY: Final = "feed"


def _passages(here: Context, what: Shown, shown: Sequence[Numbered]) -> Mapping[Place, tuple[Passage, ...]]:
    """Where the query matches. Without them, an entry is shown all the same."""
    wanted = ((_WHY, what.query, one.article.language, one.article.id) for one in shown)
    return highlights(here.es, here.names, wanted)
