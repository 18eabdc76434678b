"""Sources of feed documents: `jobs.pull` asks a source for the document of each feed of its batch, and for its entries.

`Polling` requests them from the publishers over HTTP, feeds and lists that are not feeds. Another source may take
documents that were pushed. Everything after that is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched, FetchResult
from ingest.listings import bring_list
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.polling.schedule import request_of
from newswatch.feed import Feed, FeedState


class DocumentSource(Protocol):
    """Brings the documents of feeds and parses them."""

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        """The feed's current document; or that it equals the one in `state`, or why there is none.

        The feed's next poll is planned by this result, whatever the source.
        """
        ...

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        """The entries of a document that was brought, or why there are none.

        Called in a thread. It must bound its time and memory, as `ingest.parse.parse` does.
        """
        ...


SourceOf = Callable[[Fetcher], DocumentSource]
"""Makes the source of one batch; requests by the batch's fetcher keep the pace of each host."""


class Polling:
    """Polls the publishers with conditional requests."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        """The answer of the feed's address; of an index of sitemaps, the likeliest sitemaps as one document."""
        if feed.read == "feed":
            return await self._fetcher.fetch(request_of(state))
        return await bring_list(self._fetcher, request_of(state), feed.read)

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        """The feed in the answer, in any format; or the list, as the feed says how it is read."""
        return parse(
            answer.body,
            url=answer.final_url,
            content_type=answer.headers.get("content-type"),
            country=feed.country,
            now=now,
            as_a=feed.read,
            rule=feed.rule,
        )
