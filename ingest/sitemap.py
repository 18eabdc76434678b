"""Google News sitemaps (https://www.google.com/schemas/sitemap-news/0.9): the feed of outlets that have no feed."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from ingest import text
from ingest.parse import Draft, drafted, finish, language_of, link_of, plausible
from ingest.urls import absolute
from newswatch.model import NotAFeed, ParsedFeed


def parse_sitemap(body: bytes, *, url: str | None, now: datetime) -> ParsedFeed | NotAFeed:
    """The news of the sitemap in `body`; a sitemap without news is no feed, an index names the sitemaps in it."""
    root = etree.fromstring(
        body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    )
    if root is None:
        return NotAFeed(url, "it begins like a sitemap but is no XML")
    if etree.QName(root).localname == "sitemapindex":
        locations = (absolute(loc.text, url) for loc in root.iter("{*}loc"))
        return NotAFeed(url, "it is an index of sitemaps, not a feed", tuple(link for link in locations if link))
    items = [node for node in root.iter("{*}url") if node.find("{*}news") is not None]
    if not items:
        return NotAFeed(url, "it is a sitemap without news")
    name, language = _text(items[0], "name"), language_of(_text(items[0], "language"))
    problems = ["the document is ill-formed"] if root.getroottree().parser.error_log else []
    drafts = drafted(items, lambda item: _draft(item, url, now), problems)
    return ParsedFeed(url, "news sitemap", name, None, language, **finish(drafts, language, problems))


def _text(item: etree._Element, name: str) -> str:
    found = item.find(f".//{{*}}{name}")
    return text.one_line(found.text or "") if found is not None else ""


def _draft(item: etree._Element, url: str | None, now: datetime) -> Draft:
    draft = Draft(title=text.unescape(_text(item, "title")), date_as_written=_text(item, "publication_date"))
    draft.link = link_of(_text(item, "loc"), url, "loc", draft.problems)
    draft.language = language_of(_text(item, "language"))
    if draft.date_as_written:
        try:
            draft.published = plausible(
                datetime.fromisoformat(draft.date_as_written), "publication_date", now, draft.problems
            )
        except (ValueError, OverflowError):
            draft.problems.append(f"publication_date {draft.date_as_written!r} is no date that can be read: dropped")
    return draft
