"""What would be read at an address: the items of its feed or list, the newest one's date, and what is missing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from ingest.formats import news_sitemap
from ingest.formats.format import head_of
from ingest.http.fetched import Fetched, Request
from ingest.listings import bring_list
from ingest.parse import MAX_BYTES, parse
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.unpack import NotUnpackedError, unpacked
from newswatch.entry import Entry
from newswatch.feed import Read, Rule

if TYPE_CHECKING:
    from ingest.http.fetch import Fetcher

OLD: Final = timedelta(days=60)
"""A list whose newest item is older misleads: it answers, but brings nothing."""
READS: Final[tuple[Read, ...]] = ("feed", "sitemap", "json", "page")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be read at an address."""

    url: str
    read: Read
    """As what it was read: the value for `read` in the list of feeds."""
    format: str | None
    title: str
    language: str | None
    entries: tuple[Entry, ...]
    """In the document's order; none if nothing would be read."""
    newest: datetime | None
    """The latest date of an item."""
    why_not: str | None
    """Why nothing would be read."""
    warnings: tuple[str, ...]
    """What is missing: dates, titles, links, anything recent."""
    problems: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether it has items, and none of its items tells that it is dead."""
        return bool(self.entries) and not any(warning.startswith("the newest") for warning in self.warnings)


def preview(
    body: bytes,
    *,
    url: str,
    content_type: str | None = None,
    country: str | None = None,
    now: datetime,
    read: Read | None = None,
    rule: Rule | None = None,
) -> Preview:
    """What would be read of the document in `body`, which was served from `url`. Never raises.

    Without `read` it is decided by the document: a feed, a sitemap, JSON, or else a page.
    """
    found: ParsedFeed | NotAFeed
    chosen: Read
    for chosen in [read] if read else _likely(body, with_rule=rule is not None):
        found = parse(body, url=url, content_type=content_type, country=country, now=now, as_a=chosen, rule=rule)
        if isinstance(found, ParsedFeed):
            break
    if isinstance(found, NotAFeed):
        return Preview(url, chosen, None, "", None, (), None, found.reason, ())
    dates = [date for entry in found.entries if (date := entry.published or entry.updated)]
    newest = max(dates, default=None)
    missing = tuple(_missing(found, chosen, len(dates), newest, now))
    why_not = None if found.entries else "it has no items"
    shown = (url, chosen, found.format, found.title, found.language, found.entries)
    return Preview(*shown, newest, why_not, missing, found.problems)


def _likely(body: bytes, *, with_rule: bool) -> list[Read]:
    """As what to read a document, the likeliest last: the reason why it can't be read counts."""
    try:
        head = head_of(unpacked(body, MAX_BYTES))
    except NotUnpackedError:
        return ["feed"]
    if news_sitemap.sniff(head):
        return ["sitemap"]
    if head[:1] in (b"{", b"["):
        return ["json"] if with_rule else ["feed", "json"]
    return ["page"] if with_rule else ["feed", "page"]


def _missing(found: ParsedFeed, read: Read, dated: int, newest: datetime | None, now: datetime) -> list[str]:
    count = len(found.entries)
    warnings = []
    if count and not dated:
        warnings.append("none of the items has a date: the articles' pages must say when they were published")
    elif dated < count / 2:
        warnings.append(f"only {dated} of {count} items have a date")
    if newest and now - newest > OLD:
        warnings.append(f"the newest item is of {newest:%d %B %Y}: it may no longer be updated")
    untitled = sum(not entry.title for entry in found.entries)
    if untitled and read != "sitemap":
        warnings.append(f"{untitled} of {count} items have no title")
    elif untitled:
        warnings.append("a sitemap has no titles: they come from the articles' pages")
    if unlinked := sum(entry.url is None for entry in found.entries):
        warnings.append(f"{unlinked} of {count} items have no link")
    return warnings


async def preview_live(
    fetcher: Fetcher, url: str, *, now: datetime, read: Read | None = None, rule: Rule | None = None
) -> Preview:
    """What would be read at `url` now, fetched as a poll would; `why_not` says why nothing, a refusal among others."""
    if read is None or read == "feed":
        outcome = await fetcher.fetch(Request(url))
    else:
        outcome = await bring_list(fetcher, Request(url), read)
    if not isinstance(outcome, Fetched):
        reason = getattr(outcome, "reason", f"answered {outcome.status} to an unconditional request")
        return Preview(url, read or "feed", None, "", None, (), None, reason, ())
    kind = outcome.headers.get("content-type")
    shown = await asyncio.to_thread(
        preview, outcome.body, url=outcome.final_url, content_type=kind, now=now, read=read, rule=rule
    )
    is_index = shown.read == "sitemap" and not shown.entries and read is None
    return await preview_live(fetcher, url, now=now, read="sitemap", rule=rule) if is_index else shown
