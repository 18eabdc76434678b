"""A message in short, for chats and phones: what happened, who reports it, why it is sent, and the links. Pure.

`short_of` chooses what is said; `fitted` writes it in a service's markup, in the fullest form that its limit allows. A
passage is cut after a sentence, and the links stay whatever is left out. What is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Protocol

from delivery.message import Message, Notice, Piece, StoryList, StoryView
from delivery.words import isolated, one_line, shortened
from transforms.novelty import sentences

WHY: Final = 3
"""Maximum topics that are named as reasons."""
CHANGES: Final = 2
"""Maximum changes of a correction that are shown."""
_HEADLINE: Final = 300
_CALL: Final = re.compile(r"(?<!\w)@(?=[\w&!])")
_GRAVE: Final = ("Correction", "Retracted")


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A link and what it says."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class ShortStory:
    """One story."""

    headline: str
    """With the kind of news before it: "Update: …"."""
    url: str | None
    """Of the article; of the story's page if it has none."""
    facts: str = ""
    """Outlet, sources, time."""
    evidence: tuple[Piece, ...] = ()
    """The passage that matched, with its words marked."""
    changes: tuple[str, ...] = ()
    """For a correction: what changed."""
    why: tuple[str, ...] = ()
    """The topics with their evidence, and the saved searches."""
    pages: tuple[ShortLink, ...] = ()
    """Where there is more on it."""
    answers: tuple[ShortLink, ...] = ()
    """What the reader may say of it."""


@dataclass(frozen=True, slots=True)
class Short:
    """The message."""

    subject: str
    heading: str = ""
    """Empty for a single story."""
    lines: tuple[str, ...] = ()
    """What is said besides the stories: notices, what a briefing says has changed."""
    stories: tuple[ShortStory, ...] = ()
    foot: tuple[ShortLink, ...] = ()
    """Ends the messages; leads to all of them."""
    is_grave: bool = False
    """Whether it takes back or corrects what the reader was told."""


class Markup(Protocol):
    """How a service writes what is emphasised and linked."""

    hides_addresses: bool
    """Whether readers see the words of a link and not its address."""

    def text(self, text: str) -> str:
        """Plain words, safe within the markup."""
        ...

    def strong(self, text: str) -> str:
        """Emphasised words."""
        ...

    def link(self, text: str, url: str) -> str:
        """A link."""
        ...

    def quote(self, text: str) -> str:
        """A passage, already in the markup."""
        ...

    def joined(self, lines: Sequence[str]) -> str:
        """Lines below each other."""
        ...


class Plain:
    """Words and bare links."""

    hides_addresses = False

    def text(self, text: str) -> str:
        """As it is, but for what services take for a call to everybody or for a link with a false name.

        A zero-width space parts `@everyone` and `](`.
        """
        return _CALL.sub("@\u200b", text).replace("](", "]\u200b(")

    def strong(self, text: str) -> str:
        """Between asterisks, as in mails."""
        return f"*{self.text(text)}*"

    def link(self, text: str, url: str) -> str:
        """The words, then the address."""
        return f"{self.text(text)}: {url}"

    def quote(self, text: str) -> str:
        """Behind a bar."""
        return f"| {text}"

    def joined(self, lines: Sequence[str]) -> str:
        """A line each."""
        return "\n".join(lines)


class Mrkdwn(Plain):
    """Slack's markup (https://docs.slack.dev/messaging/formatting-message-text)."""

    hides_addresses = True

    def text(self, text: str) -> str:
        """With Slack's three control characters escaped; a zero-width space keeps other marks from being markup."""
        plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return "".join(f"{c}\u200b" if c in "*_~`" else c for c in plain)

    def strong(self, text: str) -> str:
        """Bold. The marks must stand at word boundaries, so blanks are moved out."""
        return f"*{self.text(text.strip())}*" if text.strip() else text

    def link(self, text: str, url: str) -> str:
        """`<url|words>`."""
        return f"<{_in_brackets(url)}|{self.text(text.replace('|', '/'))}>"

    def quote(self, text: str) -> str:
        """A block quote."""
        return f"> {text}"


def _in_brackets(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


class Html(Plain):
    """The HTML that Matrix allows (https://spec.matrix.org/latest/client-server-api/#mroommessage-msgtypes)."""

    hides_addresses = True

    def text(self, text: str) -> str:
        """Escaped."""
        return escape(text)

    def strong(self, text: str) -> str:
        """`<strong>`."""
        return f"<strong>{escape(text)}</strong>"

    def link(self, text: str, url: str) -> str:
        """`<a>`."""
        return f'<a href="{escape(url)}">{escape(text)}</a>'

    def quote(self, text: str) -> str:
        """`<blockquote>`."""
        return f"<blockquote>{text}</blockquote>"

    def joined(self, lines: Sequence[str]) -> str:
        """Separated by `<br>`."""
        return (
            "<br>".join(lines).replace("</blockquote><br>", "</blockquote>").replace("<br><blockquote>", "<blockquote>")
        )


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────────


def short_of(message: Message) -> Short:
    """What the message says in short."""
    body = message.body
    if isinstance(body, Notice):
        rows = (row for section in body.sections for row in (*section.rows, *section.brief))
        return Short(message.subject, lines=tuple(f"{row.title}: {row.state}. {row.why}".strip() for row in rows))
    notices = tuple(f"{notice.label}: {notice.text}" for notice in body.notices)
    watch = (f"Since {body.watch.since}: {body.watch.summary}", *body.watch.lines) if body.watch else ()
    alone = len(body.stories) == 1
    return Short(
        subject=message.subject,
        heading="" if alone else body.heading,
        lines=(*body.changed, *notices, *watch),
        stories=tuple(_story(story) for story in body.stories),
        foot=_foot(body),
        is_grave=any(story.label in _GRAVE for story in body.stories),
    )


def _foot(body: StoryList) -> tuple[ShortLink, ...]:
    stop = ShortLink("Stop these messages", body.stop_these_url)
    return (stop, ShortLink("All that was sent", body.mails_url)) if body.mails_url else (stop,)


def _story(story: StoryView) -> ShortStory:
    about, answers = story.about, story.answers
    labelled = story.label and not story.headline.casefold().startswith(f"{story.label.casefold()}:")
    title = shortened(story.headline, _HEADLINE)
    headline = f"{story.label}: {isolated(title)}" if labelled else title
    outlet = " ".join(filter(None, (isolated(about.outlet), about.grade)))
    published = f"published {about.published}" if about.published else f"found {story.found}"
    pages = {
        "Why, word by word": about.why_url,
        "The whole story": about.news_url,
        "What the search finds": about.search_url,
    }
    said = {
        "Relevant": answers.relevant,
        "Not relevant": answers.not_relevant,
        "Enough of this story": answers.enough,
    }
    facts = (outlet, story.sources if about.outlet else "", published, story.credibility)
    return ShortStory(
        headline=headline,
        url=about.url or about.news_url,
        facts=" · ".join(filter(None, facts)),
        evidence=_evidence(story),
        changes=tuple(_changes(story)),
        why=(*_topics(story), f"You watch: {'; '.join(map(isolated, story.alerts))}"),
        pages=tuple(ShortLink(text, url) for text, url in pages.items() if url),
        answers=tuple(ShortLink(text, url) for text, url in said.items() if url),
    )


def _evidence(story: StoryView) -> tuple[Piece, ...]:
    """The first passage that matched; for an update what is new; for a briefing what is said; else the lead."""
    if story.quotes:
        return story.quotes[0].pieces
    new = [sentence for one in story.news for sentence in one.sentences]
    said = [one.pieces for one in story.said]
    for pieces in (new, said):
        if pieces:
            return tuple(
                p for number, one in enumerate(pieces[:3]) for p in ((Piece(" ", False),) if number else ()) + one
            )
    return (Piece(story.about.lead, marked=False),) if story.about.lead else ()


def _changes(story: StoryView) -> Iterator[str]:
    for change in story.changes[:CHANGES]:
        before, after = (one_line("".join(p.text for p in side)) for side in (change.before, change.after))
        if before:
            yield f"Before: {isolated(before)}"
        yield f"Now: {isolated(after)}" if after else "(removed)"
    more = len(story.changes) - CHANGES
    if more > 0:
        yield f"and {more} more {'change' if more == 1 else 'changes'}"


def _topics(story: StoryView) -> Iterator[str]:
    for topic in story.about.topics[:WHY]:
        because = f", because of “{'”, “'.join(map(isolated, topic.because))}”" if topic.because else ""
        yield f"{topic.name} ({topic.role}){because}"


# ── how much of it fits ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is said."""

    cards: int
    """Stories with more than their headline."""
    evidence: int
    """Maximum characters of a passage."""
    why: bool
    answers: bool
    rows: int = 1_000
    """Further stories, a line each."""


_DETAILS: Final = (
    _Detail(6, 600, why=True, answers=True),
    _Detail(6, 240, why=True, answers=True),
    _Detail(6, 240, why=True, answers=False, rows=100),
    _Detail(3, 240, why=True, answers=False, rows=30),
    _Detail(3, 0, why=True, answers=False, rows=10),
    _Detail(3, 0, why=False, answers=False, rows=5),
    _Detail(1, 0, why=False, answers=False, rows=0),
    _Detail(0, 0, why=False, answers=False, rows=1),
)
"""The fullest first."""


def fitted(
    short: Short, markup: Markup, most: int, size: Callable[[str], int] = len, *, titled: bool = True, foot: bool = True
) -> str:
    """The message in the fullest form whose `size` is at most `most`.

    Without `titled`, the headline of a single story is not repeated, because it stands in the service's own title.
    """
    for detail in _DETAILS:
        written = markup.joined(list(_lines(short, markup, detail, titled=titled, foot=foot)))
        if size(written) <= most:
            return written
    return _least(short, markup, most, size)


def _least(short: Short, markup: Markup, most: int, size: Callable[[str], int]) -> str:
    """The subject, cut between words, and one link, if they fit."""
    url = next((story.url for story in short.stories if story.url), "")
    link = markup.link("More", url) if url else ""
    for length in (200, 100, 50, 20):
        lines = [markup.text(shortened(short.subject, length)), *([link] if link else [])]
        if size(markup.joined(lines)) <= most:
            return markup.joined(lines)
    return link if size(link) <= most else shortened(short.subject, max(most // 4, 2))


def _lines(short: Short, markup: Markup, detail: _Detail, *, titled: bool, foot: bool) -> Iterator[str]:
    alone = len(short.stories) == 1
    if short.heading:
        yield markup.strong(short.heading)
    lines = short.lines if detail.evidence else short.lines[:3]
    yield from map(markup.text, lines)
    if len(lines) < len(short.lines):
        yield markup.text(f"and {len(short.lines) - len(lines)} more lines")
    for number, story in enumerate(short.stories[: detail.cards]):
        if number or short.heading or lines:
            yield ""
        yield from _card(story, markup, detail, titled=titled or not alone)
    rest = short.stories[detail.cards :]
    if rest and detail.cards:
        yield ""
    yield from (_headline(story, markup) for story in rest[: detail.rows])
    if len(rest) > detail.rows:
        yield markup.text(f"and {len(rest) - detail.rows} more stories")
    if foot:
        yield from _linked(short.foot, markup)


def _linked(links: Sequence[ShortLink], markup: Markup) -> Iterator[str]:
    """The links: side by side where the markup hides their addresses, else a line each."""
    written = [markup.link(link.text, link.url) for link in links]
    if written and markup.hides_addresses:
        yield " · ".join(written)
    else:
        yield from written


def _headline(story: ShortStory, markup: Markup) -> str:
    return markup.link(story.headline, story.url) if story.url else markup.strong(story.headline)


def _card(story: ShortStory, markup: Markup, detail: _Detail, *, titled: bool) -> Iterator[str]:
    if titled:
        yield _headline(story, markup)
    elif story.url:
        yield markup.link("Article", story.url)
    if story.facts:
        yield markup.text(story.facts)
    pieces = cut(story.evidence, detail.evidence)
    if pieces:
        yield markup.quote("".join(markup.strong(p.text) if p.marked else markup.text(p.text) for p in pieces))
    if detail.evidence:
        yield from map(markup.text, story.changes)
    if detail.why:
        yield from map(markup.text, story.why)
    links = (*(story.pages if detail.why else ()), *(story.answers if detail.answers else ()))
    yield from _linked(links, markup)


def cut(pieces: Sequence[Piece], most: int) -> tuple[Piece, ...]:
    """The beginning of a passage in at most `most` characters: whole sentences; of a longer first one, whole words."""
    text = "".join(piece.text for piece in pieces)
    if len(text) <= most:
        return tuple(pieces)
    if most < 20:
        return ()
    end = 0
    for sentence in sentences(text):
        stop = text.find(sentence, end) + len(sentence)
        if stop > most:
            break
        end = stop
    if end:
        return tuple(_until(pieces, end))
    head = shortened(text, most)
    return (*_until(pieces, len(head) - 2), Piece(" …", marked=False))


def _until(pieces: Sequence[Piece], end: int) -> Iterator[Piece]:
    for piece in pieces:
        if end <= 0:
            return
        yield Piece(piece.text[:end], piece.marked)
        end -= len(piece.text)
