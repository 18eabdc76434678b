"""Brings what hubs push into the fast lane, one feed at a time, and subscribes feeds that name a hub."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from ingest.http.fetch import Fetcher
from ingest.parsed import ParsedFeed
from ingest.polling.hubs import Subscription
from ingest.source import Polling
from jobs.context import Context
from jobs.fast.hubs import Hubs, as_fetched
from jobs.fast.read import Brought, logged
from store.elastic.documents import Stored
from store.feeds import FeedStore
from store.hubs import Push

BELL_S: Final = 0.5
"""Seconds between two looks for pushes, each one small request."""
AGAIN_S: Final = 5.0
"""Seconds after which a push is tried again that could not be brought in."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PushTools:
    """What the fast lane lends."""

    in_thread: Callable[..., Awaitable[Any]]
    """Runs what waits for Elasticsearch."""
    start: Callable[[Coroutine[Any, Any, None]], None]
    """Starts work of its own."""
    bring: Callable[[str, Brought], Awaitable[bool]]
    """Brings a document of a feed in; False: the feed is in other hands just now."""


class Pushing:
    """The subscriptions and the pushes of one process."""

    def __init__(self, context: Context, fetcher: Fetcher, tools: PushTools) -> None:
        self._context, self._fetcher, self._tools = context, fetcher, tools
        self._polling, self._hubs = Polling(fetcher), Hubs(context)
        self._feeds = FeedStore(context.es, context.names)
        self._busy: dict[str, float] = {}
        """Feed with a push that is being read, or failed → until when, by the monotonic clock, it is left alone."""

    async def look(self) -> dict[str, bool]:
        """Ask for the subscriptions that are due; the subscribed feeds, each with whether its hub is relied on.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        subscribed, to_ask = await self._tools.in_thread(self._hubs.look)
        for subscription in to_ask:
            self._tools.start(self._subscribe(subscription))
        found: dict[str, bool] = subscribed
        return found

    async def _subscribe(self, asked: Subscription) -> None:
        with logged(f"subscribing to {asked.hub}"):
            if why := await self._hubs.ask(self._fetcher, asked):
                log.warning("The hub of %s was asked in vain: %s", asked.feed_id, why)
                await self._tools.in_thread(self._hubs.refused, asked, why)

    async def listen(self) -> None:
        """Read what is pushed, for ever."""
        while True:
            with logged("looking for what hubs have pushed"):
                now_s = time.monotonic()
                self._busy = {feed_id: until_s for feed_id, until_s in self._busy.items() if until_s > now_s}
                for push in await self._tools.in_thread(self._hubs.pushes, tuple(self._busy)):
                    if push.value.feed_id not in self._busy:  # one by one, in their order
                        self._busy[push.value.feed_id] = math.inf
                        self._tools.start(self._take(push))
            await asyncio.sleep(BELL_S)

    async def _take(self, push: Stored[Push]) -> None:
        rest_s = AGAIN_S
        try:
            with logged(f"reading what was pushed of {push.value.feed_id}"):
                if await self._is_brought(push):
                    await self._tools.in_thread(self._hubs.done, push)
                    rest_s = 0.0
        finally:
            self._busy[push.value.feed_id] = time.monotonic() + rest_s

    async def _is_brought(self, push: Stored[Push]) -> bool:
        """Whether the push is dealt with; False: its feed is in other hands just now."""
        for record in await self._tools.in_thread(self._feeds.at, [push.value.feed_id]):
            feed, state = record.value.feed, record.value.state
            if not feed.enabled:
                return True
            answer = as_fetched(push.value, state.url)
            try:
                parsed = await self._tools.in_thread(self._polling.read, answer, feed, self._context.clock())
            except Exception:  # a fault of ours: the batch meets it within its walls, and reports it
                log.exception("what was pushed of %s could not be read", state.url)
                return await self._tools.bring(push.value.feed_id, Brought(answer))
            if not isinstance(parsed, ParsedFeed):
                await self._tools.in_thread(self._hubs.set_aside, push, state.url, parsed.reason)
                return True
            return await self._tools.bring(push.value.feed_id, Brought(answer, parsed))
        return True
