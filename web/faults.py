"""A readable page for every fault: a status, a sentence, the next step; never a stack trace or a secret.

Whoever asks for JSON gets the same as JSON.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from elastic_transport import ApiError, ConnectionTimeout, TransportError
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from alerts.definitions import UsageError
from newswatch.errors import ConfigError, NewswatchError, QueryError, StoreError
from newswatch.texts import cut_short, without_logins
from newswatch.wording import worded
from search.asking import SlowSearchError
from search.limits import shown
from web.render import render

log = logging.getLogger(__name__)

MOST_CHARS = 2_000
"""Of a sentence on the page; what is longer is cut, with "…"."""
_STEPS: Mapping[int, str] = {
    400: "Correct what was typed and try again.",
    401: "Log in to Airflow, and try again.",
    403: "Load the page again; if that doesn't help, ask the person who grants rights in Airflow.",
    404: "Look for it from the search, or from the list it stood in.",
    405: "Follow a link or a button of the page instead.",
    413: "Send less at once.",
    415: "Use the form of the page.",
    500: "Nothing of it was lost that was saved before. Try again; if it stays, report it with the number below.",
    503: "Try again in a minute. Who runs newswatch sees by `newswatch status` what is wrong.",
    504: "Ask for less, or try again in a minute.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a user is told."""

    status: int
    title: str
    text: str
    reference: str = ""
    """Under which the log has the traceback."""

    @property
    def step(self) -> str:
        """What to do next."""
        return _STEPS.get(self.status, "")


def fault_page(request: Request, error: Exception) -> Response:
    """The answer to an exception; one that nobody foresaw is logged with its traceback."""
    fault = fault_of(error)
    if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: fault %s", request.method, request.url.path, fault.reference, exc_info=error)
    return told(request, fault)


def fault_of(error: Exception) -> Fault:
    """What to tell of an exception."""
    if is_away(error):  # readers learn neither the address nor the client's words for it
        return Fault(503, "Elasticsearch is away", "Elasticsearch can't be reached.", _new_reference())
    if isinstance(error, NewswatchError):
        return Fault(_status(error), "That did not work", str(error), _reference(error))
    if isinstance(error, ApiError):
        return _of_elasticsearch(error)
    if isinstance(error, ConnectionTimeout):
        return Fault(504, "That took too long", "Elasticsearch did not answer in time.", _new_reference())
    return Fault(500, "A fault of newswatch", "The page could not be made, by a fault of newswatch.", _new_reference())


def is_away(error: Exception) -> bool:
    """Whether Elasticsearch could not be reached; the client's error, or ours that it caused."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return isinstance(cause, TransportError) and not isinstance(cause, ConnectionTimeout)


def _status(error: NewswatchError) -> int:
    if isinstance(error, SlowSearchError):
        return HTTPStatus.GATEWAY_TIMEOUT
    if isinstance(error, StoreError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, QueryError | UsageError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR if isinstance(error, ConfigError) else HTTPStatus.NOT_FOUND


def _of_elasticsearch(error: ApiError) -> Fault:
    status = int(error.meta.status)
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        told_by_it = (str(error.message).splitlines() or [""])[0]
        return Fault(
            400, "This can't be asked", f"Elasticsearch refuses what was asked: {told_by_it}", _new_reference()
        )
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        text = "Elasticsearch has too much to do, or was asked for more than it can give."
        return Fault(503, "That did not work", text, _new_reference())
    text = f"Elasticsearch did not do what was asked (status {status}: {error.message})."
    return Fault(503, "That did not work", text, _new_reference())


def _reference(error: NewswatchError) -> str:
    return _new_reference() if _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR else ""


def _new_reference() -> str:
    return secrets.token_hex(4)


def phrase(status: int) -> str:
    """The title of a status: "Not Found"."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "That did not work"


def faults_of(error: RequestValidationError) -> str:
    """Which parts of an address or a form are wrong, what was given and what may be."""
    faults = (
        f"{fault['loc'][-1]}: {worded(fault)} (given: {shown(str(fault.get('input')))})" for fault in error.errors()
    )
    return "; ".join(list(faults)[:20])


def told(request: Request, fault: Fault, headers: Mapping[str, str] | None = None) -> Response:
    """The fault as a page, or as JSON where that was asked for."""
    text = cut_short(without_logins(fault.text), MOST_CHARS)
    values: dict[str, Any] = asdict(fault) | {"text": text, "step": fault.step}
    if wants_json(request):
        return JSONResponse(values, fault.status, headers=dict(headers or {}))
    page = render(request, "error.html.j2", fault.status, **values)
    page.headers.update(headers or {})
    return page


def wants_json(request: Request) -> bool:
    """Whether JSON was asked for, and no page."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
