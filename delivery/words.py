"""Words, times and links as messages show them. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote

from ingest.addresses import is_address
from newswatch.clock import local_time

_DIRECTIONAL = "\u200e\u200f\u061c" + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff{_DIRECTIONAL}]")


def one_line(text: str) -> str:
    """The text on one line, without invisible characters."""
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    """The text without control and direction characters, and without lone surrogates."""
    return _UNSEEN.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def isolated(text: str) -> str:
    """The text for a line of ours that is not HTML: what is written from right to left stays together, as an island.

    Without the marks around it (U+2068, U+2069) it would turn the words and numbers beside it around.
    """
    turns = any(unicodedata.bidirectional(char) in ("R", "AL") for char in text)
    return f"\u2068{text}\u2069" if turns else text


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters; a longer text is cut between words and ends in "…"."""
    if len(text) <= most:
        return text
    head = text[: most - 2]
    whole = head if text[most - 2] == " " else head.rpartition(" ")[0]
    return f"{whole or head} …"


def safe_url(url: str) -> str | None:
    """The URL, quoted, if it is a web address (`ingest.addresses`); None for javascript:, data:, file: and the like."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]") if is_address(url) else None


def when(moment: datetime, zone: tzinfo = UTC) -> str:
    """The time in `zone`, with the zone's name: "Wed 4 Mar 2026, 06:06 CET"."""
    here = local_time(moment, zone)
    return f"{here:%a} {here.day} {here:%b %Y, %H:%M} {zone_name(here)}"


_WRITTEN = re.compile(
    r"\b(?:(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?P<long>\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d)"
    r"|(?P<short>\d{4}-\d\d-\d\d \d\d:\d\d)) UTC(?![\w+-])"
)
"""A time as `when` and other sentences of ours have it."""


def in_zone(text: str, zone: tzinfo) -> str:
    """The sentence with its times in `zone`: it was written in UTC before it was known to whom it would be mailed."""
    return text if zone is UTC else _WRITTEN.sub(lambda found: _rewritten(found, zone), text)


def _rewritten(found: re.Match[str], zone: tzinfo) -> str:
    form = "%d %b %Y, %H:%M" if found["long"] else "%Y-%m-%d %H:%M"
    try:
        here = datetime.strptime(found["long"] or found["short"], form).replace(tzinfo=UTC).astimezone(zone)
    except (ValueError, OverflowError):  # 31 Feb 2026, from a stranger
        return found[0]
    return when(here, zone) if found["long"] else f"{here:%Y-%m-%d %H:%M} {zone_name(here)}"


def zone_name(here: datetime) -> str:
    """The short name of the zone of `here` at that time; its offset, "UTC+04:00", where the zone has no name."""
    name, offset = here.tzname() or "", f"{here:%z}"
    return name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
