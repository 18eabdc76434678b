"""What a reader or the operator is told, whichever channel carries it: titles, quotes, facts, links, ready to be set.

Every text is on one line and shows nothing that is not seen; every URL is one of the web or is missing. How it looks is
the channel's matter (`delivery.channels`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

MessageKind = Literal["story", "group", "digest", "reply"]


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
        """In plain text: marks as asterisks."""
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
class About:
    """What is known of the article that tells a story; all empty for an event, which is about no article."""

    url: str | None = None
    language: str = ""
    direction: Literal["ltr", "rtl"] = "ltr"
    outlet: str = ""
    place: str = ""
    published: str = ""
    lead: str = ""
    """Stands in where there are no quotes."""
    tags: tuple[TagView, ...] = ()
    news_url: str | None = None
    kibana_url: str | None = None

    @property
    def align(self) -> str:
        """Said outright, since several mail programs don't derive it from the direction."""
        return "right" if self.direction == "rtl" else "left"


@dataclass(frozen=True, slots=True)
class AnswerLinks:
    """Signed links by which the reader answers."""

    relevant: str
    not_relevant: str
    enough: str
    """No more on this story."""


@dataclass(frozen=True, slots=True)
class StoryView:
    """One story, ready to be set."""

    title: tuple[Piece, ...]
    headline: str
    label: str
    """What kind of news it is, if not simply a new story."""
    found: str
    sources: str
    alerts: tuple[str, ...]
    quotes: tuple[Quote, ...]
    others: tuple[OtherView, ...]
    about: About
    answers: AnswerLinks


@dataclass(frozen=True, slots=True)
class WatchedBy:
    """A saved search that the message answers, with signed links that end or mute it."""

    name: str
    stop_url: str
    mute_url: str


@dataclass(frozen=True, slots=True)
class StoryList:
    """What a reader is told: stories, and by which saved searches."""

    kind: MessageKind
    heading: str
    """Empty for a single story, whose title says it."""
    stories: tuple[StoryView, ...]
    watched_by: Mapping[str, WatchedBy]
    """By id of the saved search."""
    stop_these_url: str
    """Ends the messages of these saved searches."""
    stop_all_url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that the operator is told of."""

    title: str
    state: str
    why: str
    facts: tuple[str, ...] = ()
    url: str = ""
    """As it is written; not to be made a link."""
    link: str | None = None
    """Where the News page tells more."""


@dataclass(frozen=True, slots=True)
class Section:
    """Things that ask the same of the operator."""

    heading: str
    tone: Literal["bad", "odd", "good"]
    rows: tuple[Row, ...]
    """Told in full."""
    brief: tuple[Row, ...] = ()
    """Told on a line each."""
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """What the operator is told."""

    sections: tuple[Section, ...]
    hint: str = ""
    """What to do next, for plain text."""
    more_text: str = ""
    more_url: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, free of any channel."""

    key: str
    """The idempotency key: the same whenever the message is made again. Letters, digits and dots."""
    recipient: str
    subject: str
    at: datetime
    sender: str
    """The installation's name."""
    body: StoryList | Notice
    reference: str = ""
    """What the channel called the message when it was made before; empty: it wasn't, or the channel gave no name."""
    thread: tuple[str, ...] = field(default=())
    """References of the messages that it follows, oldest first; it replies to the last."""
