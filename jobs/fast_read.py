"""What the fast lane has brought itself, for `jobs.pull`, and whether that says anything new. Pure but for parsing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ingest.fetch import Fetcher
from ingest.fetched import Fetched, FetchResult, NotModified
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.source import Polling
from newswatch.feed import Feed, FeedState


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
