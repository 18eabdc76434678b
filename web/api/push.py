"""Articles in: what a program with a key pushes goes the way of what is polled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ingest.given import Pushed, once_or_error
from jobs.pushing import Pusher, push
from newswatch.api_key import Scope
from newswatch.as_json import as_object
from newswatch.origin import coming_from
from store.elastic.documents import Stored
from store.pushes import UNDER_WAY, Pushes
from web.api.answers import PROBLEMS, answer, known_parameters
from web.api.feedback import read_body
from web.api_keys import Opened, key_of, requires_key
from web.problem_json import TroubleError

MAX_BYTES: Final = 5_000_000
MOST: Final = 100
"""Articles of one request."""
KEY: Final = "Idempotency-Key"
KEY_CHARS: Final = 200

router = APIRouter(
    dependencies=[Depends(requires_key(Scope.PUSH)), Depends(known_parameters)], responses=PROBLEMS, tags=["push"]
)
_ITEMS: Final = {"type": "array", "items": Pushed.model_json_schema(), "minItems": 1, "maxItems": MOST}
_BODY: Final = {"type": "object", "properties": {"articles": _ITEMS}, "required": ["articles"]}


@router.post(
    "/articles",
    status_code=202,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}},
        "parameters": [{"in": "header", "name": KEY, "schema": {"type": "string", "maxLength": KEY_CHARS}}],
    },
)
async def push_articles(request: Request) -> Response:
    """Send articles in. They are tagged, indexed, matched against the saved searches and mailed like polled ones.

    202 says of each what became of it: created, updated (another version of one that is there), known, or refused and
    why; 422 if all were refused. An article is its canonical URL, so sending it again repeats nothing; with an
    Idempotency-Key, a request that is sent again within a day gets the answer that it got.
    """
    body = await read_body(request, MAX_BYTES)
    return await run_in_threadpool(_received, request, _items(body), body)


def _items(body: bytes) -> list[Any]:
    """The articles of a body, unread.

    Raises:
        TroubleError: it has none, or too many.
    """
    try:
        said = json.loads(body.decode("utf-8-sig"), object_pairs_hook=once_or_error)
    except (ValueError, RecursionError) as error:
        raise TroubleError(400, "invalid-body", f"The body is no JSON in UTF-8: {str(error)[:200]}.") from error
    items = said.get("articles") if isinstance(said, Mapping) else None
    if not isinstance(items, list) or not items or len(said) > 1:
        raise TroubleError(400, "invalid-body", 'The body is {"articles": [{"url": …, "title": …}, …]}.')
    if len(items) > MOST:
        raise TroubleError(413, "too-many", f"One request takes {MOST} articles; this one has {len(items):,}.")
    return items


def _received(request: Request, items: list[Any], body: bytes) -> Response:
    here: Opened = request.state.context
    key, pushes = key_of(request), Pushes(here.es, here.names)
    claim = _claimed(request, pushes, key.id, body, here)
    if isinstance(claim, Mapping):
        return answer(request, claim, _status(claim))
    try:
        with coming_from(f"the API, key {key.id}"):
            report = as_object(push(here, items, Pusher(key.id, key.name)))
    except Exception:
        if claim is not None:
            pushes.give_up(claim)
        raise
    if claim is not None:
        pushes.end(claim, body, report, here.clock())
    return answer(request, report, _status(report))


def _status(report: Mapping[str, Any]) -> int:
    return 422 if all(item["outcome"] == "refused" for item in report["items"]) else 202


def _claimed(
    request: Request, pushes: Pushes, owner: str, body: bytes, here: Opened
) -> Mapping[str, Any] | Stored[None] | None:
    """The answer of before, or the claim to this key; None: the request has no key.

    Raises:
        TroubleError: the key can't be used.
    """
    keys = request.headers.getlist(KEY)
    if not keys:
        return None
    if len(keys) > 1 or not 0 < len(keys[0]) <= KEY_CHARS or not keys[0].isprintable():
        raise TroubleError(400, "invalid-parameter", f"{KEY}: one of at most {KEY_CHARS} characters.", parameter=KEY)
    found = pushes.begin(owner, keys[0], body, here.clock())
    if found == "other":
        raise TroubleError(422, "idempotency-key", f"This {KEY} was used for another body.", "Use a new one.", KEY)
    if found == "busy":
        wait = {"Retry-After": str(int(UNDER_WAY.total_seconds()))}
        raise TroubleError(409, "under-way", "The same request is being worked on.", "Try again.", KEY, wait)
    assert not isinstance(found, str)
    return found
