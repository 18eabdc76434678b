"""In which time zone days are meant. The browser tells its own by a cookie (zone.js); without one it is UTC.

Times are written in UTC and rewritten by the browser. Days can't be: which moments a day has is asked of Elasticsearch.
A page names the zone of its days, and its forms send it along, so that a day means what stood beside it. The first page
in a browser, or in another zone, knows no better; the browser then asks for it once more, before it shows anything.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Query, Request

from search.limits import shown
from store.elastic.times import midnight

COOKIE: Final = "newswatch-zone"
"""Written by zone.js."""
MOST_CHARS: Final = 64
ZoneText = Annotated[str, Query(max_length=MOST_CHARS)]
DayText = Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d\d-\d\d)?$")]
_NAME = re.compile(r"[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}")
"""What browsers give, and Elasticsearch takes; not `posixrules` or `right/Europe/Riga`."""


@lru_cache(1_000)
def zone_called(name: str) -> tzinfo | None:
    """The zone of an IANA name; None if there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name) if _NAME.fullmatch(name) else None
    except (KeyError, OSError, ValueError):
        return None


def zone_of(request: Request, asked: str = "") -> tzinfo:
    """The zone that a form sent along (`asked`), else the reader's, else UTC.

    Raises:
        HTTPException: 400: there is no zone that is called like `asked`.
    """
    if asked:
        if zone := zone_called(asked):
            return zone
        raise HTTPException(400, f"zone: {shown(asked)} is no time zone. Write it like Europe/Brussels.")
    told = unquote(_cookie(request))[:MOST_CHARS]
    request.state.zone_told = told
    return zone_called(told) or UTC


def _cookie(request: Request) -> str:
    """The cookie of this path: browsers send the longest path's first (RFC 6265, 5.4), Starlette reads the last."""
    sent = (one.strip().partition("=") for one in request.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in sent if name == COOKIE), "")


def zone_to_check(request: Request) -> str | None:
    """The zone that the cookie named, empty without one, if the page's days are meant in it; else None.

    None as well for the answer to a form, which must not be asked for twice.
    """
    told: str | None = getattr(request.state, "zone_told", None)
    return told if request.method == "GET" else None


def named(zone: tzinfo) -> str:
    """The zone as a page names it: "America/New York"."""
    return str(zone).replace("_", " ")


class Days:
    """The days that a list is narrowed to, as its address has them: a dependency of routes.

    Raises:
        HTTPException: 400: there is no such day or zone.
    """

    def __init__(self, request: Request, since: DayText = "", until: DayText = "", zone: ZoneText = "") -> None:
        self.zone = zone_of(request, zone)
        self.begin = _start_of("since", since, self.zone)
        self.end = _start_of("until", until, self.zone, further=1)
        """Of the last day: the first moment after it."""
        self.chosen = {"since": since, "until": until, "zone": str(self.zone) if since or until else ""}


def _start_of(name: str, text: str, zone: tzinfo, *, further: int = 0) -> datetime | None:
    try:
        return midnight(date.fromisoformat(text) + timedelta(further), zone) if text else None
    except (ValueError, OverflowError) as error:
        raise HTTPException(400, f"{name}: {text!r} is no day. Write it like 2026-03-31.") from error
