"""Reads what a feed shows: a page of it, newest first, which whatever comes in meanwhile does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from itsdangerous import BadData, URLSafeSerializer

from alerts.highlight import Place, highlights
from alerts.query import to_query
from alerts.saved import SavedSearches
from delivery.links import signing_keys
from delivery.words import one_line, shortened
from jobs.context import Context
from newswatch.alert import Passage
from newswatch.errors import NewswatchError
from newswatch.feed_address import FeedAddress, Target
from newswatch.settings import Settings
from search.ingest_pages import Numbered, Query, page_before, query_of
from search.story_view import read_story
from search.syntax import parse
from store.ingest_order import Horizons
from web.feeds_out.entries import Document, entry_of, tag_uri
from web.render import query_string

PATH: Final = "/newswatch/feeds"
"""Below `Settings.public_url`."""
_TITLE: Final = 200
_ABOUT: Final = "Found by newswatch. Copies are left out."


class NoSuchFeedError(NewswatchError):
    """What the feed showed is not there any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page of a feed was asked for."""

    before: int | None = None
    """Only articles with lower ingest numbers; None: the newest."""
    since: datetime | None = None
    """Only what was indexed from then on."""
    limit: int = 50


class Addresses:
    """Signs and reads the secret part of feed addresses."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.public_url.rstrip("/") + PATH
        self._signer = URLSafeSerializer(signing_keys(settings), salt="newswatch feed addresses")

    def url(self, address: FeedAddress, form: str) -> str:
        """The address for a format, `atom` or `json`."""
        return f"{self._base}/{self.token(address)}/{form}"

    def token(self, address: FeedAddress) -> str:
        """The secret part."""
        token = self._signer.dumps([address.id, address.number])
        return token if isinstance(token, str) else token.decode("ascii")

    def read(self, token: str) -> tuple[str, int] | None:
        """The id and the number that are signed; None if nothing of ours is."""
        try:
            address_id, number = self._signer.loads(token)
            return str(address_id), int(number)
        except (BadData, ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class _What:
    """What a feed shows."""

    title: str
    query: Query
    typed: str
    home: str
    marks: bool
    """Whether its query has words, whose matches show why an article is in it."""


def check(here: Context, target: Target) -> None:
    """Check that there is such a feed.

    Raises:
        NewswatchError: there is not; the message says why.
    """
    _what(here, target, here.clock())


def read_feed(here: Context, address: FeedAddress, asked: Asked, form: str, horizons: Horizons) -> Document:
    """One page of the feed.

    Raises:
        NoSuchFeedError: its saved search or story is gone.
        QueryError: its query can't be run, or takes too long.
        StoreError, elasticsearch's errors: Elasticsearch is unavailable.
    """
    now = here.clock()
    what = _what(here, address.target, now)
    since = [{"range": {"indexed_at": {"gte": asked.since.isoformat()}}}] if asked.since else []
    query = {"bool": {"filter": [what.query, *since]}}
    shown, before = page_before(
        here.es, here.names, query, asked.before, typed=what.typed, size=asked.limit, horizons=horizons, now=now
    )
    passages = _passages(here, what, shown) if what.marks else {}
    topics, settings = here.names.shown_topics(), here.settings
    entries = tuple(entry_of(one, passages.get((_WHY, one.article.id), ()), settings, topics) for one in shown)
    url = Addresses(settings).url(address, form)
    kept: dict[str, Any] = {
        "since": asked.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if asked.since else None,
        "limit": asked.limit if asked.limit != Asked().limit else None,
    }
    return Document(
        id=tag_uri(settings, "feed", f"{address.id}-{address.number}"),
        title=shortened(one_line(what.title), _TITLE),
        about=_ABOUT if address.target.shows != "story" else "All reports of a story, found by newswatch.",
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


def _passages(here: Context, what: _What, shown: Sequence[Numbered]) -> Mapping[Place, tuple[Passage, ...]]:
    """Where the query matches. Without them, an entry is shown all the same."""
    wanted = ((_WHY, what.query, one.article.language, one.article.id) for one in shown)
    return highlights(here.es, here.names, wanted)


def _what(here: Context, target: Target, now: datetime) -> _What:
    original: Query = {"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}}
    if target.shows == "story":
        story = read_story(here.es, here.names, target.of)
        if story is None:
            raise NoSuchFeedError("There is no such story, or it is older than what is kept.")
        title = f"Story: {story.lead.title}"
        return _What(title, {"term": {"story_id": target.of}}, "", f"/story/{target.of}", marks=False)
    if target.shows == "saved-search":
        search = SavedSearches(here.es, here.names).of([target.of]).get(target.of)
        if search is None:
            raise NoSuchFeedError("There is no such saved search: it was deleted.")
        query = {"bool": {"filter": [to_query(search), original]}}
        return _What(search.name, query, search.query, f"/searches/{search.id}", marks=bool(search.query.strip()))
    parsed = parse(target.of)
    asked = query_of(here.es, here.names, target.of, now)
    states_copies = any(value in ("copy", "original") for one in parsed.of("is") for value in one.values)
    query = asked if states_copies else {"bool": {"filter": [asked, original]}}
    title = f"newswatch: {target.of.strip() or 'everything'}"
    home = f"/{query_string(q=target.of, sort='time')}"
    return _What(title, query, target.of, home, marks=bool(parsed.text.strip()))
