"""Briefings: digests that say what each story's articles say, in their own sentences, and what changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from alerts import schedule
from delivery.compose import Mail, MailItem
from delivery.message import Said
from delivery.passages import pieces_of
from delivery.updates import texts_mailed
from delivery.words import one_line, safe_url, shortened, when
from newswatch import languages
from newswatch.article import Article
from search.story_view import published
from transforms.novelty import new_sentences, sentences

LEADING: Final = 3
"""Maximum sentences from the article that represents a story."""
ADDED: Final = 2
"""Maximum sentences from each further article: those that say something new."""
SAID: Final = 8
"""Maximum sentences of a story."""
REPORTS: Final = 5
"""Maximum articles of a story that are read for it."""
_READ: Final = 8
"""Sentences at the beginning of an article that are looked at: news begins with what matters."""
_CHARACTERS: Final = 6_000
"""Characters within which those sentences are looked for."""
MOVED: Final = 10
"""Maximum earlier stories that are named because they go on."""
_HEADLINE: Final = 150


@dataclass(frozen=True, slots=True)
class Moved:
    """A story of an earlier mail, with articles since."""

    headline: str
    reports: int
    """Articles since."""


def is_briefing(mail: Mail) -> bool:
    """Whether one of its saved searches wants the digest as a briefing."""
    return mail.kind == "digest" and any(schedule.parse(d.schedule).briefing for d in mail.matched)


def said_of(article: Article, reports: Sequence[Article], mailed: Sequence[str], zone: tzinfo) -> tuple[Said, ...]:
    """What the story says: the article's first sentences, then what each of the other `reports` adds, oldest first.

    `mailed` are texts that the reader was mailed before, so that they are not said again.
    """
    known, said = [*mailed, article.title], list[Said]()
    for report in (article, *sorted((r for r in reports if r.id != article.id), key=published)):
        most = min(LEADING if report is article else ADDED, SAID - len(said))
        beginning = _beginning(report.text or report.summary)
        new = new_sentences("\n".join(beginning), known, report.language)
        said += [_said(one.text, one.marks if mailed else (), report, zone) for one in new[:most]]
        known.append("\n".join((report.title, *beginning)))
    return tuple(said)


def told_before(
    mailed: Sequence[Article], reports: Sequence[Article], times: Mapping[str, datetime], briefed: datetime | None
) -> tuple[list[str], list[Article]]:
    """The texts on a story that its reader knows, and the `reports` that the reader may not know.

    The `mailed` articles are known, at `times`. A briefing, the last one of which was sent at `briefed`, showed
    sentences of other reports too: these sentences are known, and what it left out was no news then.
    """
    known = texts_mailed(mailed, times)
    if briefed is None:
        return known, [report for report in reports if report.id not in times]
    earlier = [report for report in reports if report.first_seen <= briefed]
    for article in mailed:
        known += ["".join(piece.text for piece in one.pieces) for one in said_of(article, earlier, (), UTC)]
    return known, [report for report in reports if report.first_seen > briefed and report.id not in times]


def _beginning(text: str) -> tuple[str, ...]:
    """The first whole sentences of an article."""
    found = sentences(text[:_CHARACTERS])
    return (found[:-1] if len(text) > _CHARACTERS else found)[:_READ]


def _said(text: str, marks: Sequence[tuple[int, int]], article: Article, zone: tzinfo) -> Said:
    return Said(
        pieces=pieces_of(text, marks),
        outlet=one_line(article.source.name),
        at=when(published(article), zone),
        url=safe_url(article.address),
        language=article.language or "",
        direction=languages.direction(article.language),
    )


def changed(items: Sequence[MailItem], moved: Sequence[Moved], since: datetime, zone: tzinfo) -> tuple[str, ...]:
    """What changed since the last briefing, a sentence each."""
    kinds = [item.kind for item in items]
    counts = (
        (kinds.count("story"), "new story", "new stories"),
        (kinds.count("update"), "story that goes on", "stories that go on"),
        (kinds.count("correction"), "correction", "corrections"),
        (kinds.count("retraction"), "retraction", "retractions"),
    )
    named = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    lines = [f"Since {when(since, zone)}: {', '.join(named) or 'no new story'}."]
    lines += [
        f"{shortened(one_line(story.headline), _HEADLINE)}: {story.reports} more "
        f"{'report' if story.reports == 1 else 'reports'}."
        for story in moved[:MOVED]
    ]
    if len(moved) > MOVED:
        lines.append(f"{len(moved) - MOVED} more stories of earlier mails go on.")
    return tuple(lines)
