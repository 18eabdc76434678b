"""Reads an article page's metadata: JSON-LD (schema.org), Open Graph, meta elements."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lxml import etree

from ingest import text
from ingest.addresses import absolute
from ingest.authors import names_in
from ingest.pages.prose import key
from newswatch.plain_text import one_line
from newswatch.scripts import WITHOUT_SPACES

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
"""Properties whose values are not the page itself."""
_PREFIX: Final = re.compile(r"^(?:schema:|https?://schema\.org/)")
_BARE: Final = re.compile(r"^(?:https?:)?//(?:www\.)?")
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_UNSPACED: Final = re.compile(f"(?=([{WITHOUT_SPACES}]{{2}}))")
STEM: Final = 4
"""Number of leading letters by which forms of a word are recognised as one."""
MAX_DEPTH: Final = 40


@dataclass(slots=True)
class PageFacts:
    """The metadata, each list in order of trust; empty where the page has none."""

    headline: str = ""
    """Headline of the page's own article in JSON-LD."""
    social_title: str = ""
    document_title: str = ""
    published: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    descriptions: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    article_body: str = ""
    word_count: int = 0
    free: bool = True
    """Whether the page says that it is accessible for free."""


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
    facts.document_title = next((one_line(title.text) for title in tree.iter("title") if title.text), "")
    facts.published += [value for name in _PUBLISHED for value in metas.get(name, ())]
    if not facts.authors:
        names = next((metas[name] for name in _AUTHOR if name in metas), [])
        facts.authors = _people(names)
    facts.descriptions += [value for name in _DESCRIPTION for value in metas.get(name, ())]
    facts.sites += [*metas.get("og:site_name", ()), *metas.get("application-name", ())]
    return facts


def _from_article(facts: PageFacts, article: dict[str, Any], named: Mapping[str, Any]) -> None:
    given = _strings(article.get("headline")) or _strings(article.get("name"))
    facts.headline = one_line(_text(given[0])) if given else ""
    facts.published = _strings(article.get("datePublished")) or _strings(article.get("dateCreated"))
    facts.authors = _people(_names(article.get("author"), named))
    facts.sites = list(_names(article.get("publisher"), named))
    facts.free = str(article.get("isAccessibleForFree", True)).lower() not in ("false", "0", "no")
    count = str(article.get("wordCount", ""))
    facts.word_count = int(count) if count.isdigit() and len(count) < 7 else 0


# ── JSON-LD ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Node:
    """One object of the JSON-LD."""

    data: dict[str, Any]
    aside: bool
    """It is in a list, or something that another article is related to."""
    named: Mapping[str, Any]
    """The named nodes of the page by `@id`; other nodes refer to them."""


def _articles_of_page(tree: etree._Element, url: str | None) -> list[_Node]:
    """The schema.org articles that are the page itself, the likeliest first; without those that it only refers to.

    Publishers put the stories of a sidebar into the same JSON-LD, sometimes first.
    """
    named: dict[str, Any] = {}
    nodes = (node for script in _scripts(tree) for node in _walk(_loads(script), 0, named, aside=False))
    articles = [node for node in nodes if _is_article(node.data)]
    if not articles:
        return []
    addresses = {_address(each, url) for each in (url, *_addresses(tree)) if each} - {""}
    titles = _titles(tree)
    ranks = []
    for node in articles:
        stated = _stated(node.data, url)
        ranks.append((not addresses.isdisjoint(stated), _is_titled(node.data, titles), not node.aside, not stated))
    ranked = sorted(
        zip(ranks, articles, strict=True), key=lambda pair: (*pair[0], "headline" in pair[1].data), reverse=True
    )
    best = ranked[0][0]
    own = (node for rank, node in ranked if rank == best or rank[0] or rank[1])
    if any(best[:2]):
        return list(own)
    if not best[2] or (addresses and not best[3]):
        return []
    return [node for node in own if _shares_a_word(node.data, tree)]


def _stated(node: dict[str, Any], url: str | None) -> list[str]:
    """The addresses that an article states for itself; if they are other pages', it is probably not this one."""
    main = node.get("mainEntityOfPage")
    given = (node.get("url"), node.get("@id"), main.get("@id") if isinstance(main, dict) else main)
    addresses = (_address(each, url) for each in given if isinstance(each, str))
    return [address for address in addresses if address]


def _is_titled(node: dict[str, Any], titles: list[str]) -> bool:
    given = _strings(node.get("headline")) or _strings(node.get("name"))
    name = key(_text(given[0])) if given else ""
    return len(name) > 10 and any(name in title or (len(title) > 10 and title in name) for title in titles)


def _shares_a_word(node: dict[str, Any], tree: etree._Element) -> bool:
    """Whether its headline shares a word with the page's titles; one for search engines is worded differently."""
    given = _strings(node.get("headline")) or _strings(node.get("name"))
    headline, titles = _stems(_text(given[0]) if given else ""), _stems(" ".join(_shown_titles(tree)))
    return not headline or not titles or not headline.isdisjoint(titles)


def _stems(title: str) -> set[str]:
    return {word.casefold()[:STEM] for word in _WORD.findall(title)} | set(_UNSPACED.findall(title))


def _titles(tree: etree._Element) -> list[str]:
    return [name for name in map(key, _shown_titles(tree)) if name]


def _shown_titles(tree: etree._Element) -> list[str]:
    metas = _metas(tree)
    shown = ["".join(map(str, h1.itertext())) for h1 in tree.iter("h1")]
    shown += [title.text or "" for title in tree.iter("title")]
    return [*shown, *metas.get("og:title", ()), *metas.get("twitter:title", ())]


def _addresses(tree: etree._Element) -> list[str]:
    """The addresses that the page states for itself."""
    links = [link.get("href") or "" for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    return [*links, *_metas(tree).get("og:url", ())]


def _address(written: str, url: str | None) -> str:
    """`written` on the page at `url`, to compare: without scheme, `www.`, query, fragment; empty for a home page."""
    whole = (absolute(written, url) or "") if written.startswith(("/", ".")) else written
    bare = _BARE.sub("", whole.strip().lower())
    path = bare.partition("#")[0].partition("?")[0].rstrip("/")
    return path if "/" in path else ""


def _scripts(tree: etree._Element) -> Iterator[str]:
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            yield script.text or ""


def _loads(source: str) -> Any:
    """The content of a JSON-LD script, even if it is in a comment, beside other content, or slightly invalid JSON.

    Browsers treat such scripts as data, so nobody notices a superfluous comma.
    """
    for attempt in (source, _BAD_ESCAPE.sub("", _TRAILING_COMMA.sub(r"\1", html.unescape(source)))):
        if values := list(_values(attempt)):
            return values
    return _glimpsed(source)


def _values(source: str) -> Iterator[Any]:
    """The JSON objects and lists in `source`, whatever surrounds them; none after a broken one."""
    bracket = _BRACKET.search(source)
    while bracket:
        try:
            value, end = _DECODER.raw_decode(source, bracket.start())
        except (ValueError, RecursionError):
            return
        yield value
        bracket = _BRACKET.search(source, end)


def _glimpsed(source: str) -> dict[str, Any]:
    """The values that occur once in an article's unreadable JSON; of two dates one belongs to another story."""
    if not _ARTICLE_TYPE.search(source):
        return {}
    matches = {name: field.findall(source) for name, field in _GLIMPSES.items()}
    authors = _AUTHOR_NAME.findall(source)
    once = {name: values[0] for name, values in matches.items() if len(values) == 1}
    return {"@type": "Article", **once, **({"author": authors[0]} if len(authors) == 1 else {})}


def _unprefixed(node: dict[str, Any]) -> Any:
    """`node` with the plain names of schema.org's properties; for a typed value, the value itself."""
    if isinstance(node.get("@value"), str):
        return node["@value"]
    if not any(_PREFIX.match(name) for name in node):
        return node
    return {_PREFIX.sub("", name): value for name, value in node.items()}


_DECODER: Final = json.JSONDecoder(strict=False, object_hook=_unprefixed)


def _walk(data: Any, depth: int, named: dict[str, Any], *, aside: bool) -> Iterator[_Node]:
    """The nodes in `data`; fills `named` on the way."""
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
    """A string of JSON-LD as plain text: many publishers escape it again, as HTML."""
    return text.from_markup(html.unescape(value)) if isinstance(value, str) else ""


def _people(written: Iterable[str]) -> list[str]:
    """The distinct names of people, without placeholders such as an account or the address of a node."""
    names = (name for each in written for name in names_in(each))
    return list(dict.fromkeys(name for name in names if "://" not in name and not name.startswith(("@", "#"))))


# ── meta elements ────────────────────────────────────────────────────────────────────────────────────────────────────


def _metas(tree: etree._Element) -> dict[str, list[str]]:
    metas: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").strip().lower()
        content = one_line(text.unescape(meta.get("content") or ""))
        if name and content:
            metas.setdefault(name, []).append(content)
    return metas
