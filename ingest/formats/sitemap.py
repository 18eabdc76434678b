"""Sitemaps (https://www.sitemaps.org/protocol.html) as lists of articles: with news, with dated paths, or by `lastmod`.

A sitemap names all pages of a site. Its articles are the ones whose address fits the rule; without a rule the ones with
a day in the path, if there are any; else all.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ingest import bounds
from ingest.addresses import absolute
from ingest.formats import news_sitemap
from ingest.formats.drafts import Draft, drafted, finish, link_of
from ingest.formats.format import CUT_OFF, Document, Format, MediaType, before_its_break, mended
from ingest.lists.items import day_in
from ingest.parsed import NotAFeed, ParsedFeed

if TYPE_CHECKING:
    from lxml import etree

_LASTMOD: Final = re.compile(rb"<(?:\w{1,30}:)?lastmod\b[^<>]{0,99}>\s{0,20}([^<>]{8,40})")
_LOC: Final = re.compile(rb"<(?:\w{1,30}:)?loc\b[^<>]{0,99}>(?:<!\[CDATA\[)?\s{0,20}([^<>\s]{8,2000})")
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""For addresses without any date: in most sitemaps they are not articles."""
FAR: Final = datetime(9000, 1, 1, tzinfo=UTC)


def cut(body: bytes) -> bounds.Cut:
    """The sitemap cut down to its newest `bounds.MAX_ENTRIES` addresses, by the day in them or their `lastmod`."""
    if b":news>" in body or b"<news" in body:
        return bounds.newest_entries(body)
    return bounds.newest_entries(body, _written)


def _written(body: bytes, span: tuple[int, int]) -> datetime:
    loc = _LOC.search(body, *span)
    day = day_in(loc[1].decode("ascii", "replace"), FAR) if loc else None
    if day is not None:
        return day
    modified = _LASTMOD.search(body, *span)
    when = bounds.read_date(modified[1].decode("ascii", "replace").strip()) if modified else None
    return when or LONG_AGO


def read(document: Document) -> ParsedFeed | NotAFeed:
    """The articles of the sitemap; an index of sitemaps names them (`ingest.listings` follows it)."""
    document, cut_off = before_its_break(document)
    news = news_sitemap.read(document)
    if isinstance(news, ParsedFeed) or news.feeds:
        return news
    root = news_sitemap.tree_of(document.body)
    if root is None:
        return NotAFeed(document.url, "it is not XML")
    nodes = list(root.iter("{*}url"))
    if not nodes:
        return NotAFeed(document.url, "it is not a sitemap: it names no address")
    chosen, how = _articles(nodes, document)
    if not chosen:
        return NotAFeed(document.url, f"a sitemap with {len(nodes):,} addresses, none of which {how}")
    problems = [*document.problems, *([CUT_OFF] if cut_off else [])]
    if len(chosen) < len(nodes):
        problems.append(f"{len(nodes) - len(chosen):,} of {len(nodes):,} addresses don't have {how}: not articles")
    drafts = drafted(chosen, partial(_draft, document=document), problems)
    made = finish(drafts, None, problems)
    # A page's last change is not when its article was published; the page itself says that.
    entries = tuple(
        entry if day_in(entry.url or "", FAR) else replace(entry, published=None) for entry in made["entries"]
    )
    return ParsedFeed(document.url, "sitemap", "", None, None, entries, made["problems"], is_cut_off=cut_off)


def _articles(nodes: list[etree._Element], document: Document) -> tuple[list[etree._Element], str]:
    """The articles among the addresses, and what tells them apart."""
    from ingest.lists.rules import address_pattern

    if document.rule and document.rule.items:
        pattern = address_pattern(document.rule.items)
        return [node for node in nodes if pattern.search(_path(_loc(node)))], f"{document.rule.items!r} in their path"
    dated = [node for node in nodes if day_in(_loc(node), FAR)]
    if len(dated) >= 3:
        return dated, "a day in their path"
    return [node for node in nodes if _path(_loc(node)).strip("/")], "a path"


def _path(url: str) -> str:
    split = urlsplit(url)
    return f"{split.path}?{split.query}" if split.query else split.path


def _loc(node: etree._Element) -> str:
    return "".join(map(str, (found.itertext() if (found := node.find("{*}loc")) is not None else ()))).strip()


def _draft(node: etree._Element, document: Document) -> Draft:
    """An entry without a title, which the article's page will give."""
    draft = Draft()
    draft.link = link_of(_loc(node), document.url, "loc", draft.problems)
    modified = node.find("{*}lastmod")
    written = (modified.text or "").strip() if modified is not None else ""
    draft.published = day_in(draft.link or "", document.now)
    draft.date_as_written = draft.published.isoformat() if draft.published else written
    if draft.published is None and (when := bounds.read_date(written)) and when <= document.now:
        draft.updated = when
    return draft


def addresses(document: Document) -> tuple[str, ...]:
    """The sitemaps that an index names, the likeliest to hold today's articles first; empty if it is not an index.

    By `lastmod`, by the month in the name, and by words like "news"; sitemaps of pictures and authors come last.
    """
    root = news_sitemap.tree_of(document.body)
    if root is None or not str(root.tag).endswith("sitemapindex"):
        return ()
    named: list[tuple[float, str, float, int, str]] = []
    for place, node in enumerate(root.iter("{*}sitemap")):
        link = absolute(_loc(node), document.url)
        if link is None:
            continue
        modified = node.find("{*}lastmod")
        when = bounds.read_date((modified.text or "").strip()) if modified is not None else None
        month = "".join(_MONTH.findall(link)[-1]) if _MONTH.search(link) else ""
        last = when.timestamp() if when and when <= document.now else 0.0
        worth = 2.0 * bool(_NEWS.search(link)) - 3.0 * bool(_NO_NEWS.search(link))
        named.append((worth, month, last, place, link))
    day = 86_400
    ranked = sorted(named, key=lambda each: (-each[0], -round(each[2] / day), -int(each[1] or 0), each[3]))
    return tuple(dict.fromkeys(link for *_, link in ranked))


_MONTH: Final = re.compile(r"(20\d\d)[-_/]?(0[1-9]|1[0-2])?")
_NEWS: Final = re.compile(r"news|press|post|article|story|stories|aktuell|actual|notici|latest|recent", re.IGNORECASE)
_NO_NEWS: Final = re.compile(
    r"image|video|author|tag|categor|taxonom|user|product|page-?sitemap|media|static", re.IGNORECASE
)

SITEMAP: Final = Format(
    name="sitemap",
    media_types=(MediaType("application/xml", 0.8), MediaType("text/xml", 0.8)),
    sniff=news_sitemap.sniff,
    read=read,
    cut=cut,
    mend=mended,
)
