"""How the API answers: JSON with an ETag, 304 where nothing has changed, and no parameter that is not known."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.responses import Response
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from newswatch.texts import cut_short
from web.problem_json import TroubleError

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in (
        (400, "A parameter is wrong: `parameter` names it."),
        (401, "There is no valid key."),
        (403, "The key lacks the scope."),
        (404, "There is no such thing."),
        (429, "The key's requests of this minute are used up."),
        (503, "Elasticsearch is away, or too slow for this."),
    )
}
"""Of every route, for its documentation."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_TAG: Final = re.compile(r'(?:W/)?"([^"]*?)(?:-(?:gzip|br|zstd))?"')
"""A validator that is given back. Proxies that compress make a weak one of it, or name the compression at its end."""


def answer(request: Request, value: Any, status: int = 200) -> Response:
    """The value as JSON; without a body if the asker has it already."""
    return with_etag(request, json_bytes(value), "application/json", status)


def json_bytes(value: Any) -> bytes:
    """The value as JSON in UTF-8. Halves of surrogate pairs, which strict parsers refuse, become U+FFFD.

    That keeps the offsets of evidence.
    """
    try:
        return to_json(value)  # ten times as fast, but it refuses those
    except PydanticSerializationError:
        text = json.dumps(value, default=to_jsonable_python, ensure_ascii=False)
        return _HALF.sub("\ufffd", text).encode()


def with_etag(
    request: Request, body: bytes, kind: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The body, with a strong ETag of its content; 304 without it if `If-None-Match` names that (RFC 9110, 13.1.2)."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    given = {"ETag": etag, **(headers or {})}
    if status == 200 and request.method in ("GET", "HEAD") and _has(request, etag):
        return Response(status_code=304, headers=given)
    return Response(body, status, media_type=kind, headers=given)


def _has(request: Request, etag: str) -> bool:
    named = request.headers.get("if-none-match", "")[:10_000]
    return named.strip() == "*" or etag.strip('"') in _TAG.findall(named)


def known_parameters(request: Request) -> None:
    """The dependency that refuses a parameter which the route does not have, or has twice: a slip would be ignored.

    Raises:
        TroubleError: the request has one.
    """
    route = request.scope["route"]
    flat = get_flat_dependant(route.dependant)
    known = {one.alias for one in flat.query_params}
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            detail = f"There is no parameter {cut_short(name, 60)!r} here."
            raise TroubleError(400, "unknown-parameter", detail, f"Known are: {listed}.", cut_short(name, 60))
        if names.count(name) > 1:
            raise TroubleError(400, "invalid-parameter", f"{name} is given twice.", "Give it once.", name)


def not_found(what: str, step: str = "") -> TroubleError:
    """The error for something that is not there."""
    return TroubleError(404, "not-found", f"There is no such {what}.", step)
