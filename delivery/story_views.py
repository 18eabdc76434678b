"""Prepares a story for a message: title, quotes, facts and links, independent of the channel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from alerts.kinds import EVENT_KINDS
from delivery.compose import MailItem
from delivery.links import Action, Link, Links
from delivery.message import About, AnswerLinks, OtherView, Piece, Quote, StoryView, TagView
from delivery.words import one_line, safe_url, shortened, visible, when
from newswatch import languages, names_in_english
from newswatch.alert import Passage
from newswatch.article import Article, Evidence, Tag
from newswatch.settings import Settings
from newswatch.topics import Topics
from search.highlight import joined

_HEADLINE = 1_000
"""Maximum characters of a headline; a longer one is cut and ends in "…"."""
_LEAD = 280
_CONTEXT = 60
"""Maximum characters shown on either side of a tag's evidence."""
KIBANA_ARTICLES = "19f5d989-7741-577c-8665-2b2331a991da"
"""Id of the articles' data view, as in `kibana.build`; without it Discover opens the last used data view."""
LABELS = {
    "correction": "Correction",
    "retraction": "Retracted",
    "update": "Update",
    "story": "",
    **{kind.name: kind.label for kind in EVENT_KINDS},
}
"""Kind of delivery → its label in a message."""


@dataclass(frozen=True, slots=True)
class MailStory:
    """A story to send: the item of the mail, its article (none for an event), and how many sources report it."""

    item: MailItem
    article: Article | None
    sources: int
    """Number of independent sources."""
    others: tuple[Article, ...] = ()
    """Further articles on the story that the same mail shows."""


def story_view(story: MailStory, recipient: str, settings: Settings, links: Links, topics: Topics) -> StoryView:
    """The story as `recipient` sees it, with links signed for that recipient."""
    item, article, title = story.item, story.article, headline(story)
    passages = _passages(item)
    quotes = tuple(_quote(passage) for passage in passages if passage.field != "title")
    return StoryView(
        title=_title(title, passages),
        headline=title,
        label=LABELS[item.kind],
        found=when(story.article.first_seen if story.article else item.deliveries[0].created_at),
        sources="one source" if story.sources == 1 else f"{story.sources} independent sources",
        alerts=tuple(dict.fromkeys(one_line(d.alert_name) for d in item.deliveries)),
        quotes=quotes,
        others=tuple(_other(article) for article in story.others),
        about=_about(article, item.story_id, settings, topics, with_lead=not quotes) if article else About(),
        answers=_answers(item, recipient, links),
    )


def headline(story: MailStory) -> str:
    """The story's title on one line, or the headline of its event; never empty."""
    event = next((d.headline for d in story.item.deliveries if d.headline), "")
    return _shown(event or (story.article.title if story.article else "")) or "(no title)"


def _shown(title: str) -> str:
    return shortened(one_line(title), _HEADLINE)


def _title(title: str, passages: Sequence[Passage]) -> tuple[Piece, ...]:
    """The title, highlighted where a saved search matches it. A passage of a former title is ignored."""
    marked = next((p for p in passages if p.field == "title" and one_line(p.text) == title), None)
    return _pieces(marked) if marked else (Piece(title, marked=False),)


def _about(article: Article, story_id: str, settings: Settings, topics: Topics, *, with_lead: bool) -> About:
    return About(
        url=safe_url(article.address),
        language=article.language or "",
        direction=languages.direction(article.language),
        outlet=one_line(article.source.name),
        place=names_in_english.country(article.source.country),
        published=when(article.published) if article.published else "",
        lead=_lead(article) if with_lead else "",
        tags=tuple(_tag(tag, article, topics) for tag in _ordered(article.tags)),
        news_url=_news_url(story_id, settings),
        kibana_url=_kibana_url(story_id, settings),
    )


def _other(article: Article) -> OtherView:
    return OtherView(_shown(article.title), one_line(article.source.name), safe_url(article.address))


def _answers(item: MailItem, recipient: str, links: Links) -> AnswerLinks:
    saved_search_ids = ",".join(dict.fromkeys(d.alert_id for d in item.deliveries))

    def url(action: Action) -> str:
        return links.url(Link(action, recipient, saved_search_ids, item.story_id, item.article_id))

    return AnswerLinks(relevant=url("relevant"), not_relevant=url("not-relevant"), enough=url("ack"))


def _passages(item: MailItem) -> list[Passage]:
    """The passages of all saved searches of the item. Equal texts are merged with their marks."""
    marks: dict[tuple[str, str], list[tuple[int, int]]] = {}
    texts: dict[tuple[str, str], Passage] = {}
    for passage in (p for d in item.deliveries for p in d.passages):
        key = (passage.field, passage.text)
        texts.setdefault(key, passage)
        marks.setdefault(key, []).extend(passage.marks)
    return [Passage(p.field, p.text, joined(marks[key])) for key, p in texts.items()]


def _quote(passage: Passage) -> Quote:
    return Quote("" if passage.field == "text" else f"in the {passage.field}", _pieces(passage))


def _pieces(passage: Passage) -> tuple[Piece, ...]:
    pieces, position = [], 0
    for start, end in passage.marks:
        pieces += [
            Piece(visible(passage.text[position:start]), marked=False),
            Piece(visible(passage.text[start:end]), marked=True),
        ]
        position = end
    pieces.append(Piece(visible(passage.text[position:]), marked=False))
    return tuple(piece for piece in pieces if piece.text)


def _lead(article: Article) -> str:
    return shortened(one_line(article.summary or article.text), _LEAD)


def _ordered(tags: Sequence[Tag]) -> list[Tag]:
    """The tags sorted: `main` first, then by score, a topic before its sub-topics."""
    return sorted(tags, key=lambda tag: (tag.level != "main", -tag.score, tag.tag))


def _tag(tag: Tag, article: Article, topics: Topics) -> TagView:
    shown: dict[str, Evidence] = {}
    for evidence in tag.evidence:
        shown.setdefault(evidence.text.casefold(), evidence)
    quotes = (in_context(evidence, article) for evidence in list(shown.values())[:2])
    return TagView(topics.path(tag.tag), tag.level, f"{tag.score:.2f}", tuple(_quote(p) for p in quotes))


def in_context(evidence: Evidence, article: Article) -> Passage:
    """The evidence with some words of context on either side; without context if the article has changed since."""
    text: str = getattr(article, evidence.field)
    if text[evidence.start : evidence.end] != evidence.text:
        return Passage(evidence.field, evidence.text, ((0, len(evidence.text)),))
    start, end = max(evidence.start - _CONTEXT, 0), min(evidence.end + _CONTEXT, len(text))
    if start:
        start = evidence.start - len(text[start : evidence.start].partition(" ")[2])
    if end < len(text):
        end = evidence.end + len(text[evidence.end : end].rpartition(" ")[0])
    before = ("… " if start else "") + text[start : evidence.start].replace("\n", " ")
    after = text[evidence.end : end].replace("\n", " ") + (" …" if end < len(text) else "")
    return Passage(evidence.field, before + evidence.text + after, ((len(before), len(before) + len(evidence.text)),))


def _news_url(story_id: str, settings: Settings) -> str | None:
    return safe_url(f"{settings.public_url.rstrip('/')}/news/story/{quote(visible(story_id), safe='')}")


def _kibana_url(story_id: str, settings: Settings) -> str | None:
    """A link to the story in Kibana's Discover over the whole retention time, encoded as Rison; None without Kibana."""
    if not settings.kibana_url:
        return None
    view = f"dataSource:(dataViewId:'{KIBANA_ARTICLES}',type:dataView)"
    state = f"({view},query:(language:lucene,query:'story_id:\"{story_id}\"'))"
    time = f"(time:(from:now-{settings.retention_days + 31}d,to:now))"
    return safe_url(f"{settings.kibana_url.rstrip('/')}/app/discover#/?_g={time}&_a={quote(state)}")
