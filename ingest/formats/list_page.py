"""Pages of headlines, for sources without a feed: their list is found by its structure, or by a rule."""

from __future__ import annotations

import re
from typing import Final

from ingest import bounds
from ingest.challenges import challenge
from ingest.encodings import decoded
from ingest.formats.format import Document, Format, MediaType, unclaimed
from ingest.formats.listed import listed
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.text import language_of
from ingest.zones import hints_of
from newswatch.plain_text import one_line

MAX_PAGE_BYTES: Final = 5_000_000
"""Maximum size of a list page; a larger page is refused unread."""
_TAG: Final = re.compile(rb"<[A-Za-z]")


def read(document: Document) -> ParsedFeed | NotAFeed:
    """The list on the page; or why there is none, and what the page looks like instead."""
    import trafilatura

    from ingest.feed_list.css import RuleError
    from ingest.lists.links import links_of
    from ingest.lists.moments import Reader
    from ingest.lists.page import FoundList, list_of
    from ingest.lists.rules import on_page

    url = document.url or ""
    if len(document.body) > MAX_PAGE_BYTES:
        return NotAFeed(url, f"the page has {len(document.body):,} bytes; more than {MAX_PAGE_BYTES:,} are not read")
    if (tags := len(_TAG.findall(document.body))) > bounds.MAX_TAGS:
        return NotAFeed(url, f"the page has {tags:,} tags; more than {bounds.MAX_TAGS:,} are not read")
    root = trafilatura.load_html(decoded(document.body, document.content_type))
    if root is None:
        return NotAFeed(url, "it is not a page")
    language = language_of(root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang"))
    hints = hints_of(language, url, document.country)
    rule = document.rule
    if rule is None:
        found = list_of(root, url, hints, document.now)
    else:
        links = links_of(root, url)
        try:
            items = on_page(root, links, url, rule, Reader(hints, document.now), document.now)
        except RuleError as error:
            return NotAFeed(url, str(error))
        found = FoundList(tuple(items), f"the rule finds nothing: {len(links.links)} links on the page", links.left_out)
    title = next((one_line(each.text) for each in root.iter("title") if each.text), "")
    if not found.items:
        walled = challenge(200, {}, document.body)
        return NotAFeed(url, walled or f"{found.why}; it is titled {title[:80]!r}")
    cut = (f"the page has {found.left_out:,} links more than are looked at",) if found.left_out else ()
    return listed(document, "list page", title, language, found.items, cut)


LIST_PAGE: Final = Format(
    name="list page",
    media_types=(MediaType("text/html", 0.5),),
    sniff=unclaimed,
    read=read,
)
