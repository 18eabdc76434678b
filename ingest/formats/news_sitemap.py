"""Google News sitemaps (https://www.google.com/schemas/sitemap-news/0.9), for outlets without a feed."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from ingest import text
from ingest.addresses import absolute
from ingest.bounds import entry_spans, newest_entries
from ingest.formats.drafts import Draft, dated, drafted, finish, link_of
from ingest.formats.format import CUT_OFF, Document, Format, MediaType, before_its_break, mended
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import in_utf8
from ingest.text import language_of
from ingest.unclosed import apart
from ingest.zones import hints_of
from newswatch.plain_text import one_line

if TYPE_CHECKING:
    from lxml import etree

_ROOT: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:urlset|sitemapindex)(?=[\s/>])")
_LOC_ENDS: Final = re.compile(rb"</(?:[\w.-]{1,30}:)?loc\s*>")
_INDEX_ENDS: Final = re.compile(rb"</(?:[\w.-]{1,30}:)?sitemapindex\s*>")


def sniff(head: bytes) -> bool:
    """Whether it contains the start of a sitemap or an index of sitemaps."""
    return _ROOT.search(head) is not None


def read(document: Document) -> ParsedFeed | NotAFeed:
    """The news of the sitemap. A sitemap without news is not a feed; an index names its sitemaps."""
    document, cut_off = before_its_break(document)
    url = document.url
    body = in_utf8(document.body, document.charset) or document.body
    root = tree_of(body)
    if root is None:
        return NotAFeed(url, "it begins like a sitemap but is not XML")
    if _local_name(root) == "sitemapindex":
        # The last address of an index that breaks off has no end tag, and may be another one.
        whole = len(_LOC_ENDS.findall(body)) if not _INDEX_ENDS.search(body) else None
        locations = (absolute(loc.text, url) for loc in islice(root.iter("{*}loc"), whole))
        return NotAFeed(url, "it is an index of sitemaps, not a feed", tuple(link for link in locations if link))
    items = _with_news(root)
    is_ill_formed = bool(root.getroottree().parser.error_log)
    if is_ill_formed:
        items = max(items, _with_news(_apart(body)), key=len)
    if not items:
        return NotAFeed(url, "it is a sitemap without news")
    name, language = _text(_news(items[0]), "name"), language_of(_text(_news(items[0]), "language"))
    problems = [*document.problems, *([CUT_OFF] if cut_off else [])]
    if is_ill_formed:
        problems.append("the document is ill-formed")
    drafts = drafted(items, lambda item: _draft(item, document), problems)
    made = finish(drafts, language, problems)
    return ParsedFeed(url, "news sitemap", name, None, language, **made, is_cut_off=cut_off)


def tree_of(body: bytes) -> etree._Element | None:
    """The document's root, as far as it is understood; None if it is not XML."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(body, parser)


def _apart(body: bytes) -> etree._Element | None:
    """The root of an ill-formed sitemap whose entries were mended one by one, without what stands between them."""
    body, _ = apart(body, entry_spans(body))
    entries = entry_spans(body)
    return tree_of(body[: entries[0][0]] + b"".join(body[slice(*entry)] for entry in entries)) if entries else None


def _with_news(root: etree._Element | None) -> list[etree._Element]:
    return [] if root is None else [node for node in root.iter("{*}url") if node.find("{*}news") is not None]


def _local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _news(item: etree._Element) -> etree._Element:
    return next(item.iterchildren("{*}news"))


def _text(news: etree._Element, name: str) -> str:
    """The text of `news:name`; a picture or film in the same `url` has its own title and date."""
    namespace = str(news.tag).removesuffix("news")
    return _inner(next(news.iter(namespace + name), None))


def _inner(found: etree._Element | None) -> str:
    return one_line("".join(map(str, found.itertext()))) if found is not None else ""


def _title(written: str) -> str:
    """A title as a browser shows it: many are escaped twice, some are markup."""
    return one_line(
        text.unescape(text.from_markup(written) if text.looks_like_markup(written) else text.unescape(written))
    )


def _draft(item: etree._Element, document: Document) -> Draft:
    news = _news(item)
    draft = Draft(title=_title(_text(news, "title")), date_as_written=_text(news, "publication_date"))
    draft.link = link_of(_inner(item.find("{*}loc")), document.url, "loc", draft.problems)
    draft.language = language_of(_text(news, "language"))
    hints = hints_of(_text(news, "language"), document.url, document.country)
    draft.published = dated(draft.date_as_written, "publication_date", document.now, hints, draft.problems)
    return draft


NEWS_SITEMAP: Final = Format(
    name="Google News sitemap",
    media_types=(MediaType("application/xml", 0.8), MediaType("text/xml", 0.8)),
    sniff=sniff,
    read=read,
    cut=newest_entries,
    mend=mended,
)
