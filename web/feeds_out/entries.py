"""A feed that is to be written, whatever its format: its entries with what each says, and why it is there. Pure.

No publisher's text goes out: title, first sentences, link, and what we have found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from delivery.corrections import announced
from delivery.message import TopicView
from delivery.story_views import lead_of, shown_title, topic_views
from delivery.words import isolated, one_line, safe_url, shortened
from newswatch import languages, names_in_english
from newswatch.alert import Passage
from newswatch.article import Article
from newswatch.reliability import meant
from newswatch.settings import Settings
from newswatch.topics import Topics
from search.ingest_pages import Numbered
from search.story_view import published

_LEAD: Final = 480
"""Maximum columns of an article's first sentences."""
_PASSAGES: Final = 3
"""Maximum number of passages that show why an entry is there."""
_LINE: Final = 280
"""Maximum characters of what an outlet says of its correction."""
_SINCE: Final = "2026"
"""The date in our tag URIs (RFC 4151): a time at which the authority's name was the installation's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One article in a feed."""

    id: str
    """Stays the same for all versions of the article."""
    url: str
    title: str
    lead: str
    html: str
    """Lead, outlet, topics with evidence, why it is there, corrections: escaped."""
    published: datetime
    updated: datetime
    """When its last version was seen."""
    outlet: str
    language: str
    tags: tuple[tuple[str, str], ...]
    """Each with its name."""
    reliability: str
    state_media: bool
    notice: str
    """`correction`, `retraction` or empty."""
    version: int


@dataclass(frozen=True, slots=True)
class Document:
    """One page of a feed."""

    id: str
    title: str
    about: str
    """What it shows; also which words of its query are not looked for."""
    shortened: str
    """The latter alone, if there are any: a sentence."""
    self_url: str
    first_url: str
    next_url: str
    """Empty: this is the last page."""
    home_url: str
    """The page that people see in its place."""
    hub: str
    updated: datetime
    entries: tuple[Entry, ...]


def tag_uri(settings: Settings, kind: str, name: str) -> str:
    """A name that stays (RFC 4151): whatever else of an address changes, its authority is a setting."""
    authority = settings.feed_authority or urlsplit(settings.public_url).hostname or "localhost"
    return f"tag:{authority.strip('[]').replace(':', '.')},{_SINCE}:{kind}/{name}"


def entry_of(one: Numbered, passages: Sequence[Passage], settings: Settings, topics: Topics) -> Entry:
    """The entry of an article; `passages` are those in which the feed's query matches."""
    article, told = one.article, announced(one.article)
    lead = lead_of(article, _LEAD)
    label = {"correction": "Correction", "retraction": "Retracted"}[told.kind] if told else ""
    title = shown_title(article.title)
    return Entry(
        id=tag_uri(settings, "article", article.id),
        url=safe_url(article.address) or f"{settings.public_url.rstrip('/')}/news/article/{article.id}",
        title=f"{label}: {title}" if label and not title.casefold().startswith(label.casefold()) else title,
        lead=lead,
        html=str(_html(article, lead, label, told.line if told else "", passages, topics)),
        published=published(article),
        updated=_updated(article),
        outlet=one_line(article.source.name) or article.source.domain,
        language=article.language or "",
        tags=tuple((tag.tag, topics.path(tag.tag)) for tag in article.tags),
        reliability=article.source.reliability or "F",
        state_media=article.source.state_media,
        notice=told.kind if told else "",
        version=article.version,
    )


def _updated(article: Article) -> datetime:
    if article.version > 1 and article.versions:
        return article.versions[-1].seen_at
    return published(article)


def _html(article: Article, lead: str, label: str, line: str, passages: Sequence[Passage], topics: Topics) -> Markup:
    facts = [_outlet(article)]
    facts += [_topic(view) for view in topic_views(article.tags, topics)]
    facts += [_passage(passage) for passage in passages[:_PASSAGES]]
    if article.version > 1:
        facts.append(escape(f"Version {article.version}: its outlet has changed it."))
    if label:
        facts.insert(0, Markup("<strong>{}</strong>: {}").format(label, isolated(shortened(one_line(line), _LINE))))
    language = article.language or ""
    attributes = Markup(' lang="{}"').format(language) if language else Markup()
    body = (
        Markup('<p dir="{}"{}>{}</p>').format(languages.direction(article.language), attributes, lead) if lead else ""
    )
    items = Markup().join(Markup("<li>{}</li>").format(fact) for fact in facts)
    return Markup("{}<ul>{}</ul>").format(body, items)


def _outlet(article: Article) -> Markup:
    source = article.source
    parts = [isolated(one_line(source.name)), names_in_english.country(source.country) if source.country else ""]
    parts.append(f"reliability {meant(source.reliability)}")
    parts.append("state media" if source.state_media else "")
    return escape(", ".join(filter(None, parts)))


def _topic(view: TopicView) -> Markup:
    said = ", ".join(f"“{isolated(word)}”" for word in view.because)
    return escape(f"{': '.join((view.name, *view.parts[:1]))}, {view.role}{f': it says {said}' if said else ''}")


def _passage(passage: Passage) -> Markup:
    """A passage with what matches in bold."""
    text, pieces, at = passage.text, list[Markup](), 0
    for start, end in passage.marks:
        pieces += [escape(_clean(text[at:start])), Markup("<b>{}</b>").format(_clean(text[start:end]))]
        at = end
    pieces.append(escape(_clean(text[at:])))
    if isolated(text) != text:
        pieces = [Markup("\u2068"), *pieces, Markup("\u2069")]
    return Markup("Matches: {}").format(Markup().join(pieces))


def _clean(text: str) -> str:
    """The text without invisible characters, on one line, with the space at its edges."""
    edges = (" " if text[:1].isspace() else "", " " if text[-1:].isspace() and text.strip() else "")
    return f"{edges[0]}{one_line(text)}{edges[1]}"
