"""A mail as a person reads it: what happened, who says so, and why it was sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from textwrap import fill
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from alerts import schedule
from alerts.kinds import EVENT_KINDS
from delivery.compose import Item, Mail
from delivery.links import Action, Link, Links
from ingest.urls import is_address
from newswatch.alert import Passage
from newswatch.article import Article, Evidence, Tag
from newswatch.mail_address import mail_address
from newswatch.names_in_english import country
from newswatch.settings import Settings
from newswatch.topics import Topics
from search.highlight import joined

POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)
"""7-bit clean, so that any server takes it; long header lines are folded all the same, by RFC 2047 words."""
_SUBJECT = 150
"""Characters of a subject that a list of mails can show; the mail itself has the whole title."""
_HEADLINE = 1_000
"""Characters of a headline that a mail shows; what is longer is cut and marked as cut."""
_LINK = 900
"""Octets of a link in a header: a line may have 998, and a link can't be folded (RFC 5322 section 2.1.1)."""
_LEAD = 280
_CONTEXT = 60
"""Characters shown on either side of a tag's evidence."""
_CARDS = 12
"""Stories shown in full in one mail; the rest of a digest is one line each, so that no mail program cuts it off."""
KIBANA_ARTICLES = "19f5d989-7741-577c-8665-2b2331a991da"
"""The data view of the articles in Kibana, as `kibana.build` names it: without it Discover takes the one last used."""
_DIRECTIONAL = "\u200e\u200f\u061c" + "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff{_DIRECTIONAL}]")


@dataclass(frozen=True, slots=True)
class Story:
    """A story to be told: the item of the mail, its article (none for an event), and how many say so."""

    item: Item
    article: Article | None
    sources: int
    """Independent ones."""
    others: tuple[Article, ...] = ()
    """More articles on it that are told with it."""


# ── what the templates see ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, marked or not."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """A passage: where it stands, and its pieces."""

    where: str
    pieces: tuple[Piece, ...]

    @property
    def plain(self) -> str:
        """For the text part: marks as asterisks."""
        return "".join(f"*{p.text}*" if p.marked else p.text for p in self.pieces)


@dataclass(frozen=True, slots=True)
class TagView:
    """A tag with what carried it."""

    name: str
    level: str
    score: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class OtherView:
    """Another article on the story, on one line."""

    headline: str
    outlet: str
    url: str | None


@dataclass(frozen=True, slots=True)
class StoryView:
    """One story, ready to be set."""

    title: tuple[Piece, ...]
    headline: str
    url: str | None
    label: str
    """What kind of news it is, if not simply a new story."""
    language: str
    direction: str
    """`rtl` or `ltr`."""
    outlet: str
    place: str
    published: str
    found: str
    sources: str
    alerts: tuple[str, ...]
    quotes: tuple[Quote, ...]
    lead: str
    tags: tuple[TagView, ...]
    others: tuple[OtherView, ...]
    news_url: str | None
    kibana_url: str | None
    relevant_url: str
    not_relevant_url: str
    ack_url: str

    @property
    def align(self) -> str:
        """Said outright, since several mail programs don't derive it from the direction."""
        return "right" if self.direction == "rtl" else "left"


def render(
    mail: Mail, stories: Sequence[Story], settings: Settings, links: Links, topics: Topics, *, now: datetime
) -> EmailMessage:
    """The whole message: headers, text and HTML.

    `stories` are those of `mail` that can be told. The Message-ID is the mail's, the same whenever it is made again.
    """
    ordered = sorted(stories, key=_by_weight) if mail.kind == "digest" else list(stories)
    views = [_view(story, mail, settings, links, topics) for story in ordered]
    alerts = _alerts(mail)
    context: dict[str, Any] = {
        "subject": subject(mail, ordered),
        "heading": _heading(mail, len(views)),
        "when": when(now),
        "cards": views[:_CARDS],
        "rows": views[_CARDS:],
        "kind": mail.kind,
        "alerts": [
            (name, *(links.url(Link(action, mail.recipient, key)) for action in ("unsubscribe", "mute")))
            for key, name in alerts.items()
        ],
        "unsubscribe_all": links.url(Link("unsubscribe", mail.recipient, "*")),
        "sender": settings.mail_name,
        "recipient": mail.recipient,
    }
    message = headed(settings, mail.recipient, context["subject"], mail.message_id, now)
    _head(message, mail, alerts, settings, links)
    message.set_content(_text(context), charset="utf-8")
    message.add_alternative(_template("mail.html.j2").render(context), subtype="html", charset="utf-8")
    return message


def headed(settings: Settings, recipient: str, subject: str, message_id: str, now: datetime) -> EmailMessage:
    """A message of ours that has no content yet, with the headers that every one of them has."""
    message = EmailMessage(POLICY)
    message["From"] = Address(header(settings.mail_name), addr_spec=settings.mail_from)
    message["To"] = Address(addr_spec=mail_address(recipient))
    message["Subject"] = header(subject)
    message["Date"] = now.astimezone(UTC)
    message["Message-ID"] = message_id
    # RFC 3834, and what Exchange knows instead: nobody's out-of-office answer is wanted.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message


def _head(message: EmailMessage, mail: Mail, alerts: dict[str, str], settings: Settings, links: Links) -> None:
    if mail.references:
        message["In-Reply-To"] = mail.references[-1]
        message["References"] = " ".join(mail.references)
    # RFC 2919: one list for each saved search; a mail of several is of the list of all.
    list_name = next(iter(alerts)) if len(alerts) == 1 else "all"
    message["List-Id"] = f"<{list_name}.newswatch.{settings.mail_from.rpartition('@')[2]}>"
    message["List-Unsubscribe"] = f"<{_unsubscribe(mail.recipient, alerts, links)}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    message["X-Newswatch-Alerts"] = ", ".join(alerts)


def _unsubscribe(recipient: str, alerts: dict[str, str], links: Links) -> str:
    """The link that ends the mails of these saved searches; of all, if they are too many for a header."""
    url = links.url(Link("unsubscribe", recipient, ",".join(alerts)))
    return url if len(url) <= _LINK else links.url(Link("unsubscribe", recipient, "*"))


def _alerts(mail: Mail) -> dict[str, str]:
    """Id → name of every saved search that the mail answers."""
    return {d.alert_id: one_line(d.alert_name) for d in mail.deliveries}


def subject(mail: Mail, stories: Sequence[Story]) -> str:
    """One line that says what the mail is about."""
    first = stories[0]
    title = _headline(first)
    if mail.kind == "reply":
        told = mail.thread_subject or shortened(title, _SUBJECT)
        return told if told.startswith("Re: ") else f"Re: {told}"
    if mail.kind == "story":
        return shortened(title, _SUBJECT)
    names = ", ".join(_alerts(mail).values())
    count = f"{len(stories)} {'story' if len(stories) == 1 else 'stories'}"
    if mail.kind == "digest":
        return shortened(f"{_period(mail)} digest, {count}: {names}", _SUBJECT)
    return shortened(f"{count}: {title}", _SUBJECT)


def _heading(mail: Mail, count: int) -> str:
    if mail.kind == "digest":
        return f"{_period(mail)} digest · {count} {'story' if count == 1 else 'stories'}"
    if mail.kind == "group":
        return f"{count} new {'story' if count == 1 else 'stories'}"
    return "On a story you have been mailed" if mail.kind == "reply" else ""


def _period(mail: Mail) -> str:
    every = {schedule.parse(d.schedule).every for d in mail.deliveries}
    return next((word.title() for word in ("weekly", "daily", "hourly") if word in every), "News")


def _by_weight(story: Story) -> tuple[int, float]:
    """What most sources report comes first; then the newest."""
    moment = (
        story.article.published or story.article.first_seen if story.article else story.item.deliveries[0].created_at
    )
    return (-story.sources, -moment.timestamp())


def _headline(story: Story) -> str:
    told = next((d.headline for d in story.item.deliveries if d.headline), "")
    return _shown(told or (story.article.title if story.article else "")) or "(no title)"


def _shown(headline: str) -> str:
    return shortened(one_line(headline), _HEADLINE)


# ── one story ────────────────────────────────────────────────────────────────────────────────────────────────────────

_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"}
_LABELS = {
    "correction": "Correction",
    "retraction": "Retracted",
    "update": "Update",
    "story": "",
    **{kind.name: kind.label for kind in EVENT_KINDS},
}


def _view(story: Story, mail: Mail, settings: Settings, links: Links, topics: Topics) -> StoryView:
    item, article = story.item, story.article
    passages = _passages(item)
    headline = _headline(story)
    titles = [p for p in passages if p.field == "title" and one_line(p.text) == headline]
    quotes = tuple(_quote(p) for p in passages if p.field != "title")
    return StoryView(
        title=_pieces(titles[0]) if titles else (Piece(headline, marked=False),),
        headline=headline,
        url=safe_url(article.address) if article else None,
        label=_LABELS[item.kind],
        language=(article.language if article else None) or "",
        direction="rtl" if article and article.language in _RIGHT_TO_LEFT else "ltr",
        outlet=one_line(article.source.name) if article else "",
        place=country(article.source.country) if article else "",
        published=when(article.published) if article and article.published else "",
        found=when(article.first_seen if article else item.deliveries[0].created_at),
        sources="one source" if story.sources == 1 else f"{story.sources} independent sources",
        alerts=tuple(dict.fromkeys(one_line(d.alert_name) for d in item.deliveries)),
        quotes=quotes,
        lead="" if quotes or not article else _lead(article),
        tags=tuple(_tag(tag, article, topics) for tag in _ordered(article.tags)) if article else (),
        others=tuple(OtherView(_shown(a.title), one_line(a.source.name), safe_url(a.address)) for a in story.others),
        news_url=_news_url(item.story_id, settings) if article else None,
        kibana_url=_kibana_url(item.story_id, settings) if article else None,
        relevant_url=_say("relevant", story, mail, links),
        not_relevant_url=_say("not-relevant", story, mail, links),
        ack_url=_say("ack", story, mail, links),
    )


def _say(action: Action, story: Story, mail: Mail, links: Links) -> str:
    alerts = ",".join(dict.fromkeys(d.alert_id for d in story.item.deliveries))
    return links.url(Link(action, mail.recipient, alerts, story.item.story_id, story.item.article_id))


def _passages(item: Item) -> list[Passage]:
    """The passages of all its saved searches, each text once, with the marks of all."""
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
    pieces, at = [], 0
    for start, end in passage.marks:
        pieces += [
            Piece(visible(passage.text[at:start]), marked=False),
            Piece(visible(passage.text[start:end]), marked=True),
        ]
        at = end
    pieces.append(Piece(visible(passage.text[at:]), marked=False))
    return tuple(piece for piece in pieces if piece.text)


def _lead(article: Article) -> str:
    return shortened(one_line(article.summary or article.text), _LEAD)


def _ordered(tags: Sequence[Tag]) -> list[Tag]:
    """Main ones first, then by score, a topic before its sub-topics."""
    return sorted(tags, key=lambda tag: (tag.level != "main", -tag.score, tag.tag))


def _tag(tag: Tag, article: Article, topics: Topics) -> TagView:
    shown: dict[str, Evidence] = {}
    for evidence in tag.evidence:
        shown.setdefault(evidence.text.casefold(), evidence)
    quotes = (in_context(evidence, article) for evidence in list(shown.values())[:2])
    return TagView(topics.path(tag.tag), tag.level, f"{tag.score:.2f}", tuple(_quote(p) for p in quotes))


def in_context(evidence: Evidence, article: Article) -> Passage:
    """The evidence with some words on either side; alone, if the article has changed since."""
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


# ── words and links ──────────────────────────────────────────────────────────────────────────────────────────────────


def one_line(text: str) -> str:
    """The text on one line, without characters that are not seen."""
    return " ".join(visible(text).split())


def header(text: str) -> str:
    """The text on one line, fit for a header.

    Python's `email` takes `=?…?=` in a value for an encoded word and writes out what it decodes to, line ends and all:
    a title could add headers of its own. An unseen joiner inside keeps it plain text.
    """
    return one_line(text).replace("=?", "=\u2060?")


def visible(text: str) -> str:
    """The text without control and direction characters, and without halves of characters."""
    return _UNSEEN.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def shortened(text: str, most: int) -> str:
    """At most `most` characters, cut between words and marked as cut."""
    if len(text) <= most:
        return text
    head = text[: most - 2]
    whole = head if text[most - 2] == " " else head.rpartition(" ")[0]
    return f"{whole or head} …"


def safe_url(url: str) -> str | None:
    """The URL if it is an address (`ingest.urls`); nothing else (javascript:, data:, file:) is ever made a link."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]") if is_address(url) else None


def when(moment: datetime) -> str:
    """A time as people read it."""
    return f"{moment.astimezone(UTC):%a} {moment.astimezone(UTC).day} {moment.astimezone(UTC):%b %Y, %H:%M} UTC"


def _news_url(story_id: str, settings: Settings) -> str | None:
    return safe_url(f"{settings.public_url.rstrip('/')}/news/story/{quote(visible(story_id), safe='')}")


def _kibana_url(story_id: str, settings: Settings) -> str | None:
    """Discover on the story, over all that is kept, in our data view; in Kibana's own notation (rison)."""
    if not settings.kibana_url:
        return None
    view = f"dataSource:(dataViewId:'{KIBANA_ARTICLES}',type:dataView)"
    state = f"({view},query:(language:lucene,query:'story_id:\"{story_id}\"'))"
    time = f"(time:(from:now-{settings.retention_days + 31}d,to:now))"
    return safe_url(f"{settings.kibana_url.rstrip('/')}/app/discover#/?_g={time}&_a={quote(state)}")


# ── setting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def templates(package: str) -> Environment:
    """The templates of a package's mails."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _environment() -> Environment:
    environment = templates("delivery")
    environment.filters["wrapped"] = lambda text, indent="": fill(
        text, 76, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return environment


def _template(name: str) -> Template:
    return _environment().get_template(name)


def _text(context: dict[str, Any]) -> str:
    """The text part, never more than one blank line in a row."""
    return re.sub(r"\n{3,}", "\n\n", _template("mail.txt.j2").render(context)).strip() + "\n"
