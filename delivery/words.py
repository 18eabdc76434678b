"""Words, times and links as messages show them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote

from ingest.urls import is_address

_DIRECTIONAL = "\u200e\u200f\u061c" + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff{_DIRECTIONAL}]")


def one_line(text: str) -> str:
    """The text on one line, without invisible characters."""
    return " ".join(visible(text).split())


def visible(text: str) -> str:
    """The text without control and direction characters, and without lone surrogates."""
    return _UNSEEN.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def shortened(text: str, most: int) -> str:
    """The text in at most `most` characters; a longer text is cut between words and ends in "…"."""
    if len(text) <= most:
        return text
    head = text[: most - 2]
    whole = head if text[most - 2] == " " else head.rpartition(" ")[0]
    return f"{whole or head} …"


def safe_url(url: str) -> str | None:
    """The URL, quoted, if it is a web address (`ingest.urls`); None for javascript:, data:, file: and the like."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]") if is_address(url) else None


def when(moment: datetime) -> str:
    """The time in UTC, formatted for readers."""
    return f"{moment.astimezone(UTC):%a} {moment.astimezone(UTC).day} {moment.astimezone(UTC):%b %Y, %H:%M} UTC"
