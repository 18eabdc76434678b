"""Takes what hubs push (WebSub): verifies that we have subscribed, checks signatures, and keeps the document.

Anybody may reach it, so it is walled off like a fetch: the address can't be guessed, requests are counted, bodies are
bounded in size and time, and nothing in a body is read here. The fast lane reads it, as it reads what it fetches.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from elastic_transport import ApiError, TransportError
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from delivery.links import signing_keys
from ingest.polling.hubs import LEASE_S, ROUNDS, Subscription, SubscriptionState, granted, is_signed, key_of
from jobs.context import Context
from newswatch.errors import NewswatchError
from newswatch.texts import cut_short
from store.hubs import HubStore, Push
from web.budget import RateBudget
from web.http_rules import HttpRules

EACH: Final = 120
OVERALL: Final = 1_200
"""Maximum requests a minute for one feed, and for all."""
BODY_S: Final = 30
"""Seconds within which a body must have come."""
MOST_BYTES: Final = 5_000_000
"""Maximum size of a body; a longer feed is left to the poll."""
CHALLENGE_CHARS: Final = 1_000
AGAIN_S: Final = "60"
"""Seconds after which a hub may come again with what could not be kept."""

log = logging.getLogger(__name__)


def create_app(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request, and may cache."""
    app = FastAPI(title="newswatch hubs", docs_url=None, redoc_url=None, openapi_url=None)
    budget = RateBudget(EACH, OVERALL)

    @app.middleware("http")
    async def walled(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            answer = await call_next(request)
        except (NewswatchError, ApiError, TransportError) as error:
            log.warning("A push could not be kept: %s", error)
            answer = _told("Please come again later.", 503)
        except Exception:
            log.exception("A push met a fault of newswatch")
            answer = _told("Please come again later.", 500)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    @app.get("/{feed_id}/{key}")
    def verify(request: Request, feed_id: str, key: str) -> Response:
        here = context()
        subscription = _admitted(here, feed_id, key)
        if subscription is None:
            return _unknown()
        if wait := budget.wait_s(feed_id):
            return _told("Too many requests.", 429, wait)
        return _verified(here, subscription, request.query_params)

    @app.post("/{feed_id}/{key}")
    async def take(request: Request, feed_id: str, key: str) -> Response:
        here = await run_in_threadpool(context)
        subscription = await run_in_threadpool(_admitted, here, feed_id, key)
        if subscription is None:
            return _unknown()
        if wait := budget.wait_s(feed_id):
            return _told("Too many requests.", 429, wait)
        body = await _body(request, min(MOST_BYTES, here.settings.fetch_max_bytes))
        if isinstance(body, Response):
            return body
        signature, kind = (request.headers.get(name, "") for name in ("x-hub-signature", "content-type"))
        return await run_in_threadpool(_taken, here, subscription, body, signature, kind)

    app.add_middleware(HttpRules, routes=app.router.routes)
    return app


def _admitted(here: Context, feed_id: str, key: str) -> Subscription | None:
    """The subscription whose callback was called; None if there is none with this address.

    A guessed address costs no request to Elasticsearch.
    """
    if not here.settings.websub or len(feed_id) > 64 or len(key) != 64:
        return None
    given, rounds = key.encode("utf-8", "replace"), range(1, ROUNDS + 1)
    called = [
        number
        for secret in signing_keys(here.settings)
        for number in rounds
        if hmac.compare_digest(key_of(secret, "callback", feed_id, number).encode(), given)
    ]
    subscription = HubStore(here.es, here.names).get(feed_id) if called else None
    return subscription if subscription and [subscription.round] == called else None


def _verified(here: Context, known: Subscription, asked: Mapping[str, str]) -> Response:
    """The answer to a hub that asks whether we want what we have asked for, or that denies it."""
    mode, challenge = asked.get("hub.mode", ""), asked.get("hub.challenge", "")
    if asked.get("hub.topic") != known.topic:
        return _unknown()
    hubs, now = HubStore(here.es, here.names), here.clock()
    if mode == "denied":
        why = cut_short(asked.get("hub.reason", "") or "it gives no reason", 300)
        hubs.change(known.feed_id, lambda was: was and _denied(was, why))
        return _told("", 200)
    if mode != "subscribe" or not challenge or len(challenge) > CHALLENGE_CHARS:
        return _unknown()
    lease = timedelta(seconds=granted(asked) or LEASE_S)
    hubs.change(known.feed_id, lambda was: was and _active(was, now, lease))
    return _told(challenge, 200)


def _active(was: Subscription, now: datetime, lease: timedelta) -> Subscription:
    return replace(was, state=SubscriptionState.ACTIVE, at=now, until=now + lease, missed=0, why="")


def _denied(was: Subscription, why: str) -> Subscription:
    return replace(was, state=SubscriptionState.DENIED, why=why)


def _taken(here: Context, known: Subscription, body: bytes, signature: str, kind: str) -> Response:
    """Keep a push. One that is not signed rightly is dropped and counted; its sender is not told (WebSub, 8.1)."""
    hubs, now = HubStore(here.es, here.names), here.clock()
    secrets = (key_of(secret, "secret", known.feed_id, known.round) for secret in signing_keys(here.settings))
    if not any(is_signed(body, secret, signature) for secret in secrets):
        hubs.change(known.feed_id, lambda was: was and replace(was, refused=was.refused + 1))
        log.warning("A push for %s is dropped: its signature is wrong", known.feed_id)
        return _told("", 202)
    if not hubs.keep(Push(known.feed_id, now, cut_short(kind, 200), body)):
        return _told("Too much waits to be read.", 503)
    hubs.change(known.feed_id, lambda was: was and replace(was, pushed_at=now))
    return _told("", 202)


async def _body(request: Request, most: int) -> bytes | Response:
    """The body; or the answer to one that is too large or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    return _told(f"At most {most:,} bytes are read.", 413)
    except TimeoutError:
        return _told(f"It must come within {BODY_S} seconds.", 408)
    return bytes(body)


def _unknown() -> Response:
    return _told("There is no such subscription.", 404)


def _told(text: str, status: int, wait_s: int | None = None) -> Response:
    answer = PlainTextResponse(text, status)
    if status in (429, 503):
        answer.headers["Retry-After"] = str(wait_s) if wait_s else AGAIN_S
    return answer
