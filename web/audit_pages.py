"""The audit log: who changed what, when and from where. For who may change things: it names users and addresses."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from store.audit import pseudonym
from web.render import render
from web.security import Here
from web.zones import Days

PAGE = 50

private = APIRouter()

Text = Annotated[str, Query(max_length=1_000)]


@private.get("/audit")
def list_changes(
    request: Request,
    here: Here,
    days: Annotated[Days, Depends()],
    who: Text = "",
    what: Text = "",
    subject: Text = "",
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The latest changes that fit; `before` is the number of the last one of the page before.

    An address finds its reader, whom the log knows by a number alone.
    """
    chosen = {"who": who.strip(), "what": what.strip(), "subject": subject.strip()}
    log = here.audit
    log.refresh()
    people = log.values("who")
    sought = chosen | {"who": _as_logged(chosen["who"], people), "subject": _as_logged(chosen["subject"])}
    found = log.listed(**sought, since=days.begin, until=days.end, before=before, size=PAGE + 1)
    values = {"found": found[:PAGE], "more": found[PAGE - 1].n if len(found) > PAGE else None}
    choices = {"people": people, "kinds": sorted(log.values("what"))}
    chosen |= days.chosen
    return render(
        request, "audit.html.j2", chosen=chosen, zone=days.zone, before=before, now=here.clock(), **values, **choices
    )


def _as_logged(text: str, users: Collection[str] = ()) -> str:
    """What stands in the log for an address, unless that is the name of a user."""
    return pseudonym(text) if "@" in text and text not in users else text
