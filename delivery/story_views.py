"""Prepares a story for a message: title, quotes, facts and links, independent of the channel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from urllib.parse import quote

from alerts.kinds import EVENT_KINDS
from delivery.briefing import said_of, told_before
from delivery.changes import Changes, changes_since
from delivery.compose import MailItem
from delivery.links import ACCOUNT, STORY_KEY, Action, Link, Links
from delivery.message import About, AnswerLinks, NewsFrom, OtherView, Piece, Quote, Said, StoryView, Tone, TopicView
from delivery.passages import clipped, pieces_of, repeats, text_of
from delivery.updates import adds_nothing, news_of
from delivery.words import in_zone, one_line, safe_url, shortened, visible, when
from newswatch import languages, names_in_english
from newswatch.alert import Passage
from newswatch.article import Article, Source, Tag
from newswatch.kibana_ids import articles_view, space_of
from newswatch.reliability import Credibility, meant
from newswatch.settings import Settings
from newswatch.topics import Topics
from search.highlight import joined
from search.story_view import StoryFacts

_HEADLINE = 1_000
"""Maximum characters of a headline; a longer one is cut and ends in "…"."""
_QUOTES = 4
"""Maximum passages of a story that has a mail for itself."""
_LONG = 480
_LEAD = 280
_SHORT = 150
"""Maximum columns of a passage; `_SHORT` among other stories, where it takes four lines of a phone."""
_ABROAD = 4
"""Maximum reports in other languages that are shown."""
_EVIDENCE = 3
_WORDS = 40
"""Maximum pieces of evidence shown for a topic, and columns of each."""
_OF_MAILED = ("correction", "retraction")
"""Kinds that report changes in an article which was mailed before."""
LABELS = {
    "correction": "Correction",
    "retraction": "Retracted",
    "update": "Update",
    "story": "",
    **{kind.name: kind.label for kind in EVENT_KINDS},
}
"""Kind of delivery → its label in a message."""
_TONES: dict[str, Tone] = {**dict.fromkeys(_OF_MAILED, "bad"), "update": "good"}
"""Kind of delivery → the tone of its label; of other kinds it is "odd"."""


@dataclass(frozen=True, slots=True)
class MailStory:
    """A story to send: the item of the mail, its article (none for an event), and how many sources report it."""

    item: MailItem
    article: Article | None
    sources: int
    """Number of independent sources."""
    others: tuple[Article, ...] = ()
    """Further articles on the story that the same mail shows."""
    mailed: tuple[Article, ...] = ()
    """The articles on the story that were mailed to the recipient before."""
    reports: tuple[Article, ...] = ()
    """For a briefing: the first original articles on the story."""
    credibility: Credibility | None = None
    languages: tuple[str, ...] = ()
    """Those of its articles, of most first."""
    abroad: tuple[Article, ...] = ()
    """The first reports in other languages than its article's, the reader's languages first."""
    is_least: bool = False
    """Whether there may be more sources, because a part of the index could not be searched."""

    @property
    def story_id(self) -> str:
        """The story that its article is in now."""
        return story_now(self.item, self.article)


def story_now(item: MailItem, article: Article | None) -> str:
    """The story that the item's article is in now; it may have been joined with another since it was enqueued. Pure."""
    return (article.story_id if article else "") or item.story_id


def with_facts(story: MailStory, facts: StoryFacts) -> MailStory:
    """The story with its figures. Pure.

    Of facts that are not whole, credibility is left out: it may be better or worse than that of the rest.
    """
    judged = facts.credibility if facts.is_whole else None
    figures = replace(story, sources=facts.independent, is_least=not facts.is_whole)
    return replace(figures, credibility=judged, languages=facts.languages)


def story_view(
    story: MailStory,
    recipient: str,
    settings: Settings,
    links: Links,
    topics: Topics,
    zone: tzinfo,
    *,
    alone: bool,
) -> StoryView:
    """The story as `recipient` sees it, with links signed for that recipient and times in `zone`.

    Among others (not `alone`) it has one short passage, so that the mail can be read at a glance.
    """
    item, article, title = story.item, story.article, headline(story, zone)
    passages = _passages(item)
    said = _said(story, zone)
    news = () if said else _news(story, alone=alone)
    quotes = () if news or said else _quotes(passages, title, alone=alone)
    about = About(search_url=search_url(item.deliveries[0].alert_id, settings))
    if article:
        length = _LEAD if alone else _SHORT
        lead = "" if quotes or news or said else lead_of(article, length)
        about = _about(article, item, settings, links, topics, zone, lead=lead)
    changes = _changes(item, article, passages)
    return StoryView(
        title=_title(title, passages),
        headline=title,
        label=LABELS[item.kind],
        tone=_TONES.get(item.kind, "odd"),
        found=when(article.first_seen if article else item.deliveries[0].created_at, zone),
        sources=_sources(story),
        credibility=_credible(story.credibility) if article else "",
        alerts=tuple(dict.fromkeys(one_line(d.alert_name) for d in item.deliveries)),
        alert_ids=tuple(dict.fromkeys(d.alert_id for d in item.deliveries)),
        quotes=quotes,
        others=(*(_other(article) for article in story.others), *_abroad(story)),
        changes=changes.shown,
        more_changes=changes.rest,
        news=news,
        said=said,
        about=about,
        answers=_answers(item, recipient, links),
        story_id=item.story_id,
        article_id=article.id if article else "",
    )


def _sources(story: MailStory) -> str:
    """The number of sources; of several languages, which."""
    count = "one source" if story.sources == 1 else f"{story.sources} independent sources"
    if story.is_least:
        count = f"at least {count} (a part of the archive could not be searched)"
    if len(story.languages) < 2:
        return count
    *names, last = [names_in_english.language(code) for code in story.languages]
    return f"{count} in {', '.join(names)} and {last}"


def _abroad(story: MailStory) -> tuple[OtherView, ...]:
    """Who reports it in other languages, one of each."""
    shown = {article.id for article in (story.article, *story.others) if article}
    found = [article for article in story.abroad if article.id not in shown][:_ABROAD]
    return tuple(
        replace(other, outlet=f"{other.outlet}, in {names_in_english.language(article.language)}")
        for article, other in ((one, _other(one)) for one in found)
    )


def _credible(found: Credibility | None) -> str:
    """In words; empty if nobody has judged any of the sources."""
    return f"credibility {found.number} of 6, {found.meaning}" if found and found.is_known else ""


def _reliable(source: Source) -> str:
    graded = f"reliability {meant(source.reliability)}" if source.reliability else ""
    return ", ".join(filter(None, (graded, "state media" if source.state_media else "")))


def _said(story: MailStory, zone: tzinfo) -> tuple[Said, ...]:
    """For a briefing, what the story says; empty for other mails and for events."""
    if story.article is None or not story.reports:
        return ()
    if not story.item.was_told:
        return said_of(story.article, story.reports, (), zone)
    known, fresh = told_before(story.mailed, story.reports, story.item.mailed, story.item.briefed)
    return said_of(story.article, [*story.others, *fresh], known, zone)


def _news(story: MailStory, *, alone: bool) -> tuple[NewsFrom, ...]:
    """What is new on a story that was told before; empty for others, and if nothing of that is stored any more."""
    if story.article is None or not story.item.was_told or not story.mailed:
        return ()
    return news_of((story.article, *story.others), story.mailed, story.item.mailed, alone=alone)


def repeats_only(story: MailStory) -> bool:
    """Whether it is an update that says, word for word, only what its reader was mailed."""
    articles = (story.article, *story.others) if story.article else ()
    is_update = story.item.kind == "update" and bool(articles and story.mailed)
    return is_update and adds_nothing(articles, story.mailed, story.item.mailed)


def _changes(item: MailItem, article: Article | None, passages: Sequence[Passage]) -> Changes:
    if article is None or item.kind not in _OF_MAILED:
        return Changes()
    return changes_since(article, item.mailed.get(article.id), " ".join(p.text for p in passages))


def _quotes(passages: Sequence[Passage], title: str, *, alone: bool) -> tuple[Quote, ...]:
    """The first passages that say more than the title and each other, cut around what matched."""
    quotes: list[Quote] = []
    for passage in passages:
        new = Quote(passage.field, clipped(_pieces(passage), _LONG if alone else _SHORT))
        if passage.field != "title" and not any(
            repeats(new.text, known) for known in (title, *(q.text for q in quotes))
        ):
            quotes = [*(q for q in quotes if not repeats(q.text, new.text)), new]
    return tuple(quotes[: _QUOTES if alone else 1])


def headline(story: MailStory, zone: tzinfo = UTC) -> str:
    """The story's title on one line, or the headline of its event with its times in `zone`; never empty."""
    event = next((d.headline for d in story.item.deliveries if d.headline), "")
    return shown_title(in_zone(event, zone) or (story.article.title if story.article else "")) or "(no title)"


def shown_title(title: str) -> str:
    """The title on one line, in at most `_HEADLINE` characters."""
    return shortened(one_line(title), _HEADLINE)


def _title(title: str, passages: Sequence[Passage]) -> tuple[Piece, ...]:
    """The title, highlighted where a saved search matches it. A passage of a former title is ignored."""
    marked = next((p for p in passages if p.field == "title" and one_line(p.text) == title), None)
    return _pieces(marked) if marked else (Piece(title, marked=False),)


def _about(
    article: Article,
    item: MailItem,
    settings: Settings,
    links: Links,
    topics: Topics,
    zone: tzinfo,
    *,
    lead: str,
) -> About:
    key = links.story_token(item.story_id)
    return About(
        url=safe_url(article.address),
        language=article.language or "",
        direction=languages.direction(article.language),
        outlet=one_line(article.source.name),
        place=names_in_english.country(article.source.country),
        grade=article.source.reliability or "",
        reliability=_reliable(article.source),
        published=when(article.published, zone) if article.published else "",
        lead=lead,
        # Whoever gets later news on a story knows what it is about.
        topics=topic_views(article.tags, topics) if item.kind == "story" else (),
        why_url=page_url("article", article.id, settings, key),
        news_url=page_url("story", item.story_id, settings, key),
        kibana_url=_kibana_url(story_now(item, article), settings),
    )


def _other(article: Article) -> OtherView:
    return OtherView(shown_title(article.title), one_line(article.source.name), safe_url(article.address))


def _answers(item: MailItem, recipient: str, links: Links) -> AnswerLinks:
    saved_search_ids = ",".join(dict.fromkeys(d.alert_id for d in item.deliveries))

    def url(action: Action) -> str:
        return links.url(Link(action, recipient, saved_search_ids, item.story_id, item.article_id))

    enough = url("ack") if item.article_id else None
    return AnswerLinks(relevant=url("relevant"), not_relevant=url("not-relevant"), enough=enough)


def _passages(item: MailItem) -> list[Passage]:
    """The passages of all saved searches of the item. Equal texts are merged with their marks."""
    marks: dict[tuple[str, str], list[tuple[int, int]]] = {}
    texts: dict[tuple[str, str], Passage] = {}
    for passage in (p for d in item.deliveries for p in d.passages):
        key = (passage.field, passage.text)
        texts.setdefault(key, passage)
        marks.setdefault(key, []).extend(passage.marks)
    return [Passage(p.field, p.text, joined(marks[key])) for key, p in texts.items()]


def _pieces(passage: Passage) -> tuple[Piece, ...]:
    return pieces_of(passage.text, passage.marks)


def lead_of(article: Article, columns: int) -> str:
    """The first sentences in about `columns` columns; empty if they only repeat the title."""
    lead = one_line(article.summary or article.text)
    return "" if repeats(lead, shown_title(article.title)) else _clipped(lead, columns)


def _clipped(text: str, columns: int) -> str:
    return text_of(clipped((Piece(text, marked=False),), columns))


def topic_views(tags: Sequence[Tag], topics: Topics) -> tuple[TopicView, ...]:
    """One line for each topic of the tags: main topics first, then by score. Pure."""
    by_topic: dict[str, list[Tag]] = {}
    for tag in sorted(tags, key=lambda tag: (tag.level != "main", -tag.score, tag.tag)):
        by_topic.setdefault(tag.tag.partition("/")[0], []).append(tag)
    return tuple(_topic(topic, of_topic, topics) for topic, of_topic in by_topic.items())


def _topic(topic: str, tags: Sequence[Tag], topics: Topics) -> TopicView:
    is_main = any(tag.level == "main" for tag in tags)
    words: dict[str, str] = {}
    for text in (one_line(evidence.text) for tag in tags for evidence in tag.evidence):
        words.setdefault(text.casefold(), _clipped(text, _WORDS))
    return TopicView(
        name=topics.name(topic),
        role="main subject" if is_main else "mentioned",
        parts=tuple(topics.name(tag.tag) for tag in tags if tag.tag != topic),
        because=tuple([text for text in words.values() if text][:_EVIDENCE]),
    )


def page_url(page: str, name: str, settings: Settings, key: str) -> str | None:
    """The News page on the story or article; `key` opens the story's own page to a reader without an account."""
    opened = f"?{STORY_KEY}={key}" if key else ""
    return safe_url(f"{settings.public_url.rstrip('/')}/news/{page}/{quote(visible(name), safe='')}{opened}")


def search_url(alert_id: str, settings: Settings) -> str | None:
    """The saved search's page, which says to people without an account that it needs one."""
    return safe_url(f"{settings.public_url.rstrip('/')}/news/searches/{quote(alert_id, safe='')}?{ACCOUNT}=mail")


def _kibana_url(story_id: str, settings: Settings) -> str | None:
    """A link to the story in Kibana's Discover over the whole retention time, encoded as Rison; None without Kibana."""
    if not settings.kibana_url:
        return None
    # Without the id of the data view, Discover opens the one that was used last.
    view = f"dataSource:(dataViewId:'{articles_view(space_of(settings.kibana_url))}',type:dataView)"
    state = f"({view},query:(language:lucene,query:'story_id:\"{story_id}\"'))"
    time = f"(time:(from:now-{settings.retention_days + 31}d,to:now))"
    return safe_url(f"{settings.kibana_url.rstrip('/')}/app/discover#/?_g={time}&_a={quote(state)}")
