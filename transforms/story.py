"""Groups articles that report the same event into stories, whether they share text or not.

Each article is placed once, in order of arrival: in the story of the article it copies, else in the story that is most
probably on its event, else in a story of its own. An article must fit the whole of a story, not only its last report,
or one story would take in another by way of articles on both (Allan et al., "Topic detection and tracking pilot study",
1998). The module is pure; candidates come from Elasticsearch or, offline, from `Recent`.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from transforms.background import Background, has_base
from transforms.fingerprint import are_copies, jaccard
from transforms.likeness import OTHER_LANGUAGE, Weighed, contradicts, likeness, likeness_across, weigh
from transforms.profile import Profile

WINDOW = timedelta(days=7)
"""Maximum time between two articles of a story."""
SAME_STORY = 0.55
"""Minimum score of an article in its story; pairs of a stream joined by less were mostly on two events."""
NEAREST = 0.25
"""Share of the nearest article in the score; the rest is the mean of all."""
FITS = 0.25
"""Minimum probability that an article of a story and a new one are on one event; it must hold for half of the story."""
SAME_TEXT = 0.9
"""Minimum Jaccard index from which copies need not be on the same event by their words as well."""
REISSUED = timedelta(days=3)
"""Maximum time after which an outlet gives an article another headline; its text again after that is of a series."""
CANDIDATES = 30
"""Candidates for each article; a story rarely has more close ones."""
TELLING_TERMS = 16
"""Stems by which candidates are searched."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The story in which an article was placed."""

    id: str
    story_id: str
    duplicate_of: str | None
    """The earliest article with the same text."""
    score: float
    """How probably the article is on the story's event, in [0, 1]; 0 for a story of its own."""


@dataclass(frozen=True, slots=True)
class StoryCandidate:
    """An article that already has a story."""

    weighed: Weighed
    story_id: str
    duplicate_of: str | None = None
    shares_band: bool = True
    """Whether it may have the same text; False saves its fingerprint."""

    @property
    def profile(self) -> Profile:
        """The article's profile."""
        return self.weighed.profile


def place(new: Weighed, candidates: Sequence[StoryCandidate], *, window: timedelta = WINDOW) -> Placed:
    """The story of `new`, chosen among `candidates`. Candidates outside `window` are ignored."""
    article = new.profile
    near = [
        c for c in candidates if c.profile.id != article.id and abs(c.profile.published - article.published) <= window
    ]
    original = _original(new, near)
    if original is not None:
        return Placed(article.id, original.story_id, original.duplicate_of or original.profile.id, 1.0)
    story, score = _best_story(new, near)
    return Placed(article.id, story, None, score) if score >= SAME_STORY else Placed(article.id, article.id, None, 0.0)


def _original(new: Weighed, near: Sequence[StoryCandidate]) -> StoryCandidate | None:
    """The candidate that `new` copies: the most similar one, the earliest of equals; None if there is none."""
    copied = [(alike, candidate) for candidate in near if (alike := _copied(new, candidate))]
    if not copied:
        return None
    return max(copied, key=lambda c: (c[0], -c[1].profile.published.timestamp(), c[1].profile.id))[1]


def _copied(new: Weighed, candidate: StoryCandidate) -> float:
    """The Jaccard index of two copies; 0 if they are none.

    An outlet puts the same words around different articles, and a line or two may be all that a feed says of each. So
    articles with such texts must also be on one event by their headlines and first words. Days later, under another
    headline, they are two issues of a series: the matches of one round and of the next.
    """
    if not candidate.shares_band:
        return 0.0
    article, other = new.profile, candidate.profile
    bands = set(article.fingerprint.bands)
    if bands and bands.isdisjoint(other.fingerprint.bands):
        return 0.0
    same_outlet = bool(article.source) and article.source == other.source
    apart = abs(article.published - other.published)
    if same_outlet and apart > REISSUED and article.title != other.title:
        return 0.0
    if not are_copies(article.fingerprint, other.fingerprint, same_outlet=same_outlet):
        return 0.0
    alike = jaccard(article.fingerprint, other.fingerprint)
    if bands and (alike >= SAME_TEXT or not same_outlet):
        return alike
    on_one_event = likeness(new, candidate.weighed).probability(days=0) >= SAME_STORY
    return alike if on_one_event and not contradicts(article, other) else 0.0


def _best_story(new: Weighed, near: Sequence[StoryCandidate]) -> tuple[str, float]:
    by_story: dict[str, list[Weighed]] = defaultdict(list)
    for candidate in near:
        by_story[candidate.story_id].append(candidate.weighed)
    scores = {story: _story_score(new, members) for story, members in by_story.items()}
    best = max(sorted(scores), key=lambda story: scores[story], default="")
    return best, scores.get(best, 0.0)


def _story_score(new: Weighed, members: Sequence[Weighed]) -> float:
    """How probably `new` is on the event of `members`, in [0, 1]: by the nearest one, and by all of them.

    0 if it fits less than half of them, or contradicts one.

    A story goes on from day to day, so all are compared as if they had appeared with the one that is nearest in time.
    """
    language = new.profile.language
    alike = [member for member in members if member.profile.language == language]
    if not alike:
        return min(1.0, max(likeness_across(new, member) for member in members) * SAME_STORY / OTHER_LANGUAGE)
    if any(contradicts(new.profile, member.profile) for member in alike):
        return 0.0
    found = [likeness(new, member) for member in alike]
    least = min(one.days for one in found)
    nearest = max(one.probability() for one in found)
    all_of_them = [one.probability(days=least) for one in found]
    if statistics.median_high(all_of_them) < FITS:
        return 0.0
    return NEAREST * nearest + (1 - NEAREST) * statistics.fmean(all_of_them)


def telling_terms(new: Weighed, most: int = TELLING_TERMS) -> list[str]:
    """The stems that find candidates for `new`, weightiest first."""
    found = sorted(new.vector, key=lambda stem: (-new.vector[stem], stem))
    return found[:most]


@dataclass(slots=True)
class Recent:
    """Finds candidates among articles in memory, as Elasticsearch does among the stored ones."""

    window: timedelta = WINDOW
    _by_band: dict[str, list[StoryCandidate]] = field(default_factory=lambda: defaultdict(list))
    _by_term: dict[str, list[StoryCandidate]] = field(default_factory=lambda: defaultdict(list))

    def add(self, candidate: StoryCandidate) -> None:
        """Remember an article that has a story."""
        for band in candidate.profile.fingerprint.bands:
            self._by_band[band].append(candidate)
        for term in candidate.profile.terms:
            self._by_term[term].append(candidate)

    def move(self, article: Profile, story_id: str) -> None:
        """Put an article that has just been placed into another story."""
        for index, keys in ((self._by_band, article.fingerprint.bands), (self._by_term, tuple(article.terms))):
            for key in keys:
                index[key] = [replace(c, story_id=story_id) if c.profile.id == article.id else c for c in index[key]]

    def candidates(self, new: Weighed, most: int = CANDIDATES) -> list[StoryCandidate]:
        """Possible copies, which share a band, and the articles that share the weightiest stems."""
        article = new.profile
        copies = {
            c.profile.id: c for band in article.fingerprint.bands for c in self._recent(self._by_band, band, article)
        }
        votes: dict[str, float] = defaultdict(float)
        sharing: dict[str, StoryCandidate] = {}
        for term in telling_terms(new):
            for candidate in self._recent(self._by_term, term, article):
                votes[candidate.profile.id] += new.vector[term]
                sharing[candidate.profile.id] = candidate
        best = sorted(votes, key=lambda id: (-votes[id], id))[:most]
        return list({**{id: sharing[id] for id in best}, **copies}.values())

    def _recent(self, index: dict[str, list[StoryCandidate]], key: str, article: Profile) -> Sequence[StoryCandidate]:
        kept = [c for c in index.get(key, ()) if article.published - c.profile.published <= self.window]
        if kept:
            index[key] = kept
        else:
            index.pop(key, None)
        return kept


@dataclass(slots=True)
class Stream:
    """Places articles that come one after the other, without a store."""

    window: timedelta = WINDOW
    _background: Background = field(default_factory=Background)
    _recent: Recent = field(init=False)

    def __post_init__(self) -> None:
        self._recent = Recent(self.window)

    def place(self, new: Profile) -> Placed:
        """Place `new` and remember it as a candidate."""
        if not has_base(new.language):
            self._background.add(new.language, new.terms)
        weighed = weigh(new, self._background)
        placed = place(weighed, self._recent.candidates(weighed), window=self.window)
        self._recent.add(StoryCandidate(weighed, placed.story_id, placed.duplicate_of))
        return placed

    def move(self, article: Profile, story_id: str) -> None:
        """Put an article that has just been placed into another story."""
        self._recent.move(article, story_id)
