"""Feedback in: whether a story was relevant to a saved search, in the name of the key's owner."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool

from delivery.feedback import apply_link
from delivery.links import Link
from ingest.given import GivenError, once_or_error
from newswatch import api
from newswatch.api_key import Scope
from newswatch.wording import worded
from search.story_view import read_article, read_story
from web.api.answers import PROBLEMS, answer, known_parameters, not_found
from web.api.routes import known_search
from web.api_keys import Opened, key_of, requires_key
from web.problem_json import TroubleError

MAX_BYTES: Final = 10_000
BODY_S: Final = 30
"""Seconds within which a body must have come."""

router = APIRouter(
    dependencies=[Depends(requires_key(Scope.FEEDBACK)), Depends(known_parameters)],
    responses=PROBLEMS,
    tags=["feedback"],
)

Id = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f,~*]+$")]


class Feedback(BaseModel):
    """A verdict on a story."""

    model_config = ConfigDict(extra="forbid", strict=True)

    saved_search: Id
    """The id of the saved search that found it."""
    story: Id
    """The story's id."""
    article: Id | None = None
    """The article of the story that was read; none: the story's first report."""
    relevant: bool


async def read_body(request: Request, most: int, kind: str = "application/json") -> bytes:
    """The body of a request, of which no more than `most` bytes are read.

    Raises:
        TroubleError: it is too large (413), too slow (408), or of another type (415).
    """
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated != kind:
        raise TroubleError(415, "media-type", f"The body must be {kind}, not {stated[:60] or 'without a type'}.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise TroubleError(413, "too-large", f"At most {most:,} bytes are read.")
    except TimeoutError as error:
        raise TroubleError(408, "too-slow", f"The body must come within {BODY_S} seconds.") from error
    return bytes(body)


@router.post(
    "/feedback",
    responses={200: {"model": api.Noted}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": Feedback.model_json_schema()}}}
    },
)
async def give_feedback(request: Request) -> Response:
    """Say whether a story is relevant to a saved search. It counts as its mails' links do, once for each reader.

    The reader is the key's owner. Said again, the last word counts.
    """
    said = _read(await read_body(request, MAX_BYTES))
    return await run_in_threadpool(_kept, request, said)


def _kept(request: Request, said: Feedback) -> Response:
    here: Opened = request.state.context
    reader = f"{key_of(request).owner} (API)"
    known_search(here, said.saved_search)
    article_id = _article_of(here, said)
    action: Any = "relevant" if said.relevant else "not-relevant"
    apply_link(here.es, here.names, Link(action, reader, said.saved_search, said.story, article_id), here.clock())
    return answer(request, api.Noted(said.saved_search, said.story, said.relevant, reader))


def _article_of(here: Opened, said: Feedback) -> str:
    """The article that the verdict is on; it must be of the story."""
    story = read_story(here.es, here.names, said.story)  # it may have been joined with another, and be that one now
    if story is None:
        raise not_found("story", "It may be older than what is kept.")
    if said.article is None:
        return story.lead.id
    article = read_article(here.es, here.names, said.article)
    if article is None or article.story_id != story.id:
        raise not_found("article in this story", "Leave `article` out, or name the article's own `story`.")
    return article.id


def _read(body: bytes) -> Feedback:
    with suppress(ValueError, RecursionError):  # pydantic says it better
        if isinstance(said := json.loads(body, object_pairs_hook=once_or_error), GivenError):
            raise TroubleError(400, "invalid-body", f"{said}.", "Give it once.")
    try:
        return Feedback.model_validate_json(body)
    except ValidationError as error:
        fault: Any = error.errors(include_url=False)[0]
        parameter = ".".join(map(str, fault["loc"])) or "body"
        told = worded(fault)
        raise TroubleError(400, "invalid-parameter", f"{parameter}: {told}", "Correct it.", parameter) from error
