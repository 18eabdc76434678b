"""What the fast lane has brought itself, for `jobs.pull.batch`, and whether that says anything new."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchResult, NotModified
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.source import Polling
from newswatch.errors import NewswatchError
from newswatch.feed import Feed, FeedState
from store.elastic.faults import REFUSALS

TROUBLE: Final = (NewswatchError, *REFUSALS)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brought:
    """An answer that may be news, and what was read in it."""

    outcome: FetchResult
    parsed: ParsedFeed | NotAFeed | None = None


class Handed(Polling):
    """The source of a batch whose answers are there already; a feed without one is polled."""

    def __init__(self, brought: Mapping[str, Brought], fetcher: Fetcher) -> None:
        super().__init__(fetcher)
        self._brought = brought

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        """The answer that was brought, or that of the publisher."""
        brought = self._brought.get(feed.id)
        return brought.outcome if brought else await super().bring(feed, state)

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        """What was read in the answer that was brought; another is parsed."""
        brought = self._brought.get(feed.id)
        return (brought.parsed if brought else None) or super().read(answer, feed, now)


def words(parsed: ParsedFeed | NotAFeed | None) -> str | None:
    """A hash of all that the entries say, without what surrounds them; None if there is no feed."""
    if not isinstance(parsed, ParsedFeed):
        return None
    return hashlib.sha256(repr(parsed.entries).encode("utf-8", "replace")).hexdigest()


def as_unchanged(answer: Fetched) -> NotModified:
    """The answer whose entries are known: only what surrounds them has changed, such as the date of its making."""
    return NotModified(
        answer.url,
        answer.final_url,
        answer.status,
        answer.headers,
        answer.fetched_at,
        answer.elapsed_s,
        answer.hops,
    )


@contextmanager
def logged(doing: str) -> Iterator[None]:
    """Log what keeps us from doing something. It is tried again; the minute's poll does it if we never succeed."""
    try:
        yield
    except TROUBLE as error:
        log.warning("%s failed: %s", doing, error)
