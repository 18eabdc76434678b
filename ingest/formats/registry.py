"""The list of formats, and what derives from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ingest.formats.format import Format, MediaType
from ingest.formats.json_feed import JSON_FEED
from ingest.formats.json_list import JSON_LIST
from ingest.formats.list_page import LIST_PAGE
from ingest.formats.news_sitemap import NEWS_SITEMAP
from ingest.formats.rss_atom import RSS_AND_ATOM
from ingest.formats.sitemap import SITEMAP
from newswatch.feed import Read

FORMATS: Sequence[Format] = (RSS_AND_ATOM, JSON_FEED, NEWS_SITEMAP)
"""In order of preference. The first format also reads what no format claims, because feedparser understands more than
RSS and Atom."""

_LISTS: Final = {"page": (LIST_PAGE,), "sitemap": (SITEMAP,), "json": (JSON_LIST,)}
_OTHERS: Final = (MediaType("text/html", 0.5), MediaType("*/*", 0.1))
"""A page may name its feeds; and servers that label a feed differently should still send it."""
_GENERAL_WORDS: Final = ("feeds?",)


def formats_of(read: Read) -> Sequence[Format]:
    """The formats in which a source's document is read: those of feeds, or the one of its kind of list.

    A list is read only where its source says so: an article or a maintenance page in place of a feed is a page too.
    """
    return FORMATS if read == "feed" else _LISTS[read]


def format_of(head: bytes, formats: Sequence[Format]) -> Format:
    """The format of a document with this beginning (`format.head_of`): the first to claim it, else the first of all."""
    return next((each for each in formats if each.sniff(head)), formats[0])


def accept() -> str:
    """The Accept header for a feed: the media types of all formats, the ones with more weight first."""
    asked = [*(media for each in FORMATS for media in each.media_types if media.weight), *_OTHERS]
    ranked = sorted(asked, key=lambda media: -media.weight)
    return ", ".join(dict.fromkeys(name if weight == 1 else f"{name};q={weight:g}" for name, weight in ranked))


def feed_types(formats: Sequence[Format]) -> frozenset[str]:
    """The media types under which pages advertise feeds."""
    return frozenset(media.name for each in formats for media in each.media_types)


def usual_paths() -> tuple[str, ...]:
    """The usual addresses of feeds on a site, the likeliest first."""
    return tuple(dict.fromkeys(path for each in FORMATS for path in each.usual_paths))


def looks_like_a_feed(address: str, formats: Sequence[Format]) -> bool:
    """Whether an address contains a word that is common in the addresses of feeds."""
    return _address_pattern(tuple(formats)).search(address) is not None


@lru_cache(maxsize=8)
def _address_pattern(formats: tuple[Format, ...]) -> re.Pattern[str]:
    words = "|".join((*_GENERAL_WORDS, *(word for each in formats for word in each.address_words)))
    return re.compile(rf"(?:^|[/._?=&-])(?:{words})(?:[/._?=&-]|$)", re.IGNORECASE)
