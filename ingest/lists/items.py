"""An item of a list, what its text weighs as a headline, and what its address says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ingest.addresses import domain_of
from newswatch.scripts import EAST_ASIAN, SOUTH_EAST_ASIAN

_DENSE: Final = re.compile(f"[{SOUTH_EAST_ASIAN}{EAST_ASIAN}]")
"""Scripts in which a character says as much as two or three letters."""
DENSE_LETTERS: Final = 2.5
_LETTER: Final = re.compile(r"[^\W\d_]")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE_IN_PATH: Final = re.compile(
    r"(?<!\d)(?P<y>20\d\d|199\d)(?:[/_-](?P<m>\d{1,2}|[a-z]{3})[/_-](?P<d>\d{1,2})(?!\d)"
    r"|[/_-]?(?P<m2>0[1-9]|1[0-2])[/_-]?(?P<d2>0[1-9]|[12]\d|3[01]))"
)
_NAMED: Final = re.compile(r"[^\W_]+(?:[-_][^\W_]+){2,}")
_NUMBERED: Final = re.compile(r"\d{4,}|(?<=[/_=-])\d{3}(?=\D|$)")


@dataclass(frozen=True, slots=True)
class ListItem:
    """One item of a list: where it leads, its headline, and when it was published, if the list says so."""

    url: str
    title: str
    published: datetime | None = None
    summary: str = ""


def weight(text: str) -> float:
    """The length of `text` in letters of an alphabet."""
    dense = len(_DENSE.findall(text))
    return len(text) + dense * (DENSE_LETTERS - 1)


def headline_worth(text: str) -> float:
    """How much `text` looks like a headline by its length, from 0 to 1."""
    if not _LETTER.search(text):
        return 0.0
    return min(1.0, max(0.0, (weight(text) - 8) / 27))


def day_in(url: str, now: datetime) -> datetime | None:
    """The day in the path of `url`, at midnight UTC; None if it has none, or one that is implausible."""
    split = urlsplit(url)
    for found in _DATE_IN_PATH.finditer(f"{split.path}?{split.query}".lower()):
        month = found["m"] or found["m2"]
        try:
            number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
            day = datetime(int(found["y"]), number, int(found["d"] or found["d2"]), tzinfo=UTC)
        except ValueError:
            continue
        if (day - now).days <= 1:
            return day
    return None


def article_worth(url: str, page: str) -> float:
    """How much `url` looks like an article's address on a list at the address `page`, from 0 to 1."""
    split, own = urlsplit(url), urlsplit(page)
    path = split.path.rstrip("/")
    if not path and not split.query:
        return 0.0
    if path == own.path.rstrip("/") and not _NUMBERED.search(split.query):
        return 0.0
    last = path.rpartition("/")[2]
    worth = 0.35 if path.count("/") >= 2 or split.query else 0.15
    if _DATE_IN_PATH.search(path):
        worth = 1.0
    elif _NAMED.search(last):
        worth = 0.9
    elif _NUMBERED.search(f"{last}?{split.query}"):
        worth = 0.8
    return worth if domain_of(url) == domain_of(page) else 0.7 * worth


def shape_of(url: str) -> str:
    """The address's shape, which the articles of a site share: host, first directory, and whether it has numbers."""
    split = urlsplit(url)
    first = split.path.strip("/").partition("/")
    begin = first[0] if first[2] else ""
    return f"{split.netloc}/{re.sub(r'[0-9]+', '0', begin)}/{'?' if split.query else ''}"
