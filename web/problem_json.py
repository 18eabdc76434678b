"""What machines are told of a fault: problem details (RFC 9457), which name the parameter and the next step.

`machine_app` makes an app whose every fault is told so, and whose answers no cache, robot or other site gets.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from jobs.context import Context
from newswatch.errors import ConfigError, MissingIndexError, NewswatchError, QueryError
from newswatch.origin import came_from
from newswatch.texts import cut_short
from newswatch.wording import worded
from search.asking import HeavySearchError, SlowSearchError
from search.limits import shown
from store.elastic.faults import REFUSALS, index_error, our_error
from web.budget import RateBudget
from web.faults import phrase
from web.http_rules import HttpRules

TYPE: Final = "application/problem+json"
HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer to a machine. There are no CORS headers, so that no other site's script can read one."""
SHORTENED: Final = "Newswatch-Shortened"
"""The header of a file that has no place of its own to say which words of its query were not looked for."""
_REFUSALS: Final = 60
"""Keys that are none, of an address in a minute."""
_ALL_REFUSALS: Final = 30_000
"""Of all addresses. It bounds what is remembered; many more, and a few strangers would keep out keys just made."""
_IPV6_BITS: Final = 64
_MOST_CHARS: Final = 1_000
_MOST_FAULTS: Final = 20
_STEPS: Final = {
    404: "The OpenAPI description lists every address.",
    405: "Use a method that the header Allow names.",
}
"""What to do about what the server itself refuses."""

log = logging.getLogger(__name__)


def told_shortened(sentence: str) -> dict[str, str]:
    """The header that says it; none if all words are looked for."""
    return {SHORTENED: sentence} if sentence else {}


@dataclass
class TroubleError(Exception):
    """A request that is not carried out: what its sender is told."""

    status: int
    name: str
    """What kind of problem it is, for programs: `rate-limited`."""
    detail: str
    step: str = ""
    """What to do."""
    parameter: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Door:
    """What the routes of such an app go by."""

    context: Callable[[], Context]
    budget: RateBudget
    """Of each key."""
    refusals: RateBudget
    """Of keys that are none, for each address: whoever tries some out soon costs no request to Elasticsearch."""
    admitted: set[str] = field(default_factory=set)
    """Digests of keys that were let in: these go on working where somebody else at the same address has spent that."""


def machine_app(context: Callable[[], Context], routers: Iterable[APIRouter], *, title: str, overall: int) -> FastAPI:
    """An app for machines, with the routes of `routers`.

    All keys together have `overall` requests a minute in each web server process. `context` is called for each request
    and may cache.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.door = Door(context, RateBudget(overall, overall), RateBudget(_REFUSALS, _ALL_REFUSALS))

    @app.middleware("http")
    async def walled(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        came_from(f"the API, from {address_of(request)}")
        try:
            answer = await call_next(request)
        except Exception:
            log.exception("A request to the API met a fault of newswatch")
            answer = told(500, "fault", "A fault of newswatch; it is in the web server's log.", "Try again later.")
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    _add_handlers(app)
    # Not by `include_router`, which makes each route once more: a third of the time in which the web server starts.
    for router in routers:
        app.router.routes.extend(router.routes)
    app.add_middleware(HttpRules, routes=app.router.routes)
    return app


def address_of(request: Request) -> str:
    """The address of who asks."""
    return request.client.host if request.client else "nowhere"


def network_of(address: str) -> str:
    """What has one budget: the address, or the IPv6 network that one customer has to himself. Pure."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if known.version == 4 or known.ipv4_mapped:
        return address
    return str(ip_network((known.packed, _IPV6_BITS), strict=False))


def told(
    status: int,
    name: str,
    detail: str,
    step: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """The problem as JSON; `more` are members of its own, left out where they are empty."""
    body = {
        "type": f"tag:newswatch,2026:problem/{name}",
        "title": phrase(status),
        "status": status,
        "detail": cut_short(detail, _MOST_CHARS),
        "next_step": step,
        **more,
    }
    content = {name: value for name, value in body.items() if value not in ("", None, [])}
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=TYPE)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(TroubleError)
    def trouble(_: Request, error: TroubleError) -> Response:
        more = {"parameter": error.parameter}
        return told(error.status, error.name, error.detail, error.step, headers=error.headers, **more)

    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> Response:
        is_known = error.status_code != HTTPStatus.NOT_FOUND or error.detail != HTTPStatus.NOT_FOUND.phrase
        name = phrase(error.status_code).lower().replace(" ", "-")
        detail = str(error.detail) if is_known else "There is nothing at this address."
        return told(error.status_code, name, detail, _STEPS.get(error.status_code, ""), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    def misread(_: Request, error: RequestValidationError) -> Response:
        faults = [
            {"parameter": ".".join(map(str, fault["loc"][1:])) or "body", "detail": _fault(fault)}
            for fault in error.errors()[:_MOST_FAULTS]
        ]
        detail = "; ".join(f"{fault['parameter']} {fault['detail']}" for fault in faults)
        step = "Correct the parameter. The OpenAPI page lists what each may be."
        return told(400, "invalid-parameter", detail, step, parameter=faults[0]["parameter"], errors=faults)

    for kind in (NewswatchError, *REFUSALS):
        app.add_exception_handler(kind, _failed)


def _fault(fault: Any) -> str:
    given = "" if fault["type"] in ("missing", "json_invalid") else f" (given: {shown(str(fault.get('input')))})"
    return f"{worded(fault)}{given}"


def _failed(request: Request, error: Exception) -> Response:
    """One sentence on what Elasticsearch refuses or a query gets wrong."""
    cause = index_error(error) or (error if isinstance(error, NewswatchError) else our_error(error))
    if isinstance(cause, SlowSearchError | HeavySearchError):
        return told(504, "too-slow", str(cause), "Narrow the query.", parameter="q")
    if isinstance(cause, QueryError):
        step = "Correct the query; docs/reference/filters.md lists what it may hold."
        return told(400, "invalid-query", str(cause), step, parameter="q")
    log.warning("A request to the API could not be answered: %s", cause)
    if isinstance(cause, MissingIndexError):
        with suppress(NewswatchError, *REFUSALS):
            request.app.state.door.context().restore(cause.index)
    step = "Try again in a minute."
    if isinstance(cause, ConfigError):  # it names a file of this machine, and who asks can't correct it
        text, step = "newswatch's configuration can't be used.", f"{step} Who runs newswatch sees why in its log."
    else:
        text = str(cause)
    return told(503, "unavailable", text, step, headers={"Retry-After": "60"})
