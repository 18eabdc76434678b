"""From entry and page to an article: weighs what the feed says against what the page says."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final
from urllib.parse import quote_plus

from ingest.addresses import absolute, domain_of, is_address
from ingest.pages.extracted import Extracted
from ingest.pages.identity import agreed_url
from ingest.urls import canonicalize, known_id, part_url, untracked
from newswatch.article import Article, Provenance, Source, TextStatus
from newswatch.entry import Entry
from newswatch.feed import Feed
from newswatch.languages import is_dense

SHORT_CHARS: Final = 1_200
"""A shorter feed text is a teaser, so the page is fetched."""
SHORT_CHARS_DENSE: Final = 400
"""The same in a language whose characters say more each."""
SENTENCE_CHARS: Final = 40
"""Minimum characters by which a page's text must exceed the feed's to be more than its summary and a prompt."""


def wants_page(entry: Entry, feed: Feed) -> bool:
    """Whether to fetch the article's page: as the feed is configured; with `auto`, if the feed's text is short.

    A page that several entries lead to is not the text of any of them.
    """
    if entry.url is None or entry.part or feed.full_text == "feed":
        return False
    return feed.full_text == "page" or len(_feed_text(entry)) < _short(entry.language or feed.language)


def assemble(
    entry: Entry,
    page: Extracted | None,
    feed: Feed,
    *,
    now: datetime,
    fetched_at: datetime | None = None,
    extractor: str = "feed",
    final_url: str | None = None,
    known_url: str | None = None,
) -> Article:
    """The article of `entry` in `feed`, first seen at `now`; `page` is None if none was fetched.

    `fetched_at` is when its newest part was fetched (default: `now`), `extractor` names what extracted the page, and
    `final_url` is where the page was served from. `known_url` is the URL that the article is already known by, if any,
    because an article keeps its first identity. Tags, entities, hashes and story are left to the transforms.

    Raises:
        ValueError: neither the entry nor the feed has a URL that can identify the article.
    """
    url = known_url or _url(entry, feed, page, final_url)
    body, status = _weigh(entry, page)
    published = entry.published or (page.published if page else None)
    return Article(
        id=known_id(url),
        url=url,
        title=entry.title or (page.title if page else "") or url,
        summary=entry.summary,
        text=body,
        text_status=status,
        source=source_of(feed, url),
        first_seen=now,
        provenance=Provenance(fetched_at or now, page is not None, extractor if page else "feed"),
        authors=entry.authors or (page.authors if page else ()),
        published=published,
        updated=entry.updated,
        language=(page.language if page else None) or entry.language or feed.language,
        image=entry.image or (page.image if page else None),
        problems=(*entry.problems, *(page.problems if page else ())),
        feeds=(feed.id,),
        link=_link(entry, page, final_url, url),
    )


def source_of(feed: Feed, url: str) -> Source:
    """The outlet of an article at `url` that `feed` announced."""
    domain = domain_of(feed.site if feed.site and is_address(feed.site) else url)
    grade = feed.reliability.grade if feed.reliability else None
    return Source(feed.id, feed.title, domain, feed.country, feed.kind, feed.owner, grade, feed.state_media)


def _url(entry: Entry, feed: Feed, page: Extracted | None, final_url: str | None) -> str:
    """The article's canonical URL: the page's if it is credible, else the entry's link.

    With a part, it is the page's URL and the part. Without a link, it is made from the feed's URL and the entry's id.
    """
    if entry.url and entry.part:
        return part_url(entry.url, entry.part)
    if entry.url:
        return agreed_url(entry.url, final_url, page.canonical_url if page else None)
    own = absolute(f"?newswatch-entry={quote_plus(entry.id)}", feed.url)
    if own is None:  # the id is so long that the address would exceed the maximum
        own = absolute(f"?newswatch-entry={hashlib.sha256(entry.id.encode()).hexdigest()[:32]}", feed.url)
    return canonicalize(own or feed.url)


def _link(entry: Entry, page: Extracted | None, final_url: str | None, url: str) -> str | None:
    """The article's address as the feed, or else the page, wrote it; None if it equals `url`."""
    if not entry.url:
        return None
    stated = absolute(page.canonical_url, final_url or entry.url) if page else None
    written = [untracked(link) for link in (entry.url, stated) if link]
    named = (link for link in written if entry.part or canonicalize(link) == url)
    link = next(named, None)
    return link if link != url else None


def _feed_text(entry: Entry) -> str:
    return max(entry.content, entry.summary, key=len)


def _short(language: str | None) -> int:
    return SHORT_CHARS_DENSE if is_dense(language) else SHORT_CHARS


def _weigh(entry: Entry, page: Extracted | None) -> tuple[str, TextStatus]:
    """The better of the two texts: a wall's text doesn't count, and a teaser must exceed the feed's by a sentence."""
    feed_text = _feed_text(entry)
    if page is None:
        return feed_text, "full" if len(feed_text) >= _short(entry.language) else "summary"
    if page.status == "full" and len(page.text) >= len(feed_text) * 0.8:
        return page.text, "full"
    if len(feed_text) >= _short(entry.language):
        return feed_text, "full"
    longer = page.text if len(page.text) >= len(feed_text) + SENTENCE_CHARS else feed_text or page.text
    return longer, "summary" if page.status == "full" else page.status
