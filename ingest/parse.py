"""From a feed document to typed entries, in any of the formats in `ingest.formats`.

An entry's id is stable from poll to poll. It is the first of these that the entry has:

1. the feed's own id: `guid`, `atom:id`, `rdf:about`, JSON Feed `id`;
2. the canonical URL of its link, with the fragment;
3. a hash of its title and its date as written, `sha256:…`.

If a document gives the same id to several entries with different content, the id identifies nothing, and 2 or 3 is
used. If it gives them the same link, see `ingest.apart`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from ingest import bounds
from ingest.challenges import challenge
from ingest.formats import registry
from ingest.formats.bounded_feedparser import TooMuchError
from ingest.formats.format import Document, Format, head_of
from ingest.page_links import advertised
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.unpack import NotUnpackedError, unpacked
from newswatch.feed import Read, Rule

MAX_BYTES: Final = 50_000_000
"""No feed is that long; a larger document is refused unread."""


def parse(
    body: bytes,
    *,
    url: str | None,
    content_type: str | None = None,
    country: str | None = None,
    now: datetime,
    as_a: Read = "feed",
    rule: Rule | None = None,
) -> ParsedFeed | NotAFeed:
    """The feed in `body`, served from `url`; or why it is not one, with the feeds it advertises. Never raises.

    `now` decides which dates are plausible. `country` (ISO 3166) is the outlet's, and decides which zone an ambiguous
    name in a date means. The `problems` of the feed and of its entries say what was wrong and what was left out because
    it was too much. `as_a` and `rule` say how a list that is not a feed is read. A document that may take long is read
    by a worker, which is killed after `bounds.FEED_S`.
    """
    if len(body) > MAX_BYTES:
        return NotAFeed(url, f"the document has {len(body):,} bytes; more than {MAX_BYTES:,} are not read")
    document, formats = Document(body, url, content_type, country, now, rule=rule), registry.formats_of(as_a)
    if (small := bounds.harmless(body)) is not None:
        return read_feed(replace(document, body=small), formats)
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.FEED_S, read_feed, document, formats)
    except OverBudgetError as error:
        return NotAFeed(url, f"reading it {error}")


def read_feed(document: Document, formats: Sequence[Format]) -> ParsedFeed | NotAFeed:
    """The feed in the document, read in this process and without a time limit.

    Raises:
        MemoryError: there was not enough memory.
    """
    try:
        return _bounded(replace(document, body=unpacked(document.body, MAX_BYTES)), formats)
    except (TooMuchError, NotUnpackedError) as error:
        return NotAFeed(document.url, f"it is not read: {error}")
    except MemoryError:
        raise
    except Exception as error:  # whatever a hostile document provokes in the parsers below
        return NotAFeed(document.url, bounds.shortened(f"reading it failed: {type(error).__name__}: {error}"))


def _bounded(document: Document, formats: Sequence[Format]) -> ParsedFeed | NotAFeed:
    head = head_of(document.body)
    if not head:
        return NotAFeed(document.url, "the document is empty")
    chosen = registry.format_of(head, formats)
    cut = chosen.cut(document.body)
    mended = chosen.mend(replace(document, body=cut.body))
    feed = chosen.read(mended) or _no_feed(mended, formats)
    return bounds.bounded_feed(feed, cut.problems) if isinstance(feed, ParsedFeed) else bounds.bounded_refusal(feed)


def _no_feed(document: Document, formats: Sequence[Format]) -> NotAFeed:
    feeds = advertised(document.body, document.url, formats)
    is_page = feeds or _is_html(document.body)
    walled = challenge(200, {}, document.body) if is_page else None
    reason = walled or ("it is a page, not a feed" if is_page else "it is not a feed")
    return NotAFeed(document.url, reason, feeds)


def _is_html(body: bytes) -> bool:
    head = body[:2_048].lower()
    return b"<html" in head or b"<!doctype html" in head
