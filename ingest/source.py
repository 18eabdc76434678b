"""Where the documents of feeds come from: `jobs.pull` asks a source for each feed of its batch, and has it read them.

`Polling` asks the publishers over HTTP. Another source may hand over what was pushed, or find the articles on a page
that is no feed. All that they bring goes the same way from there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from ingest.fetch import Fetcher
from ingest.fetched import Fetched, FetchResult
from ingest.parse import parse
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.schedule import request_of
from newswatch.feed import Feed, FeedState


class DocumentSource(Protocol):
    """Brings the documents of feeds and reads them."""

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:
        """The feed's document as it is now; or that it is the one that `state` tells of, or why there is none.

        The feed's next poll is planned by it, whoever brought it.
        """
        ...

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        """The entries of a document that was brought, or why there are none.

        It is called on a thread, and is to bound the time and memory that it takes, as `ingest.parse.parse` does.
        """
        ...


SourceOf = Callable[[Fetcher], DocumentSource]
"""Makes the source of one batch; what it fetches by the batch's fetcher keeps the pace that hosts are owed."""


class Polling:
    """Asks the publishers for their feeds, conditionally."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def bring(self, feed: Feed, state: FeedState) -> FetchResult:  # noqa: ARG002 - the state has the address
        """What the feed's address answers."""
        return await self._fetcher.fetch(request_of(state))

    def read(self, answer: Fetched, feed: Feed, now: datetime) -> ParsedFeed | NotAFeed:
        """The feed in the answer, in whichever format it is."""
        return parse(
            answer.body,
            url=answer.final_url,
            content_type=answer.headers.get("content-type"),
            country=feed.country,
            now=now,
        )
