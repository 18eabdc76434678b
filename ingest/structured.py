"""What an article page says about itself in its head: JSON-LD (schema.org), Open Graph, meta elements."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from ingest import text
from ingest.boilerplate import key

_ARTICLE: Final = re.compile(r"(?:Article|Posting|Report|Review)$")
_LD_NOISE: Final = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>|;)\s*$")
_TRAILING_COMMA: Final = re.compile(r",(\s*[}\]])")
_PUBLISHED: Final = (
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "date.issued",
    "dc.date.issued",
    "dcterms.created",
    "dc.date",
    "article.published",
    "publish-date",
    "publishdate",
    "publication_date",
    "parsely-pub-date",
    "sailthru.date",
    "cxenseparse:recs:publishtime",
)
_AUTHOR: Final = ("author", "article:author", "dc.creator", "dcterms.creator", "parsely-author", "sailthru.author")
_DESCRIPTION: Final = ("og:description", "description", "twitter:description", "dc.description")
_ASIDE: Final = frozenset(
    {"itemListElement", "hasPart", "isRelatedTo", "relatedLink", "mentions", "citation", "isBasedOn", "significantLink"}
)
"""Properties whose values are other things than the page."""
_BARE: Final = re.compile(r"^(?:https?:)?//(?:www\.)?")
MAX_DEPTH: Final = 40


@dataclass(slots=True)
class PageFacts:
    """What was found, each in the order of trust; empty where nothing was."""

    headline: str = ""
    """Of the page's own article, as JSON-LD gives it."""
    social_title: str = ""
    document_title: str = ""
    published: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    article_body: str = ""
    word_count: int = 0
    free: bool = True
    """Whether the page calls itself accessible without paying."""


def read_facts(tree: etree._Element, url: str | None = None) -> PageFacts:
    """The facts in `tree`, a parsed page that was served from `url`."""
    facts = PageFacts()
    articles = _articles_of_page(tree, url)
    if articles:
        _from_article(facts, articles[0])
    for article in articles:
        body = _text(article.get("articleBody"))
        facts.article_body = max(facts.article_body, body, key=len)
        facts.descriptions += _strings(article.get("description"))
    metas = _metas(tree)
    facts.social_title = next(iter([*metas.get("og:title", ()), *metas.get("twitter:title", ())]), "")
    facts.document_title = next((text.one_line(title.text) for title in tree.iter("title") if title.text), "")
    facts.published += [value for name in _PUBLISHED for value in metas.get(name, ())]
    if not facts.authors:
        names = next((metas[name] for name in _AUTHOR if name in metas), [])
        facts.authors = [name for name in map(_name, names) if name]
    facts.descriptions += [value for name in _DESCRIPTION for value in metas.get(name, ())]
    facts.sites += [*metas.get("og:site_name", ()), *metas.get("application-name", ())]
    return facts


def _from_article(facts: PageFacts, article: dict[str, Any]) -> None:
    given = _strings(article.get("headline")) or _strings(article.get("name"))
    facts.headline = text.one_line(_text(given[0])) if given else ""
    facts.published = _strings(article.get("datePublished")) or _strings(article.get("dateCreated"))
    facts.authors = list(dict.fromkeys(filter(None, map(_name, _names(article.get("author"))))))
    facts.sites = list(_names(article.get("publisher")))
    facts.free = str(article.get("isAccessibleForFree", True)).lower() not in ("false", "0", "no")
    count = str(article.get("wordCount", ""))
    facts.word_count = int(count) if count.isdigit() and len(count) < 7 else 0


# ── JSON-LD ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Node:
    """A piece of JSON-LD."""

    data: dict[str, Any]
    aside: bool
    """It stands in a list, or as what another article is related to."""


def _articles_of_page(tree: etree._Element, url: str | None) -> list[dict[str, Any]]:
    """The schema.org articles that are the page, the likeliest first; without those that it only points to.

    Publishers put the stories of a sidebar into the same JSON-LD, and some put them first.
    """
    found = [
        node for script in _scripts(tree) for node in _walk(_loads(script), 0, aside=False) if _is_article(node.data)
    ]
    if not found:
        return []
    addresses = {_address(each) for each in (url, *_addresses(tree)) if each} - {""}
    titles = _titles(tree)
    ranks = [
        (_is_page(node.data, addresses), _is_titled(node.data, titles), not node.aside, not _stated(node.data))
        for node in found
    ]
    ranked = sorted(
        zip(ranks, found, strict=True), key=lambda pair: (*pair[0], "headline" in pair[1].data), reverse=True
    )
    best = ranked[0][0]
    own = (node.data for rank, node in ranked if rank == best or rank[0] or rank[1])
    return list(own) if any(best[:3]) else []


def _is_page(node: dict[str, Any], addresses: set[str]) -> bool:
    return any(_address(each) in addresses for each in _stated(node))


def _stated(node: dict[str, Any]) -> list[str]:
    """The addresses that an article gives of itself; those of other pages make it unlikely to be this one."""
    main = node.get("mainEntityOfPage")
    given = (node.get("url"), node.get("@id"), main.get("@id") if isinstance(main, dict) else main)
    return [each for each in given if isinstance(each, str) and _address(each)]


def _is_titled(node: dict[str, Any], titles: list[str]) -> bool:
    given = _strings(node.get("headline")) or _strings(node.get("name"))
    name = key(_text(given[0])) if given else ""
    return len(name) > 10 and any(name in title or (len(title) > 10 and title in name) for title in titles)


def _titles(tree: etree._Element) -> list[str]:
    metas = _metas(tree)
    shown = ["".join(map(str, h1.itertext())) for h1 in tree.iter("h1")]
    shown += [title.text or "" for title in tree.iter("title")]
    return [key(each) for each in (*shown, *metas.get("og:title", ()), *metas.get("twitter:title", ())) if key(each)]


def _addresses(tree: etree._Element) -> list[str]:
    """What the page calls its own addresses."""
    links = [link.get("href") or "" for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    return [*links, *_metas(tree).get("og:url", ())]


def _address(url: str) -> str:
    """`url` to be compared: without scheme, `www.`, query and fragment; empty for a site's home page."""
    bare = _BARE.sub("", url.strip().lower())
    path = bare.partition("#")[0].partition("?")[0].rstrip("/")
    return path if "/" in path else ""


def _scripts(tree: etree._Element) -> Iterator[str]:
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            yield script.text or ""


def _loads(source: str) -> Any:
    for attempt in (source, _TRAILING_COMMA.sub(r"\1", _LD_NOISE.sub("", _LD_NOISE.sub("", source.strip())))):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _walk(data: Any, depth: int, *, aside: bool) -> Iterator[_Node]:
    if depth > MAX_DEPTH:
        return
    if isinstance(data, dict):
        yield _Node(data, aside)
    pairs: Iterable[tuple[str, Any]] = (
        data.items() if isinstance(data, dict) else (("", each) for each in data) if isinstance(data, list) else ()
    )
    for name, child in pairs:
        yield from _walk(child, depth + 1, aside=aside or name in _ASIDE)


def _is_article(node: dict[str, Any]) -> bool:
    return any(_ARTICLE.search(kind) for kind in _strings(node.get("@type")))


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each.strip()]


def _names(value: Any) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from _strings(each.get("name"))


def _text(value: Any) -> str:
    """A string of JSON-LD as plain text: many publishers escape it once more, as HTML."""
    return text.from_markup(html.unescape(value)) if isinstance(value, str) else ""


def _name(written: str) -> str:
    """A person's name; empty for what stands in a name's place: a URL, an address, a number."""
    name = text.one_line(text.from_markup(written)).strip(" ,;|")
    return "" if not name or "://" in name or name.startswith(("@", "#")) or name.isdigit() else name


# ── meta elements ────────────────────────────────────────────────────────────────────────────────────────────────────


def _metas(tree: etree._Element) -> dict[str, list[str]]:
    metas: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").strip().lower()
        content = text.one_line(text.unescape(meta.get("content") or ""))
        if name and content:
            metas.setdefault(name, []).append(content)
    return metas
