"""Google News sitemaps (https://www.google.com/schemas/sitemap-news/0.9): the feed of outlets that have no feed."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from ingest import text
from ingest.parse import Draft, dated, drafted, finish, language_of, link_of
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.urls import absolute
from ingest.zones import hints_of


def parse_sitemap(body: bytes, *, url: str | None, country: str | None, now: datetime) -> ParsedFeed | NotAFeed:
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
    name, language = _text(_news(items[0]), "name"), language_of(_text(_news(items[0]), "language"))
    problems = ["the document is ill-formed"] if root.getroottree().parser.error_log else []
    drafts = drafted(items, lambda item: _draft(item, url, country, now), problems)
    return ParsedFeed(url, "news sitemap", name, None, language, **finish(drafts, language, problems))


def _news(item: etree._Element) -> etree._Element:
    return next(item.iterchildren("{*}news"))


def _text(news: etree._Element, name: str) -> str:
    """What `news:name` says: a picture and a film in the same `url` have titles and dates of their own."""
    namespace = etree.QName(news).namespace
    wanted = f"{{{namespace}}}{name}" if namespace else name
    found = next(news.iter(wanted), None)
    return _inner(found)


def _inner(found: etree._Element | None) -> str:
    return text.one_line("".join(map(str, found.itertext()))) if found is not None else ""


def _title(written: str) -> str:
    """A title as a browser would show it: many are escaped twice."""
    return text.one_line(text.unescape(text.unescape(written)))


def _draft(item: etree._Element, url: str | None, country: str | None, now: datetime) -> Draft:
    news = _news(item)
    draft = Draft(title=_title(_text(news, "title")), date_as_written=_text(news, "publication_date"))
    draft.link = link_of(_inner(item.find("{*}loc")), url, "loc", draft.problems)
    draft.language = language_of(_text(news, "language"))
    hints = hints_of(_text(news, "language"), url, country)
    draft.published = dated(draft.date_as_written, "publication_date", now, hints, draft.problems)
    return draft
