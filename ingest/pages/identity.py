"""Decides which address identifies an article when the entry's link and the page's `rel=canonical` differ. Pure.

A canonical URL unites the AMP, mobile and tracked addresses of one article. A wrong one (of a live blog, a section, the
home page) would merge two articles, and one of them would be lost. So it is accepted only if it has the same name and
the same numbers as an address that led to the page, on the same site.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ingest.addresses import absolute, host_of
from ingest.urls import canonicalize

_FRONTS: Final = frozenset({"www", "m", "amp", "mobile", "wap", "touch", "edition"})
"""First labels of host names that only select the device or the readers that a site is laid out for."""
_MARKS: Final = frozenset({"amp", "mobile", "m", "print", "rss", "index.html", "index.htm", "index.php", "index.amp"})
"""Segments of a path that say how a page is laid out, not which page it is."""
_SUFFIX: Final = re.compile(r"(?:\.amp)?\.(?:html?|php|aspx?|jsp|amp)$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d+")
_LONG_NUMBER: Final = re.compile(r"\d{4}")
_TELLING_CHARS: Final = 15
"""Minimum length of a name that identifies an article; `index`, `article` and `news-story` do not."""


def agreed_url(link: str, final_url: str | None, stated: str | None) -> str:
    """The canonical URL of the article that `link` led to: `stated`, which its page gives, or else `link`.

    `final_url` is where redirects ended.

    Raises:
        ValueError: `link` is not a URL.
    """
    own = canonicalize(link)
    base = final_url or link
    address = absolute(stated, base)
    if address is None:
        return own
    claimed = canonicalize(address)
    led = [canonicalize(url) for url in (link, final_url) if url and absolute(url, None)]
    if _site(claimed) != _site(base) or not any(_same_article(claimed, url) for url in led):
        return own
    return claimed


def may_be_renamed(old: str, new: str) -> bool:
    """Whether `new` may be a later address of the article at `old`: on the same site, with the same numbers.

    Many publishers derive the address from the headline, so an edited headline changes the address.
    """
    return _site(old) == _site(new) and _numbers(old, _path(old)) == _numbers(new, _path(new))


def _site(url: str) -> str:
    labels = host_of(url).split(".")
    while len(labels) > 2 and labels[0] in _FRONTS:
        labels = labels[1:]
    return ".".join(labels)


def _same_article(claimed: str, led: str) -> bool:
    here, there = _path(claimed), _path(led)
    if not here or not there or here[-1] != there[-1] or _numbers(claimed, here) != _numbers(led, there):
        return False
    return _is_telling(here[-1]) or (here == there and _query(claimed) == _query(led))


def _path(url: str) -> list[str]:
    """The segments of the path that identify the page, without their file suffix."""
    parts = [unquote(part) for part in urlsplit(url).path.split("/")]
    return [_SUFFIX.sub("", part).lower() for part in parts if part and part.lower() not in _MARKS]


def _query(url: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in parse_qsl(urlsplit(url).query) if name.lower() not in ("amp", "output")]


def _numbers(url: str, path: list[str]) -> list[str]:
    """Every number in the address: dates, ids, pages. Two articles with one name differ in at least one of them."""
    values = [value for name, value in _query(url)]
    return sorted(_NUMBER.findall("/".join((*path, *values))))


def _is_telling(name: str) -> bool:
    return len(name) >= _TELLING_CHARS or bool(_LONG_NUMBER.search(name))
