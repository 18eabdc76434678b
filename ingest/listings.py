"""Brings the documents of sources that are not feeds, and follows an index of sitemaps to its likeliest ones."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ingest.bounds import entry_spans
from ingest.formats.format import Document, head_of, mended
from ingest.formats.sitemap import SITEMAP, addresses
from ingest.http.fetched import Fetched, FetchResult, NotModified, Request
from ingest.unpack import NotUnpackedError, unpacked
from newswatch.feed import Read

if TYPE_CHECKING:
    from ingest.http.fetch import Fetcher

FOLLOWED: Final = 3
"""Maximum number of sitemaps of one index that are requested at each poll."""
MAX_DEPTH: Final = 2
"""How deep indexes of indexes are followed."""
MAX_BYTES: Final = 50_000_000
_INDEX: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?sitemapindex(?=[\s/>])")
_HEAD: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    b'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" '
    b'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" '
    b'xmlns:video="http://www.google.com/schemas/sitemap-video/1.1" xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
)


async def bring_list(fetcher: Fetcher, request: Request, read: Read) -> FetchResult:
    """The document at an address, asked for as politely as a page: robots.txt, pace, conditional.

    An index of sitemaps gives the addresses of its likeliest sitemaps as one document. It is asked for unconditionally:
    an index rarely changes when its sitemaps do.
    """
    if read != "sitemap":
        return await fetcher.fetch_list(request, page=read == "page")
    outcome = await fetcher.fetch_list(request, page=False)
    if not isinstance(outcome, Fetched) or not _is_index(outcome.body):
        return outcome
    return await _followed(fetcher, outcome, request.body_hash)


def _is_index(body: bytes) -> bool:
    return _INDEX.search(head_of(_plain(body))) is not None


def _plain(body: bytes) -> bytes:
    try:
        return unpacked(body, MAX_BYTES)
    except NotUnpackedError:
        return b""


async def _followed(fetcher: Fetcher, index: Fetched, known_hash: str | None) -> FetchResult:
    """The sitemaps of an index as one answer, which has no validators of its own."""
    bodies = await _sitemaps(fetcher, [index], MAX_DEPTH)
    if not isinstance(bodies, list):
        return bodies
    body = await asyncio.to_thread(_joined, bodies)
    digest = hashlib.sha256(body).hexdigest()
    headers = {name: value for name, value in index.headers.items() if name not in ("etag", "last-modified")}
    typed = {**headers, "content-type": "application/xml"}
    answer = replace(index, body=body, body_hash=digest, headers=typed, joined=True)
    if digest != known_hash:
        return answer
    return NotModified(
        answer.url, answer.final_url, answer.status, headers, answer.fetched_at, answer.elapsed_s, answer.hops
    )


async def _sitemaps(fetcher: Fetcher, indexes: Sequence[Fetched], depth: int) -> list[bytes] | FetchResult:
    """The bodies of the likeliest sitemaps; the failure if none of them can be read."""
    named = [link for index in indexes for link in await asyncio.to_thread(_named, index)][:FOLLOWED]
    outcomes = [await fetcher.fetch_list(Request(link), page=False) for link in named]
    read = [outcome for outcome in outcomes if isinstance(outcome, Fetched)]
    if not read:
        return outcomes[0] if outcomes else []
    deeper = [outcome for outcome in read if _is_index(outcome.body)]
    bodies = [outcome.body for outcome in read if outcome not in deeper]
    if deeper and depth > 1 and not bodies:
        return await _sitemaps(fetcher, deeper, depth - 1)
    return bodies


def _named(index: Fetched) -> tuple[str, ...]:
    document = Document(_plain(index.body), index.final_url, None, None, index.fetched_at)
    return addresses(mended(document))


def _joined(bodies: Iterable[bytes]) -> bytes:
    """Sitemaps as one, their entries as they are written, each sitemap cut to its newest."""
    cut = [SITEMAP.cut(_plain(body)).body for body in bodies]
    spans = (body[start:end] + b"\n" for body in cut for start, end in entry_spans(body))
    return b"".join((_HEAD, *spans, b"</urlset>\n"))
