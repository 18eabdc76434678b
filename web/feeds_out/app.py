"""Serves feeds to readers' programs: the secret address alone admits, and stands in no log of ours.

Readers can't send headers, so the secret is in the path (`web.unlogged`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from delivery.feeds_out import Addresses, NoSuchFeedError
from jobs.context import Context
from newswatch.errors import DocumentError, NewswatchError, QueryError
from newswatch.feed_address import FeedAddress
from newswatch.texts import cut_short
from search.asking import HeavySearchError, SlowSearchError
from store.elastic.faults import REFUSALS, our_error
from store.feed_addresses import FeedAddressStore
from store.ingest_order import Horizons
from web.api.answers import with_etag
from web.budget import RateBudget
from web.feeds_out import atom, json_feed
from web.feeds_out.entries import Document
from web.feeds_out.reading import Asked, read_feed
from web.http_rules import HttpRules
from web.problem_json import HEADERS, told_shortened

EACH: Final = 60
OVERALL: Final = 3_000
"""Maximum requests a minute for one address, and for all, in each process."""
MOST: Final = 100
"""Maximum entries on a page."""
TOKEN_CHARS: Final = 200
SETTLED_AFTER: Final = timedelta(hours=1)
"""A feed whose news is younger has no `Last-Modified`: what was indexed in the same second, or by a slower batch a
moment before, may still appear, and a client that goes by this time alone would never get it."""
FORMS: Final[dict[str, tuple[str, Callable[[Document], bytes]]]] = {
    "atom": (atom.MEDIA_TYPE, atom.written),
    "json": (json_feed.MEDIA_TYPE, json_feed.written),
}

log = logging.getLogger(__name__)


def create_app(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request and may cache. Mount it as `web.unlogged.Unlogged`."""
    app = FastAPI(title="newswatch feeds", docs_url=None, redoc_url=None, openapi_url=None)
    budget, horizons = RateBudget(EACH, OVERALL), Horizons()

    @app.middleware("http")
    async def walled(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            answer = await call_next(request)
        except Exception as error:  # its text could hold the address
            answer = _of_error(error)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    @app.get("/{token}/{form}")
    def feed(request: Request, token: str, form: str, before: str = "", since: str = "", limit: str = "") -> Response:
        here = context()
        signed = Addresses(here.settings).read(token) if len(token) <= TOKEN_CHARS else None
        if signed is None or form not in FORMS:
            return _told("There is no such feed: perhaps its address was cut when it was copied.", 404)
        if wait := budget.wait_s(signed[0]):
            return _told("Too many requests.", 429, wait)
        address = FeedAddressStore(here.es, here.names).opened(*signed, here.clock())
        if address is None:
            return _told("There is no such feed.", 404)
        if address.revoked_at:
            return _told("This feed's address was revoked: unsubscribe from it.", 410)
        asked = _asked(before, since, limit)
        if isinstance(asked, str):
            return _told(asked, 400)
        return _answer(request, here, address, asked, form, horizons)

    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> Response:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return _told("A feed is read by GET.", HTTPStatus.METHOD_NOT_ALLOWED)
        return _told("There is no such feed: perhaps its address was cut when it was copied.", error.status_code)

    app.add_middleware(HttpRules, routes=app.router.routes)
    return app


def _asked(before: str, since: str, limit: str) -> Asked | str:
    """What was asked for; a sentence if it can't be."""
    if before and not _is_number(before, 18):
        return "before: an ingest number, as the feed's own link `next` has it."
    if limit and not (_is_number(limit, 4) and 1 <= int(limit) <= MOST):
        return f"limit: a number from 1 to {MOST}."
    moment = _moment(since) if since else None
    if since and moment is None:
        return "since: a day or a time, such as 2026-03-01 or 2026-03-01T06:00:00Z."
    return Asked(int(before) if before else None, moment, int(limit) if limit else Asked().limit)


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most


def _moment(text: str) -> datetime | None:
    try:
        # A plus sign in a query string is a blank.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _answer(
    request: Request, here: Context, address: FeedAddress, asked: Asked, form: str, horizons: Horizons
) -> Response:
    document = read_feed(here, address, asked, form, horizons)
    changed = document.updated.replace(microsecond=0)
    links = [f'<{document.self_url}>; rel="self"', *([f'<{document.hub}>; rel="hub"'] if document.hub else [])]
    headers = {"Link": ", ".join(links), **told_shortened(document.shortened)}
    settled = here.clock() - changed > SETTLED_AFTER
    if settled:
        headers["Last-Modified"] = format_datetime(changed.astimezone(UTC), usegmt=True)
    kind, written = FORMS[form]
    if settled and "if-none-match" not in request.headers and _is_unchanged(request, changed):
        return Response(status_code=304, headers=headers)
    return with_etag(request, written(document), f"{kind}; charset=utf-8", headers=headers)


def _is_unchanged(request: Request, changed: datetime) -> bool:
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        return since.tzinfo is not None and changed == since
    except (ValueError, TypeError, OverflowError):
        return False


def _of_error(error: Exception) -> Response:
    if isinstance(error, NoSuchFeedError):
        return _told(str(error), 410)
    if isinstance(error, SlowSearchError | HeavySearchError):
        return _told("This search takes too long: narrow it, and subscribe to the narrower one.", 503)
    if isinstance(error, QueryError):
        return _told(f"This search can't be run any more: {error}", HTTPStatus.UNPROCESSABLE_ENTITY)
    if isinstance(error, DocumentError | NewswatchError | REFUSALS):
        log.warning("A feed could not be answered: %s", our_error(error))
        return _told("newswatch can't read its articles now.", 503)
    log.error("A feed met a fault of newswatch", exc_info=error)
    return _told("A fault of newswatch.", 500)


def _told(text: str, status: int, wait_s: int = 0) -> Response:
    answer = PlainTextResponse(cut_short(text, 1_000), status)
    if status in (429, 503):
        answer.headers["Retry-After"] = str(wait_s or 60)
    return answer
