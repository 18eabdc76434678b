"""A reader's desk: when he last looked, what he has read, starred and noted, and who an article was handed to. Pure.

Every function takes what is known (None: nothing yet) and returns what to keep instead. It does not know who else
writes; the store repeats it on what is in force (`store.desk`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from newswatch.errors import ChangedMeanwhileError, NewswatchError

AWAY: Final = timedelta(minutes=30)
"""After so long without a page a reader comes back: what arrived meanwhile is new to him."""
NOTED_EVERY: Final = timedelta(minutes=1)
"""A visit is written down at most this often."""
LOADED_AGAIN: Final = timedelta(seconds=10)
"""A browser loads its first page twice, once it has told its time zone: within so long both are one look."""
OVERLAP: Final = timedelta(minutes=2)
"""An article gets its time of indexing some time before a search finds it: what came so long before a reader looked
may not have been on his page, so it counts as new. An article may be new twice, but is never missed."""

MAX_USER_CHARS: Final = 250
MAX_NOTE_CHARS: Final = 5_000
MAX_MESSAGE_CHARS: Final = 1_000
MAX_STEPS: Final = 100
"""Times that an article can be handed on."""


class DeskError(NewswatchError):
    """What a reader asked for can't be done: too long, or nobody has that name."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a reader looks at the news."""

    user: str
    looked_at: datetime
    """His last page."""
    since: datetime
    """The end of his visit before this one, or up to when he said that he has seen everything."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one reader has made of one article. Nobody else sees it."""

    user: str
    article_id: str
    changed_at: datetime
    read_at: datetime | None = None
    starred_at: datetime | None = None
    note: str = ""
    noted_at: datetime | None = None
    """When the note was written, changed or emptied; tells one version of it from another."""


@dataclass(frozen=True, slots=True)
class Step:
    """An article handed from one reader to another; to nobody: it is done."""

    by: str
    to: str
    at: datetime
    message: str = ""


@dataclass(frozen=True, slots=True)
class Handover:
    """Who has an article, and all hands it went through. Every reader sees it."""

    article_id: str
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The step that counts."""
        return self.steps[-1]

    @property
    def holder(self) -> str:
        """Who has it now; empty once it is done."""
        return self.last.to


Deed = Literal["read", "unread", "star", "unstar"]
DEEDS: Final[tuple[Deed, ...]] = get_args(Deed)


def looked(look: Look | None, user: str, now: datetime) -> Look:
    """The look of a reader whose page is made at `now`. To a reader who never looked before, nothing is new."""
    if look is None:
        return Look(user, now, now)
    if now - look.looked_at > AWAY:
        return Look(user, now, look.looked_at)
    return replace(look, looked_at=now) if now - look.looked_at >= NOTED_EVERY else look


def is_first(look: Look | None, now: datetime) -> bool:
    """Whether the page made at `now` belongs to a reader's first look, to whom nothing is new."""
    return look is None or (look.since == look.looked_at and now - look.since < LOADED_AGAIN)


def seen_all(look: Look | None, user: str, until: datetime, now: datetime) -> Look:
    """The look of a reader who has seen everything that came `until` then, which is when his page was made."""
    until = min(until, now)
    known = look or Look(user, now, until)
    return Look(user, max(known.looked_at, until), max(known.since, until))


def done(mark: Mark | None, user: str, article_id: str, deed: Deed, now: datetime) -> Mark:
    """The mark after the deed. Repeating it changes nothing."""
    known = mark or Mark(user, article_id, now)
    match deed:
        case "read":
            changed = replace(known, read_at=known.read_at or now)
        case "unread":
            changed = replace(known, read_at=None)
        case "star":
            changed = replace(known, starred_at=known.starred_at or now)
        case "unstar":
            changed = replace(known, starred_at=None)
    return known if changed == known else replace(changed, changed_at=now)


def noted(mark: Mark | None, user: str, article_id: str, note: str, shown: datetime | None, now: datetime) -> Mark:
    """The mark with that note. `shown` is `Mark.noted_at` of the note that the form was made with.

    Raises:
        DeskError: the note is too long.
        ChangedMeanwhileError: the note in force is another one than the form showed.
    """
    if len(note) > MAX_NOTE_CHARS:
        raise DeskError(f"A note has at most {MAX_NOTE_CHARS:,} characters; this one has {len(note):,}. Shorten it.")
    known = mark or Mark(user, article_id, now)
    if known.note == note:
        return known
    if known.noted_at != shown:
        raise ChangedMeanwhileError("The note was changed in another window meanwhile; both versions stand here.")
    return replace(known, note=note, noted_at=now, changed_at=now)


def handed(handover: Handover | None, article_id: str, step: Step, shown: int) -> Handover:
    """The handover after one more step. `shown` is the number of steps that the form was made with.

    Raises:
        DeskError: the message is too long, or the article has been handed on too often.
        ChangedMeanwhileError: somebody has handed it on since.
    """
    if len(step.message) > MAX_MESSAGE_CHARS:
        told = (
            f"A message has at most {MAX_MESSAGE_CHARS:,} characters; this one has {len(step.message):,}. Shorten it."
        )
        raise DeskError(told)
    steps = handover.steps if handover else ()
    if len(steps) != shown:
        raise ChangedMeanwhileError(f"Meanwhile {_told(steps[-1]) if steps else 'it was taken back'}.")
    if len(steps) >= MAX_STEPS:
        raise DeskError(
            f"This article was handed on {MAX_STEPS} times, which is the most: star it, or note who has it."
        )
    return Handover(article_id, (*steps, step))


def _told(step: Step) -> str:
    what = f"handed it to {step.to}" if step.to else "marked it as done"
    return f"{step.by} {what} ({step.at:%Y-%m-%d %H:%M} UTC)"
