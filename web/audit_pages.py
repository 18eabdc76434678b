"""The audit log: who changed what, when and from where. For who may change things: it names users and addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from web.delivery_pages import DATE, day_of
from web.render import render
from web.security import Here

PAGE = 50

private = APIRouter()

Text = Annotated[str, Query(max_length=1_000)]


@private.get("/audit")
def list_changes(
    request: Request,
    here: Here,
    who: Text = "",
    what: Text = "",
    subject: Text = "",
    since: Annotated[str, Query(max_length=10, pattern=DATE)] = "",
    until: Annotated[str, Query(max_length=10, pattern=DATE)] = "",
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The latest changes that fit; `before` is the number of the last one of the page before."""
    chosen = {"who": who.strip(), "what": what.strip(), "subject": subject.strip()}
    begin, last = day_of("since", since), day_of("until", until)
    log = here.audit
    log.refresh()
    end = last + timedelta(days=1) if last else None
    found = log.listed(**chosen, since=begin, until=end, before=before, size=PAGE + 1)
    values = {"found": found[:PAGE], "more": found[PAGE - 1].n if len(found) > PAGE else None}
    choices = {"people": log.values("who"), "kinds": sorted(log.values("what"))}
    chosen |= {"since": since, "until": until}
    return render(request, "audit.html.j2", chosen=chosen, before=before, now=here.clock(), **values, **choices)
