"""Groups articles that report the same event into stories, whether they share text or not.

An article's profile consists of its fingerprint and the weighted stems of its title and first words (Allan et al.,
"Topic detection and tracking pilot study", 1998: the lead identifies the event). Each article is placed once, in order
of arrival: in the story of the article it copies, else in the story with the nearest profile, else in a story of its
own. The module is pure; candidates come from Elasticsearch or, offline, from `Recent`.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain

from transforms.fingerprint import Fingerprint, are_copies, fingerprint, jaccard, own_words
from transforms.fold import fold

WINDOW = timedelta(days=7)
"""Maximum time between two articles of a story."""
LEAD_WORDS = 120
"""Words at the beginning of the text that identify the event."""
TITLE_WEIGHT = 2.5
SAME_STORY = 0.2
"""Minimum similarity of an article to its story."""
FORGETTING = timedelta(hours=60)
"""Decay: after a day's grace, a story's pull on new articles falls to 1/e in this time."""

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_ARABIC_HEAD = re.compile(r"^(?:[وفبكل]?ال|لل|[وف](?=\w{4}))")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


Vector = Mapping[str, float]
"""Stem → weight, normalised to length 1."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The features of an article that place it in a story."""

    id: str
    published: datetime
    """Aware, in UTC."""
    source: str
    terms: Mapping[str, float]
    """Stem → weight."""
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class Placed:
    """The story in which an article was placed."""

    id: str
    story_id: str
    duplicate_of: str | None
    """The earliest article with the same text."""
    score: float
    """Similarity to the story in [0, 1]; 0 for a story of its own."""


@dataclass(frozen=True, slots=True)
class StoryCandidate:
    """An article that already has a story."""

    profile: Profile
    story_id: str
    duplicate_of: str | None = None
    vector: Vector | None = None
    """The profile's vector, if it is already computed."""


def profile(*, id: str, title: str, text: str, published: datetime, source: str = "", summary: str = "") -> Profile:
    """The profile of an article; `summary` replaces a missing text."""
    body = text or summary
    return Profile(id, published.astimezone(UTC), source, story_terms(title, body), fingerprint(body))


def story_terms(title: str, text: str) -> dict[str, float]:
    """Stem → weight for the title and the first words of the text; earlier words weigh more."""
    weights: dict[str, float] = defaultdict(float)
    for stem in dict.fromkeys(stems(title)):
        weights[stem] += TITLE_WEIGHT
    for n, stem in enumerate(stems(own_words(text)[: 10 * LEAD_WORDS])[:LEAD_WORDS]):
        weights[stem] += 1 / (1 + n / 40)
    return {stem: 1 + math.log(w) if w > 1 else w for stem, w in weights.items()}


def stems(text: str) -> list[str]:
    """The stems of `text`: the first six letters of a word, five in Arabic, pairs of characters in CJK."""
    return list(chain.from_iterable(map(_stems, _TOKEN.findall(fold(text).text))))


@lru_cache(maxsize=50_000)  # the same words recur in most texts
def _stems(token: str) -> tuple[str, ...]:
    if _CJK.match(token):
        return tuple(token[n : n + 2] for n in range(max(1, len(token) - 1)))
    if "\u0600" <= token[0] <= "\u06ff":
        token = _ARABIC_HEAD.sub("", token)
        return (token[:5],) if len(token) > 2 else ()
    if token.isdigit():
        return (token,) if len(token) > 1 else ()
    return (token[:6],) if len(token) > 2 else ()


class Background:
    """Document frequencies of stems. A stem of most articles does not identify an event."""

    def __init__(self) -> None:
        self._documents = 0
        self._counts: Counter[str] = Counter()

    @classmethod
    def of(cls, documents: int, counts: Mapping[str, int]) -> Background:
        """The background of `documents` articles; `counts` holds the number of articles for each stem."""
        background = cls()
        background._documents, background._counts = documents, Counter(counts)
        return background

    def add(self, terms: Iterable[str]) -> None:
        """Count one article."""
        self._documents += 1
        self._counts.update(terms)

    def weight(self, stem: str) -> float:
        """Inverse document frequency, at least 0; an unknown stem weighs most."""
        return max(0.0, math.log((self._documents + 20) / (self._counts[stem] + 0.5) / 20 * 10))

    def vector(self, profile: Profile) -> Vector:
        """The profile's stems weighted by rarity and normalised to length 1; empty if all are common."""
        rarity = {stem: self.weight(stem) for stem in profile.terms}
        raw = {s: w * rarity[s] for s, w in profile.terms.items() if rarity[s] > 0}
        length = math.sqrt(sum(v * v for v in raw.values()))
        return {s: v / length for s, v in raw.items()} if length else {}


def _cosine(a: Vector, b: Vector) -> float:
    return sum(a[s] * b[s] for s in a.keys() & b.keys())


def _nearness(a: datetime, b: datetime) -> float:
    apart = abs(a - b)
    return math.exp(-max(timedelta(0), apart - timedelta(days=1)) / FORGETTING)


def place(
    new: Profile, candidates: Sequence[StoryCandidate], background: Background, *, window: timedelta = WINDOW
) -> Placed:
    """The story of `new`, chosen among `candidates`. Candidates outside `window` are ignored."""
    near = [c for c in candidates if c.profile.id != new.id and abs(c.profile.published - new.published) <= window]
    original = _original(new, near)
    if original is not None:
        return Placed(new.id, original.story_id, original.duplicate_of or original.profile.id, 1.0)
    story, score = _nearest_story(new, near, background)
    return Placed(new.id, story, None, score) if score >= SAME_STORY else Placed(new.id, new.id, None, 0.0)


def _original(new: Profile, near: Sequence[StoryCandidate]) -> StoryCandidate | None:
    """The candidate that `new` copies: the most similar one, the earliest of equals; None if there is none."""
    copies = [c for c in near if _copies(new, c.profile)]
    if not copies:
        return None
    return max(
        copies, key=lambda c: (jaccard(new.fingerprint, c.profile.fingerprint), -c.profile.published.timestamp())
    )


def _copies(a: Profile, b: Profile) -> bool:
    return are_copies(a.fingerprint, b.fingerprint, same_outlet=bool(a.source) and a.source == b.source)


def _nearest_story(new: Profile, near: Sequence[StoryCandidate], background: Background) -> tuple[str, float]:
    """The most similar story and its similarity: half of its nearest article's, half the mean of its three nearest."""
    by_story: dict[str, list[float]] = defaultdict(list)
    vector = background.vector(new)
    for candidate in near:
        other = background.vector(candidate.profile) if candidate.vector is None else candidate.vector
        nearness = _nearness(new.published, candidate.profile.published)
        by_story[candidate.story_id].append(_cosine(vector, other) * nearness)
    scores = {story: _story_score(likes) for story, likes in by_story.items()}
    best = max(sorted(scores), key=lambda story: scores[story], default="")
    return best, scores.get(best, 0.0)


def _story_score(likes: list[float]) -> float:
    nearest = sorted(likes, reverse=True)[:3]
    return (nearest[0] + sum(nearest) / len(nearest)) / 2


@dataclass(slots=True)
class Recent:
    """Finds candidates among the articles of the last days in memory, as Elasticsearch does in production."""

    background: Background = field(default_factory=Background)
    window: timedelta = WINDOW
    _by_band: dict[str, list[StoryCandidate]] = field(default_factory=lambda: defaultdict(list))
    _by_term: dict[str, list[StoryCandidate]] = field(default_factory=lambda: defaultdict(list))

    def place(self, new: Profile) -> Placed:
        """Place `new` and remember it as a candidate."""
        self.background.add(new.terms)
        placed = place(new, self._candidates(new), self.background, window=self.window)
        candidate = StoryCandidate(new, placed.story_id, placed.duplicate_of, self.background.vector(new))
        for band in new.fingerprint.bands:
            self._by_band[band].append(candidate)
        for term in new.terms:
            self._by_term[term].append(candidate)
        return placed

    def move(self, article: Profile, story_id: str) -> None:
        """Put an article that has just been placed into another story."""
        for index, keys in ((self._by_band, article.fingerprint.bands), (self._by_term, tuple(article.terms))):
            for key in keys:
                index[key] = [replace(c, story_id=story_id) if c.profile.id == article.id else c for c in index[key]]

    def _candidates(self, new: Profile, most: int = 60) -> list[StoryCandidate]:
        """Possible copies, which share a band, and the articles that share the weightiest stems."""
        copies = {c.profile.id: c for band in new.fingerprint.bands for c in self._recent(self._by_band, band, new)}
        votes: dict[str, float] = defaultdict(float)
        sharing: dict[str, StoryCandidate] = {}
        for term in self.telling_terms(new):
            for candidate in self._recent(self._by_term, term, new):
                votes[candidate.profile.id] += self.background.weight(term)
                sharing[candidate.profile.id] = candidate
        best = sorted(votes, key=lambda id: (-votes[id], id))[:most]
        return list({**copies, **{id: sharing[id] for id in best}}.values())

    def telling_terms(self, new: Profile, most: int = 16) -> list[str]:
        """The stems that find candidates for `new`, weightiest first."""
        weights = {s: w * self.background.weight(s) for s, w in new.terms.items()}
        return sorted(weights, key=lambda s: (-weights[s], s))[:most]

    def _recent(self, index: dict[str, list[StoryCandidate]], key: str, new: Profile) -> list[StoryCandidate]:
        kept = [c for c in index.get(key, ()) if new.published - c.profile.published <= self.window]
        if kept:
            index[key] = kept
        else:
            index.pop(key, None)
        return kept
