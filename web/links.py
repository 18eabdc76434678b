"""The signed links of the mails, answered: what a reader may do without logging in.

The signature alone admits. GET shows what a link would do and changes nothing, since mail scanners follow every link;
POST does it, which is also what a mail program sends for RFC 8058's one-click unsubscribe.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from elastic_transport import ApiError, TransportError
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from alerts.saved import SavedSearches
from delivery.feedback import DONE, UNDO, WILL, apply_link
from delivery.links import Link, LinkError, Links
from delivery.story_views import shown_title
from delivery.words import one_line
from jobs.context import Context
from newswatch.errors import ConfigError, NewswatchError, StoreError
from newswatch.origin import came_from
from store.articles import ArticleStore
from web import shared_stories
from web.budget import RateBudget
from web.http_rules import HttpRules
from web.mail_page import short_page, too_many

log = logging.getLogger(__name__)

EACH: Final = 20
OVERALL: Final = 1_200
"""Maximum actions a minute by one link, and by all: each is written, and stays in the audit log for years."""
_NOT_FOUND: Final = "Not Found"
"""What the server itself says of an address that no route has."""
_NO_LINK: Final = "There is nothing at this address: perhaps it was cut when it was copied. Open it from the mail."
_NOT_SO: Final = "Open the link in a browser, and press its button."


def create_app(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request that changes something and for the key, and may cache."""
    app = FastAPI(title="newswatch mail links", docs_url=None, redoc_url=None, openapi_url=None)

    budget = RateBudget(EACH, OVERALL)

    def links() -> Links:
        return Links(context().settings)

    app.include_router(shared_stories.routes(context, links))

    @app.get("/{token}")
    def ask(token: str) -> HTMLResponse:
        link = links().read(token)
        return short_page(f"{WILL[link.action]}?", _about(link, context), token, WILL[link.action])

    @app.post("/{token}")
    def act(token: str) -> HTMLResponse:
        link = links().read(token)
        if wait := budget.wait_s(f"{link.recipient} {link.action} {link.saved_search_ids} {link.story_id}"):
            return too_many(wait)
        here = context()
        apply_link(here.es, here.names, link, here.clock())
        undo = UNDO.get(link.action)
        if undo is None:
            return short_page(DONE[link.action], _about(link, context))
        back = Link(undo, link.recipient, link.saved_search_ids, link.story_id, link.article_id)
        return short_page(DONE[link.action], _about(link, context), links().token(back), WILL[undo])

    @app.exception_handler(LinkError)
    def refuse(_: Request, error: Exception) -> HTMLResponse:
        return short_page("This link can't be used", str(error), status=400)

    def trouble(_: Request, error: Exception) -> HTMLResponse:
        log.error("A link of a mail could not be answered", exc_info=error)
        return short_page("That did not work", "Nothing was changed. Please try again in a minute.", status=503)

    for kind in (StoreError, ConfigError, ApiError, TransportError):
        app.add_exception_handler(kind, trouble)

    @app.middleware("http")
    async def readable(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        came_from("a link in a mail")
        try:
            return await call_next(request)
        except Exception:
            log.exception("A link of a mail met a fault of newswatch")
            return short_page("That did not work", "By a fault of newswatch. Please try again later.", status=500)

    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> HTMLResponse:
        text = _NOT_SO if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else str(error.detail)
        return short_page("This link can't be used", _NO_LINK if text == _NOT_FOUND else text, status=error.status_code)

    app.add_middleware(HttpRules, routes=app.router.routes)
    return app


def _about(link: Link, context: Callable[[], Context]) -> str:
    """For whom the link acts, and on which saved searches or story, by name."""
    if link.saved_search_ids == "*" and not link.story_id:
        return f"For {link.recipient}: every saved search."
    about = _story(link, context) if link.story_id else _searches(link, context)
    return f"For {link.recipient}: {about}." if about else f"For {link.recipient}."


def _searches(link: Link, context: Callable[[], Context]) -> str:
    ids = link.saved_search_ids.split(",")
    with _names_or_not():
        here = context()
        known = SavedSearches(here.es, here.names).of(ids)
        return ", ".join(f"“{one_line(known[i].name)}”" if i in known else i for i in ids)
    return ", ".join(ids)


def _story(link: Link, context: Callable[[], Context]) -> str:
    with _names_or_not():
        here = context()
        article = ArticleStore(here.es, here.names).get([link.article_id]).get(link.article_id)
        return f"“{shown_title(article.title)}”" if article else ""
    return ""


@contextmanager
def _names_or_not() -> Iterator[None]:
    """The names are a courtesy: a link must work while they can't be read."""
    try:
        yield
    except (NewswatchError, ApiError, TransportError) as error:
        log.warning("The names for a link of a mail can't be read: %s", error)
