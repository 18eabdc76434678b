"""The channel-independent content of a message to a reader or the operator: titles, quotes, facts and links.

Every text is on one line and free of invisible characters; every URL is a web address or missing. The channel decides
on the layout (`delivery.channels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Literal

from newswatch.article import TextField
from newswatch.languages import Direction

MessageKind = Literal["story", "group", "digest", "reply", "notice"]
"""A notice has no story: it is about saved searches themselves."""
Tone = Literal["bad", "odd", "good"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, highlighted or not."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """A passage: its field and its pieces."""

    field: TextField
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The passage without marks."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def plain(self) -> str:
        """The passage in plain text, with asterisks around marked pieces."""
        return "".join(f"*{p.text}*" if p.marked else p.text for p in self.pieces)


@dataclass(frozen=True, slots=True)
class Change:
    """A change in an article since it was mailed, with the changed words marked."""

    where: Literal["title", "text"]
    before: tuple[Piece, ...]
    """Empty if the words were added."""
    after: tuple[Piece, ...]
    """Empty if the words were removed."""


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic that the article is about, on one line."""

    name: str
    role: str
    """"main subject" or "mentioned"."""
    parts: tuple[str, ...]
    """Its sub-topics in the article, the strongest first."""
    because: tuple[str, ...]
    """The words of the article that are evidence for it, each once."""


@dataclass(frozen=True, slots=True)
class OtherView:
    """Another article on the story, shown on one line."""

    headline: str
    outlet: str
    url: str | None


@dataclass(frozen=True, slots=True)
class NewsFrom:
    """What an article of an update says that the reader was not mailed before."""

    outlet: str
    url: str | None
    language: str
    direction: Direction
    sentences: tuple[tuple[Piece, ...], ...]
    """In order, with the new numbers marked; none if it says nothing new."""
    more: str
    """A sentence on those that are not shown; empty if all are."""

    @property
    def align(self) -> str:
        """As `About.align`."""
        return "right" if self.direction == "rtl" else "left"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of an article, verbatim, with its source and time."""

    pieces: tuple[Piece, ...]
    outlet: str
    at: str
    url: str | None
    language: str
    direction: Direction

    @property
    def align(self) -> str:
        """As `About.align`."""
        return "right" if self.direction == "rtl" else "left"

    @property
    def text(self) -> str:
        """The sentence without marks."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class About:
    """Facts on a story's article; an event, which has no article, has `search_url` alone."""

    url: str | None = None
    language: str = ""
    direction: Direction = "auto"
    outlet: str = ""
    place: str = ""
    grade: str = ""
    """Of the outlet's reliability, A to F; empty: not rated."""
    reliability: str = ""
    """Of the outlet, with what it means; "state media" where it is that."""
    published: str = ""
    lead: str = ""
    """Shown if there are no quotes."""
    topics: tuple[TopicView, ...] = ()
    why_url: str | None = None
    """The article's page, which marks all evidence."""
    news_url: str | None = None
    """The story's page."""
    search_url: str | None = None
    """Of an event: the saved search's page, which leads to what it finds."""
    kibana_url: str | None = None

    @property
    def align(self) -> str:
        """The alignment, which is set explicitly because several mail programs don't derive it from the direction."""
        return "right" if self.direction == "rtl" else "left"


@dataclass(frozen=True, slots=True)
class AnswerLinks:
    """Signed links for the reader's feedback."""

    relevant: str
    not_relevant: str
    enough: str | None
    """Ends the mails on this story; None: it is an event, which ends by itself."""


@dataclass(frozen=True, slots=True)
class StoryView:
    """One story as a message shows it."""

    title: tuple[Piece, ...]
    headline: str
    label: str
    """The kind of news; empty for a new story."""
    tone: Tone
    """Of the label: what was said before is wrong, or something is unusual, or there is more of it."""
    found: str
    """When newswatch first saw it."""
    sources: str
    credibility: str
    """By who reports it: "credibility 2 of 6, probably true"; empty if unknown."""
    alerts: tuple[str, ...]
    """Names of the saved searches that it matches."""
    alert_ids: tuple[str, ...]
    quotes: tuple[Quote, ...]
    others: tuple[OtherView, ...]
    changes: tuple[Change, ...]
    """For a correction: what changed since the article was mailed."""
    more_changes: str
    """A sentence on the changes that are not shown; empty if all are."""
    news: tuple[NewsFrom, ...]
    """For an update: what each of its articles says that is new, in place of quotes."""
    said: tuple[Said, ...]
    """For a briefing: what its articles say, in place of quotes."""
    about: About
    answers: AnswerLinks
    story_id: str = ""
    article_id: str = ""
    """Of the article that represents the story; empty for an event."""


@dataclass(frozen=True, slots=True)
class WatchedBy:
    """A saved search of the message, with signed links that unsubscribe from it or mute it."""

    name: str
    stop_url: str
    mute_url: str


@dataclass(frozen=True, slots=True)
class SearchNotice:
    """What is to be said of a saved search itself: that it can't be run, or that it can again."""

    label: str
    text: str
    is_bad: bool
    edit_url: str | None
    """The saved search's page."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What was watched, and what was not."""

    since: str
    summary: str
    lines: tuple[str, ...]
    """What was not seen, the worst first; none if everything was."""


@dataclass(frozen=True, slots=True)
class StoryList:
    """The body of a message to a reader: stories, and the saved searches that they match."""

    kind: MessageKind
    heading: str
    """Empty for a single story, whose title suffices."""
    stories: tuple[StoryView, ...]
    watched_by: Mapping[str, WatchedBy]
    """Id of the saved search → how the message shows it."""
    stop_these_url: str
    """Unsubscribes from these saved searches."""
    stop_all_url: str
    """Unsubscribes from all saved searches."""
    notices: tuple[SearchNotice, ...] = ()
    watch: Watch | None = None
    """For a digest."""
    changed: tuple[str, ...] = ()
    """For a briefing: what changed since the last one, a sentence each."""
    mails_url: str | None = None
    """The page with everything that was mailed to the recipient."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing in a notice to the operator."""

    title: str
    state: str
    why: str
    facts: tuple[str, ...] = ()
    url: str = ""
    """Shown as text, not as a link."""
    link: str | None = None
    """The News page with more on it."""
    todo: str = ""
    """What to do about it, in one sentence."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that call for the same action of the operator."""

    heading: str
    tone: Tone
    rows: tuple[Row, ...]
    """Shown in full."""
    brief: tuple[Row, ...] = ()
    """Shown on one line each."""
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """The body of a message to the operator."""

    sections: tuple[Section, ...]
    hint: str = ""
    """The next step; only shown in plain text."""
    more_text: str = ""
    more_url: str | None = None
    foot: str = "because something changed. When nothing changes, no mail is sent."
    """Why it was sent: "… sent this to …, ‹foot›"."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message, on channels that carry files."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, independent of the channel."""

    key: str
    """The idempotency key, which stays the same if the message is made again. Letters, digits and dots."""
    recipient: str
    subject: str
    at: datetime
    sender: str
    """The installation's name."""
    body: StoryList | Notice
    zone: tzinfo = UTC
    """Of the times in the message."""
    reference: str = ""
    """The channel's name for the message from an earlier attempt; empty on the first attempt, or if there is none."""
    attachments: tuple[Attachment, ...] = ()
    thread: tuple[str, ...] = field(default=())
    """References of the previous messages in the thread, oldest first; the message replies to the last."""
