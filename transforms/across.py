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

from transforms.encoder import Encoder, Vector, cosine
from transforms.meaning import encoded
from transforms.story import Placed, Profile, Recent

SAME_EVENT = 0.3
"""Minimum likeness of an article to the one of another language that it is joined by."""
CORE = 0.2
"""Minimum mean cosine to all articles of the story."""
CORE_OF_ITS_LANGUAGE = 0.3
"""The same to those in its own language: their words were found to differ."""
GRACE = timedelta(days=1)
"""Reports of one event in two languages are rarely further apart."""
FORGETTING = timedelta(hours=60)
"""Beyond the grace, likeness falls to 1/e in this time."""
WINDOW = timedelta(days=7)


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
        self._recent, self._encoder, self._window = Recent(window=window), encoder, window
        self._encoded: list[Encoded] = []

    def place(self, profile: Profile, language: str | None, said: str) -> Placed:
        """Place an article and remember it; `said` is its headline and lead. Call it in order of publication."""
        placed = self._recent.place(profile)
        vector = encoded(said, language, self._encoder) if self._encoder and language else None
        if vector is None:
            return placed
        new = Encoded(profile.id, language or "", profile.published, vector)
        self._encoded = [e for e in self._encoded if new.published - e.published <= self._window]
        if placed.story_id == profile.id:
            story = continued(new, self._encoded, self._window)
            if story is not None:
                placed = replace(placed, story_id=story.story_id, score=story.likeness)
                self._recent.move(profile, story.story_id)
        self._encoded.append(replace(new, story_id=placed.story_id))
        return placed
