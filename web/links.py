"""The signed links of the mails, answered: what a reader may do without logging in.

The signature alone admits. GET shows what a link would do and changes nothing, since mail scanners follow every link;
POST does it, which is also what a mail program sends for RFC 8058's one-click unsubscribe.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache

from elastic_transport import ApiError, TransportError
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException as StarletteHTTPException

from delivery.feedback import DONE, UNDO, WILL, apply_link
from delivery.links import Link, LinkError, Links
from jobs.context import Context
from newswatch.errors import ConfigError, StoreError

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The address itself is the permission: it must not leak by a referrer, a cache or a search engine."""


def create_app(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request that changes something and for the key, and may cache."""
    app = FastAPI(title="newswatch mail links", docs_url=None, redoc_url=None, openapi_url=None)

    def links() -> Links:
        return Links(context().settings)

    @app.get("/{token}")
    def ask(token: str) -> HTMLResponse:
        link = links().read(token)
        return _page(f"{WILL[link.action]}?", _about(link), token, WILL[link.action])

    @app.post("/{token}")
    def act(token: str) -> HTMLResponse:
        link = links().read(token)
        here = context()
        apply_link(here.es, here.names, link, here.clock())
        undo = UNDO.get(link.action)
        if undo is None:
            return _page(DONE[link.action], _about(link))
        back = Link(undo, link.recipient, link.saved_search_ids, link.story_id, link.article_id)
        return _page(DONE[link.action], _about(link), links().token(back), WILL[undo])

    @app.exception_handler(LinkError)
    def refuse(_: Request, error: Exception) -> HTMLResponse:
        return _page("This link can't be used", str(error), status=400)

    def trouble(_: Request, error: Exception) -> HTMLResponse:
        log.error("A link of a mail could not be answered", exc_info=error)
        return _page("That did not work", "Nothing was changed. Please try again in a minute.", status=503)

    for kind in (StoreError, ConfigError, ApiError, TransportError):
        app.add_exception_handler(kind, trouble)

    @app.middleware("http")
    async def readable(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            return await call_next(request)
        except Exception:
            log.exception("A link of a mail met a fault of newswatch")
            return _page("That did not work", "By a fault of newswatch. Please try again later.", status=500)

    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> HTMLResponse:
        return _page("This link can't be used", str(error.detail), status=error.status_code)

    return app


def _about(link: Link) -> str:
    if link.action in ("relevant", "not-relevant", "ack"):
        return f"For {link.recipient}."
    alerts = "every saved search" if link.saved_search_ids == "*" else link.saved_search_ids.replace(",", ", ")
    return f"For {link.recipient}: {alerts}."


def _page(title: str, text: str, token: str = "", button: str = "", *, status: int = 200) -> HTMLResponse:
    html = _environment().get_template("link.html.j2").render(title=title, text=text, token=token, button=button)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined)
