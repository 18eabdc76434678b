"""URLs as identities: an article is identified by its canonical URL.

What an address is, and how it is requested, says `ingest.addresses`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from ingest.addresses import CACHED_CHARS, read_address
from ingest.canonical import canonical_form
from ingest.tracking import is_tracking, was_tracking

_IN_FRAGMENT: Final = "!$&'()*+,;=:@/?%-._~"
"""What a fragment may contain besides letters and digits (RFC 3986, 3.5); a "%" already encodes something."""


def canonicalize(url: str) -> str:
    """The URL that identifies an article: the same for every spelling of one address.

    Scheme and host in lower case, host in its ASCII form, no default port, no credentials, no fragment, no tracking
    parameters or session ids, parameters sorted, percent-encoding as in the WHATWG URL standard, `/` for an empty path.
    Only parameters that *never* distinguish pages are dropped: merging two articles would lose one, while a superfluous
    parameter only shows one article twice. The canonical form of a canonical URL is itself.

    Raises:
        AddressError: `url` is not an address.
    """
    read_address(url)
    return _canonical_cached(url) if len(url) <= CACHED_CHARS else _canonical(url)


def untracked(url: str) -> str:
    """The address as written, without its tracking parameters: the one for readers.

    A server may know its pages only by one spelling, or have signed it.

    Raises:
        AddressError: `url` is not an address.
    """
    read_address(url)
    address, mark, fragment = url.partition("#")
    path, asked, query = address.partition("?")
    kept = [param for param in query.split("&") if not is_tracking(param.partition("=")[0])]
    return path + (asked + "&".join(kept) if any(kept) else "") + mark + fragment


def article_id(url: str) -> str:
    """The identity of the article at `url`: 32 hex digits of the SHA-256 of its canonical URL.

    http and https are the same, because a publisher that moves to https doesn't publish its archive again.
    """
    return hashlib.sha256(canonicalize(url).partition("://")[2].encode()).hexdigest()[:32]


def known_id(url: str) -> str:
    """The identity of the article that is known by `url`: like `article_id`, but a fragment counts.

    Only an article that is a part of a page is known by a URL with a fragment (`part_url`). A parameter whose tracking
    was recognised only after articles were stored counts too, so that those keep their identity: a URL that
    `canonicalize` gives has none.
    """
    page, _, part = url.partition("#")
    return hashlib.sha256(former_url(page, part).partition("://")[2].encode()).hexdigest()[:32]


def former_url(url: str, part: str = "") -> str:
    """The URL by which earlier versions knew the article at `url`, or the part of that page.

    It differs from `canonicalize` by the parameters whose tracking was recognised later.

    Raises:
        AddressError: `url` is not an address.
    """
    if "?" not in url:
        page = canonicalize(url)
    else:
        read_address(url)
        page = _canonical_cached(url, former=True) if len(url) <= CACHED_CHARS else _canonical(url, former=True)
    return f"{page}#{quote(part, safe=_IN_FRAGMENT)}" if part else page


def is_part(url: str) -> bool:
    """Whether `url`, which identifies an article, names a part of a page."""
    return "#" in url


def part_url(url: str, part: str) -> str:
    """The URL that identifies the part `part` of the page at `url`; a browser shows the page.

    Raises:
        AddressError: `url` is not an address.
    """
    return f"{canonicalize(url)}#{quote(part, safe=_IN_FRAGMENT)}"


def fragment_of(url: str) -> str:
    """The fragment of `url` that may name a part of its page; empty if it tracks (`#xtor=RSS-16`) or marks text."""
    fragment = url.partition("#")[2].partition(":~:")[0].strip()
    return "" if was_tracking(fragment.partition("=")[0]) else quote(fragment, safe=_IN_FRAGMENT)


def _canonical(url: str, *, former: bool = False) -> str:
    address = read_address(url)
    tracks = was_tracking if former else is_tracking
    return canonical_form(address.origin, address.path, address.query, tracks)


_canonical_cached = lru_cache(maxsize=10_000)(_canonical)
