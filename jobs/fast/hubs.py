"""The hubs' part of the fast lane: subscribes feeds that name a hub, and finds what hubs have pushed.

The News page's web server takes the pushes (`web.hub`) and keeps them; this finds them within a second. A push is only
an addition: its feed is polled once a minute as before, so a hub that falls silent costs seconds and no article.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from delivery.links import signing_keys
from ingest.http.fetch import Fetcher
from ingest.http.fetched import Fetched
from ingest.polling.hubs import LEASE_S, Subscription, key_of, pushes_well, to_ask
from jobs.context import Context
from newswatch.feed import FeedState
from newswatch.problems import Problem
from newswatch.settings import Settings
from store.elastic.documents import Stored
from store.hubs import HubStore, Push

PATH: Final = "/newswatch/hub"
"""Where the web server takes pushes, under the public address."""
AT_ONCE: Final = 5
"""Pushes that are read from the store together; each may have five megabytes."""


class Hubs:
    """The hubs of one installation. Its functions wait for Elasticsearch, but `ask`, which waits for a hub."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = HubStore(context.es, context.names)
        self._key = signing_keys(context.settings)[-1]
        self._read_up_to = -2

    def look(self) -> tuple[dict[str, bool], list[Subscription]]:
        """The subscribed feeds, each with whether its hub is relied on; and the subscriptions to ask for now, which are
        noted as asked.

        Raises:
            StoreError: Elasticsearch is unavailable.
        """
        now, offers, known = self._context.clock(), self._store.offers(), self._store.all()
        subscribed = {
            feed_id: pushes_well(known[feed_id], state, now)
            for feed_id, state in offers.items()
            if feed_id in known and known[feed_id].is_active(now)
        }
        asked = (
            self._store.change(feed_id, partial(_asked, state=state, now=now))
            for feed_id, state in offers.items()
            if to_ask(known.get(feed_id), state, now)
        )
        return subscribed, [subscription for subscription in asked if subscription]

    async def ask(self, fetcher: Fetcher, asked: Subscription) -> str:
        """Ask the hub for a subscription; why it refused, or "" if it will verify it."""
        return await fetcher.post_form(asked.hub, form_of(asked, self._context.settings, self._key))

    def refused(self, asked: Subscription, why: str) -> None:
        """Note why a hub did not take what it was asked; it is asked again later."""
        self._store.change(asked.feed_id, lambda was: replace(was, why=why) if was else None)

    def pushes(self, busy: Collection[str]) -> list[Stored[Push]]:
        """The next pushes, if the bell has rung since all were read; none of the feeds `busy`, which hold up nobody."""
        rung = self._store.rung()
        if rung == self._read_up_to:
            return []
        waiting = self._store.waiting(AT_ONCE, but=busy)
        if not waiting and not busy:
            self._read_up_to = rung
        return waiting

    def done(self, push: Stored[Push]) -> None:
        """Forget a push that was read."""
        self._store.done([push])

    def set_aside(self, push: Stored[Push], url: str, why: str) -> None:
        """Report a push that can't be read."""
        walls, feed_id = self._context.bulkhead("hub"), push.value.feed_id
        walls.note(Problem("feed", feed_id, f"what its hub pushed is not read: {why}", walls.stage, url, feed_id))
        self._context.keep_problems(walls)


def _asked(was: Subscription | None, state: FeedState, now: datetime) -> Subscription | None:
    return to_ask(was, state, now)


def form_of(asked: Subscription, settings: Settings, key: str) -> dict[str, str]:
    """What a hub is asked. Pure."""
    callback = key_of(key, "callback", asked.feed_id, asked.round)
    return {
        "hub.mode": "subscribe",
        "hub.topic": asked.topic,
        "hub.callback": f"{settings.public_url.rstrip('/')}{PATH}/{asked.feed_id}/{callback}",
        "hub.secret": key_of(key, "secret", asked.feed_id, asked.round),
        "hub.lease_seconds": str(LEASE_S),
    }


def as_fetched(push: Push, url: str) -> Fetched:
    """The push as an answer of the feed's address. Pure."""
    digest = hashlib.sha256(push.body).hexdigest()
    headers = {"content-type": push.content_type}
    return Fetched(url, url, 200, headers, push.body, digest, push.at, 0.0, pushed=True)
