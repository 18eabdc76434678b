"""Decides whether a new story is one that outlets of other languages already report, by the vectors of its articles.

Words join articles of one language (`transforms.story`). An article whose words join nothing may continue a story of
another language, if three things agree: it is near one of its articles; no earlier article of its own language is
nearer to that one (mutual best, which keeps one story from swallowing many); and it is near the story as a whole, so
that a story does not grow from its edges. A story is joined when it begins, never later, because what was mailed must
not change its story. Pure; `store.across` brings the articles from Elasticsearch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean

from transforms.encoder import Encoder, Vector, cosine, unit
from transforms.meaning import encoded
from transforms.profile import Profile
from transforms.story import Placed, Stream

SAME_EVENT = 0.45
"""Minimum likeness of an article to the one of another language that it is joined by."""
CORE = 0.15
"""Minimum mean cosine to all articles of the story."""
CORE_OF_ITS_LANGUAGE = 0.25
"""The same to those in its own language: their words were found to differ."""
GRACE = timedelta(days=1)
"""Reports of one event in two languages are rarely further apart."""
FORGETTING = timedelta(hours=60)
"""Beyond the grace, likeness falls to 1/e in this time."""
WINDOW = timedelta(days=7)
OF_DOMAIN = 200
"""Number of the latest articles by which it is known what all of them have in common."""
_ANEW = 25
"""Articles after which it is learned anew, in memory."""
_FEW = 50
"""Articles up to which each one changes it."""
_LEAST = 15
"""Articles, each of a story of its own, from which on they are taken to have more in common than an event."""
_PRIOR = 10
"""Weight, in articles, of nothing in common beside these."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An article by what it says."""

    id: str
    language: str
    published: datetime
    vector: Vector
    story_id: str = ""
    """Empty: not placed yet."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The story of another language that an article continues."""

    story_id: str
    by: str
    """The article of that story that it was joined by."""
    likeness: float


def domain(vectors: Sequence[Vector]) -> Vector:
    """What the latest articles have in common: their topics. It is taken off before they are compared (`apart_from`).

    Only tagged articles are encoded, so all of them are near one another: a report on a battalion and one on an
    exercise would be taken for one event.
    """
    if len(vectors) < _LEAST:
        return ()  # it would be what one event has in common
    return tuple(math.fsum(column) / (len(vectors) + _PRIOR) for column in zip(*vectors, strict=True))


def apart_from(common: Vector, one: Encoded) -> Encoded:
    """The article without what is common to all."""
    if not common:
        return one
    rest = unit([x - mean for x, mean in zip(one.vector, common, strict=True)])
    return replace(one, vector=rest or one.vector)


def likeness(a: Encoded, b: Encoded) -> float:
    """The cosine of two articles, less the further apart they were published."""
    apart = abs(a.published - b.published)
    return cosine(a.vector, b.vector) * math.exp(-max(timedelta(0), apart - GRACE) / FORGETTING)


def nearest_abroad(new: Encoded, placed: Iterable[Encoded], window: timedelta = WINDOW) -> list[tuple[float, Encoded]]:
    """The article in each other language that is most like `new`, with its likeness; only enough alike, best first."""
    best: dict[str, tuple[float, Encoded]] = {}
    for other in placed:
        if other.language == new.language or abs(other.published - new.published) > window:
            continue
        alike = likeness(new, other)
        if alike >= SAME_EVENT and alike > best.get(other.language, (0.0,))[0]:
            best[other.language] = alike, other
    return sorted(best.values(), key=lambda found: (-found[0], found[1].id))


def continued(new: Encoded, placed: Sequence[Encoded], window: timedelta = WINDOW) -> Continued | None:
    """The story that `new` continues; None if it begins one of its own.

    `placed` are articles with their stories: those in other languages that are most like `new`, those in its own
    language that are most like these, and the other articles of their stories.
    """
    ours = [other for other in placed if other.language == new.language and other.id != new.id]
    for alike, abroad in nearest_abroad(new, placed, window):
        is_best = all(likeness(abroad, rival) <= alike for rival in ours)
        if is_best and _fits(new, [other for other in placed if other.story_id == abroad.story_id]):
            return Continued(abroad.story_id, abroad.id, alike)
    return None


def _fits(new: Encoded, story: Sequence[Encoded]) -> bool:
    near = {other: cosine(new.vector, other.vector) for other in story}
    ours = [value for other, value in near.items() if other.language == new.language]
    return fmean(near.values()) >= CORE and (not ours or fmean(ours) >= CORE_OF_ITS_LANGUAGE)


class RecentAcross:
    """Places articles in stories among those of the last days in memory, by words and then across languages."""

    def __init__(self, encoder: Encoder | None, *, window: timedelta = WINDOW) -> None:
        """Without an encoder articles are placed by their words alone."""
        self._stream, self._encoder, self._window = Stream(window), encoder, window
        self._raw: list[Encoded] = []
        self._known: list[Encoded] = []
        """The same, apart from what is common to them."""
        self._common: Vector = ()
        self._placed = 0

    def place(self, profile: Profile, language: str | None, said: str) -> Placed:
        """Place an article and remember it; `said` is its headline and lead. Call it in order of publication."""
        placed = self._stream.place(profile)
        vector = encoded(said, language, self._encoder) if self._encoder and language else None
        if vector is None:
            return placed
        raw = Encoded(profile.id, language or "", profile.published, vector)
        self._recall(raw)
        new = apart_from(self._common, raw)
        if placed.story_id == profile.id:
            story = continued(new, self._known, self._window)
            if story is not None:
                placed = replace(placed, story_id=story.story_id, score=story.likeness)
                self._stream.move(profile, story.story_id)
        self._raw.append(replace(raw, story_id=placed.story_id))
        self._known.append(replace(new, story_id=placed.story_id))
        return placed

    def _recall(self, new: Encoded) -> None:
        """Forget what is too old; now and then, learn anew what all have in common."""
        self._raw = [one for one in self._raw if new.published - one.published <= self._window]
        self._placed += 1
        if self._placed % _ANEW == 1 or len(self._raw) < _FEW:
            latest = {one.story_id: one.vector for one in self._raw[-OF_DOMAIN:]}
            self._common = domain([*latest.values()])
            self._known = [apart_from(self._common, one) for one in self._raw]
        else:
            self._known = [one for one in self._known if new.published - one.published <= self._window]
