"""What an article page says about itself in its head: JSON-LD (schema.org), Open Graph, meta elements."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from ingest import text
from ingest.authors import names_in
from ingest.boilerplate import key
from ingest.urls import absolute

_ARTICLE: Final = re.compile(r"(?:Article|Posting|Report|Review)$")
_TRAILING_COMMA: Final = re.compile(r",(\s*[}\]])")
_BAD_ESCAPE: Final = re.compile(r"\\(?![\"\\/bfnrtu])")
_BRACKET: Final = re.compile(r"[{\[](?!CDATA)")
_ARTICLE_TYPE: Final = re.compile(r'"@type"\s*:\s*"(?:\w+:)?\w*(?:Article|Posting|Report)"')
_AUTHOR_NAME: Final = re.compile(
    r'"author"\s*:\s*[\[{\s]*(?:"@type"\s*:\s*"\w+"\s*,\s*)?(?:"name"\s*:\s*)?"([^"@]{1,100})"\s*(?:[,}\]]|$)'
)
_GLIMPSES: Final = {
    name: re.compile(rf'"{name}"\s*:\s*"([^"\\]{{1,500}})"\s*[,}}\]\n]')
    for name in ("headline", "datePublished", "url")
}
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
_PREFIX: Final = re.compile(r"^(?:schema:|https?://schema\.org/)")
_BARE: Final = re.compile(r"^(?:https?:)?//(?:www\.)?")
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_UNSPACED: Final = re.compile(r"(?=([\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]{2}))")
STEM: Final = 4
"""Letters by which two forms of a word are known as one."""
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
        _from_article(facts, articles[0].data, articles[0].named)
    for article in articles:
        body = _text(article.data.get("articleBody"))
        facts.article_body = max(facts.article_body, body, key=len)
        facts.descriptions += _strings(article.data.get("description"))
    metas = _metas(tree)
    facts.social_title = next(iter([*metas.get("og:title", ()), *metas.get("twitter:title", ())]), "")
    facts.document_title = next((text.one_line(title.text) for title in tree.iter("title") if title.text), "")
    facts.published += [value for name in _PUBLISHED for value in metas.get(name, ())]
    if not facts.authors:
        names = next((metas[name] for name in _AUTHOR if name in metas), [])
        facts.authors = _people(names)
    facts.descriptions += [value for name in _DESCRIPTION for value in metas.get(name, ())]
    facts.sites += [*metas.get("og:site_name", ()), *metas.get("application-name", ())]
    return facts


def _from_article(facts: PageFacts, article: dict[str, Any], named: Mapping[str, Any]) -> None:
    given = _strings(article.get("headline")) or _strings(article.get("name"))
    facts.headline = text.one_line(_text(given[0])) if given else ""
    facts.published = _strings(article.get("datePublished")) or _strings(article.get("dateCreated"))
    facts.authors = _people(_names(article.get("author"), named))
    facts.sites = list(_names(article.get("publisher"), named))
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
    named: Mapping[str, Any]
    """The nodes of the page that have a name, by their `@id`: others only point to them."""


def _articles_of_page(tree: etree._Element, url: str | None) -> list[_Node]:
    """The schema.org articles that are the page, the likeliest first; without those that it only points to.

    Publishers put the stories of a sidebar into the same JSON-LD, and some put them first.
    """
    named: dict[str, Any] = {}
    nodes = (node for script in _scripts(tree) for node in _walk(_loads(script), 0, named, aside=False))
    found = [node for node in nodes if _is_article(node.data)]
    if not found:
        return []
    addresses = {_address(each, url) for each in (url, *_addresses(tree)) if each} - {""}
    titles = _titles(tree)
    ranks = []
    for node in found:
        stated = _stated(node.data, url)
        ranks.append((not addresses.isdisjoint(stated), _is_titled(node.data, titles), not node.aside, not stated))
    ranked = sorted(
        zip(ranks, found, strict=True), key=lambda pair: (*pair[0], "headline" in pair[1].data), reverse=True
    )
    best = ranked[0][0]
    own = (node for rank, node in ranked if rank == best or rank[0] or rank[1])
    if any(best[:2]):
        return list(own)
    if not best[2] or (addresses and not best[3]):
        return []
    return [node for node in own if _shares_a_word(node.data, tree)]


def _stated(node: dict[str, Any], url: str | None) -> list[str]:
    """The addresses that an article gives of itself; those of other pages make it unlikely to be this one."""
    main = node.get("mainEntityOfPage")
    given = (node.get("url"), node.get("@id"), main.get("@id") if isinstance(main, dict) else main)
    return [address for each in given if isinstance(each, str) and (address := _address(each, url))]


def _is_titled(node: dict[str, Any], titles: list[str]) -> bool:
    given = _strings(node.get("headline")) or _strings(node.get("name"))
    name = key(_text(given[0])) if given else ""
    return len(name) > 10 and any(name in title or (len(title) > 10 and title in name) for title in titles)


def _shares_a_word(node: dict[str, Any], tree: etree._Element) -> bool:
    """Whether its headline has a word of the page's titles: one for search engines is another, on the same matter."""
    given = _strings(node.get("headline")) or _strings(node.get("name"))
    headline, titles = _stems(_text(given[0]) if given else ""), _stems(" ".join(_shown_titles(tree)))
    return not headline or not titles or not headline.isdisjoint(titles)


def _stems(title: str) -> set[str]:
    return {word.casefold()[:STEM] for word in _WORD.findall(title)} | set(_UNSPACED.findall(title))


def _titles(tree: etree._Element) -> list[str]:
    return [name for each in _shown_titles(tree) if (name := key(each))]


def _shown_titles(tree: etree._Element) -> list[str]:
    metas = _metas(tree)
    shown = ["".join(map(str, h1.itertext())) for h1 in tree.iter("h1")]
    shown += [title.text or "" for title in tree.iter("title")]
    return [*shown, *metas.get("og:title", ()), *metas.get("twitter:title", ())]


def _addresses(tree: etree._Element) -> list[str]:
    """What the page calls its own addresses."""
    links = [link.get("href") or "" for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    return [*links, *_metas(tree).get("og:url", ())]


def _address(written: str, url: str | None) -> str:
    """`written` on the page at `url`, to be compared: without scheme, `www.`, query and fragment; empty for a home."""
    whole = (absolute(written, url) or "") if written.startswith(("/", ".")) else written
    bare = _BARE.sub("", whole.strip().lower())
    path = bare.partition("#")[0].partition("?")[0].rstrip("/")
    return path if "/" in path else ""


def _scripts(tree: etree._Element) -> Iterator[str]:
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            yield script.text or ""


def _loads(source: str) -> Any:
    """What a script of JSON-LD says: also where it stands in a comment, beside another, or is no JSON by a slip.

    Browsers run such scripts as data, so nobody is told that a comma is one too many.
    """
    for attempt in (source, _BAD_ESCAPE.sub("", _TRAILING_COMMA.sub(r"\1", html.unescape(source)))):
        if values := list(_values(attempt)):
            return values
    return _glimpsed(source)


def _values(source: str) -> Iterator[Any]:
    """The JSON objects and lists in `source`, whatever stands around them; none behind one that is broken."""
    at = _BRACKET.search(source)
    while at:
        try:
            value, end = _DECODER.raw_decode(source, at.start())
        except (ValueError, RecursionError):
            return
        yield value
        at = _BRACKET.search(source, end)


def _glimpsed(source: str) -> dict[str, Any]:
    """Of an article in JSON that can't be read, what it says once: of two dates one is another story's."""
    if not _ARTICLE_TYPE.search(source):
        return {}
    found = {name: field.findall(source) for name, field in _GLIMPSES.items()}
    authors = _AUTHOR_NAME.findall(source)
    once = {name: values[0] for name, values in found.items() if len(values) == 1}
    return {"@type": "Article", **once, **({"author": authors[0]} if len(authors) == 1 else {})}


def _unprefixed(node: dict[str, Any]) -> Any:
    """`node` with the plain names of schema.org's properties; the value alone of one that only gives it a type."""
    if isinstance(node.get("@value"), str):
        return node["@value"]
    if not any(_PREFIX.match(name) for name in node):
        return node
    return {_PREFIX.sub("", name): value for name, value in node.items()}


_DECODER: Final = json.JSONDecoder(strict=False, object_hook=_unprefixed)


def _walk(data: Any, depth: int, named: dict[str, Any], *, aside: bool) -> Iterator[_Node]:
    """The nodes in `data`, which fills `named` by the way."""
    if depth > MAX_DEPTH:
        return
    if isinstance(data, dict):
        if isinstance(data.get("@id"), str) and data.get("name"):
            named.setdefault(data["@id"], data["name"])
        yield _Node(data, aside, named)
    pairs: Iterable[tuple[str, Any]] = (
        data.items() if isinstance(data, dict) else (("", each) for each in data) if isinstance(data, list) else ()
    )
    for name, child in pairs:
        yield from _walk(child, depth + 1, named, aside=aside or name in _ASIDE)


def _is_article(node: dict[str, Any]) -> bool:
    return any(_ARTICLE.search(kind) for kind in _strings(node.get("@type")))


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each.strip()]


def _names(value: Any, named: Mapping[str, Any]) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            parts = [*_strings(each.get("givenName")), *_strings(each.get("familyName"))]
            yield from _names(each.get("name") or named.get(str(each.get("@id"))) or " ".join(parts), {})


def _text(value: Any) -> str:
    """A string of JSON-LD as plain text: many publishers escape it once more, as HTML."""
    return text.from_markup(html.unescape(value)) if isinstance(value, str) else ""


def _people(written: Iterable[str]) -> list[str]:
    """The names of people, each once; without what stands in a name's place: an account, the address of a node."""
    names = (name for each in written for name in names_in(each))
    return list(dict.fromkeys(name for name in names if "://" not in name and not name.startswith(("@", "#"))))


# ── meta elements ────────────────────────────────────────────────────────────────────────────────────────────────────


def _metas(tree: etree._Element) -> dict[str, list[str]]:
    metas: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").strip().lower()
        content = text.one_line(text.unescape(meta.get("content") or ""))
        if name and content:
            metas.setdefault(name, []).append(content)
    return metas
