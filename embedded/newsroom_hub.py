"""The newsroom's hub (WebSub): verifies who subscribes to its feeds, and pushes each feed that has changed, signed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from embedded.newsroom_site.printing import Document

log = logging.getLogger(__name__)

PATH = "/-/hub"
LEASE_S = 600
"""Longest lease that it grants, so that renewals can be seen."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who gets a feed, and with which secret it is signed."""

    callback: str
    topic: str
    secret: str


class Hub:
    """The hub; it runs in the newsroom's loop."""

    def __init__(self, document: Callable[[str], Document]) -> None:
        """`document` prints the feed at a target, a path with its query."""
        self._document = document
        self._subscribers: dict[str, Subscriber] = {}
        self._pushed: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """Those that were verified."""
        return tuple(self._subscribers.values())

    async def take(self, request: web.Request) -> web.Response:
        """Answer a request for a subscription (5.1), and verify it afterwards."""
        form = await request.post()
        given = {name: str(value) for name, value in form.items()}
        if given.get("hub.mode") != "subscribe" or not given.get("hub.callback") or not given.get("hub.topic"):
            return web.Response(status=400, text="It is no subscription.\n")
        self._start(self._verify(given))
        return web.Response(status=202)

    async def _verify(self, given: dict[str, str]) -> None:
        challenge = secrets.token_urlsafe(16)
        lease = min(int(given.get("hub.lease_seconds", "0")) or LEASE_S, LEASE_S)
        query = {
            "hub.mode": "subscribe",
            "hub.topic": given["hub.topic"],
            "hub.challenge": challenge,
            "hub.lease_seconds": str(lease),
        }
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(URL(given["hub.callback"]).update_query(query)) as answer,
            ):
                if answer.status // 100 == 2 and await answer.text() == challenge:
                    subscriber = Subscriber(given["hub.callback"], given["hub.topic"], given.get("hub.secret", ""))
                    self._subscribers[subscriber.callback] = subscriber
                    self._pushed[subscriber.callback] = _digest(self._body(subscriber))
        except aiohttp.ClientError as error:
            log.warning("%s can't be verified: %s", given["hub.callback"], error)

    def changed(self) -> None:
        """Push the feeds that have changed. Called in the loop."""
        for subscriber in self.subscribers:
            body = self._body(subscriber)
            if self._pushed.get(subscriber.callback) != _digest(body):
                self._pushed[subscriber.callback] = _digest(body)
                self._start(self._push(subscriber, body))

    async def _push(self, subscriber: Subscriber, body: bytes) -> None:
        signature = hmac.new(subscriber.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": f"sha256={signature}", "Content-Type": "application/rss+xml"}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(subscriber.callback, data=body, headers=headers) as answer,
            ):
                if answer.status == 410:
                    self._subscribers.pop(subscriber.callback, None)
        except aiohttp.ClientError as error:
            log.warning("%s did not take a push: %s", subscriber.callback, error)

    def _body(self, subscriber: Subscriber) -> bytes:
        return self._document(URL(subscriber.topic).path_qs).body

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
