"""Decides which stories of different languages report one event, by the vectors of their articles. Pure.

Words join articles of one language (`transforms.story`). Then whole stories are compared, whenever one has a new
report: a second report often shows what the first did not. Two stories are one if four things agree: their mean
vectors are near, the less so the further apart they were reported; none of either's languages has a story that is
nearer to the other (mutual best, which keeps one story from swallowing many); their articles are near one another
on average, which the means of large stories alone don't show; and their articles do not name different countries, as
attacks on restaurants in Moscow and in Idaho sound alike. `store.across` brings the stories from Elasticsearch.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import mul

from transforms.encoder import Encoder, Vector, domain_prior, unit
from transforms.meaning import encoded
from transforms.profile import Profile
from transforms.story import Placed, Stream

SAME_EVENT = 0.34
"""Minimum likeness of two stories."""
ON_AVERAGE = 0.29
"""Minimum mean cosine of the articles of one and those of the other."""
SAME_LANGUAGE = 0.7
"""Minimum likeness of two stories that have a language in common, whose words were found to differ.

Each must have another language, too: two parts of one event may have found their translations before each other.
"""
GRACE = timedelta(days=1)
"""Reports of one event in two languages are rarely further apart."""
FORGETTING = timedelta(hours=60)
"""Beyond the grace, likeness falls to 1/e in this time."""
LOOK_BACK = timedelta(days=3)
"""Maximum time between the reports of two stories that are joined."""
WINDOW = timedelta(days=7)
OF_DOMAIN = 200
"""Number of the latest articles by which it is known what all of them have in common."""
MOST = 50
"""Articles by which a story is known, its latest ones. One with so many takes others in, and is never moved."""
_PRIOR = 10
"""Weight, in articles, of what comes with the encoder beside these."""
_TOGETHER = 25
"""Articles after which stories are compared, in memory: as many as a small batch brings."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An article by what it says."""

    id: str
    language: str
    published: datetime
    vector: Vector
    story_id: str
    places: frozenset[str] = frozenset()
    """The countries that its headline and lead name; empty if unknown."""
    is_new: bool = False
    """It came in with the batch whose stories are compared, for the first time."""
    by_person: bool = False
    """A person put it into its story."""


@dataclass(frozen=True, slots=True)
class Join:
    """Two stories on one event."""

    story_id: str
    """The one that stays: if one began before this batch, that one, or else the one that began earlier."""
    other_id: str
    """The one whose articles move."""
    likeness: float


def domain(vectors: Sequence[Vector]) -> Vector:
    """What the latest articles have in common: their topics. It is taken off before they are compared (`apart_from`).

    Only tagged articles are encoded, so all of them are near one another: a report on a battalion and one on an
    exercise would be taken for one event. What a young installation can't know yet comes with the encoder.
    """
    columns = zip(domain_prior(), *vectors, strict=True)
    return tuple((prior * _PRIOR + math.fsum(column)) / (len(vectors) + _PRIOR) for prior, *column in columns)


def apart_from(common: Vector, one: Encoded) -> Encoded:
    """The article without what is common to all."""
    rest = unit([x - mean for x, mean in zip(one.vector, common, strict=True)])
    return replace(one, vector=rest or one.vector)


class Group:
    """A story, by its articles."""

    def __init__(self, articles: Sequence[Encoded]) -> None:
        """`articles` are at least one, apart from what is common to all."""
        self.articles = articles
        self.sum = tuple(map(math.fsum, zip(*(one.vector for one in articles), strict=True)))
        self.length = math.sqrt(math.fsum(x * x for x in self.sum)) or 1.0
        self.languages = frozenset(one.language for one in articles)
        self.times = sorted(one.published for one in articles)
        self.is_new = all(one.is_new for one in articles)
        self.is_full = len(articles) >= MOST
        self.by_person = any(one.by_person for one in articles)
        self.places = Counter(one.places for one in articles if one.places)
        """Countries that an article names → number of such articles."""

    @property
    def id(self) -> str:
        """The story's id."""
        return self.articles[0].story_id

    @property
    def mean(self) -> Vector | None:
        """The direction of its articles; None if they have none."""
        return unit(self.sum)


def groups(articles: Iterable[Encoded]) -> dict[str, Group]:
    """Story → its articles."""
    found: dict[str, dict[str, Encoded]] = defaultdict(dict)
    for one in articles:
        found[one.story_id][one.id] = one
    return {story: Group([*of.values()]) for story, of in found.items()}


def likeness(a: Group, b: Group) -> float:
    """How alike two stories are, in [0, 1]; 0 if they can't be one."""
    shared = a.languages & b.languages
    if len(a.languages | b.languages) == 1 or (shared and min(len(a.languages), len(b.languages)) == 1):
        return 0.0
    if not _movable(a, b) and not _movable(b, a):
        return 0.0
    apart = _apart(a.times, b.times)
    if apart > LOOK_BACK:
        return 0.0
    product = sum(map(mul, a.sum, b.sum))
    if product / (len(a.articles) * len(b.articles)) < ON_AVERAGE:
        return 0.0
    alike: float = product / (a.length * b.length) * math.exp(-max(timedelta(0), apart - GRACE) / FORGETTING)
    if alike < (SAME_LANGUAGE if shared else SAME_EVENT) or _elsewhere(a.places, b.places):
        return 0.0
    return alike


def _elsewhere(a: Counter[frozenset[str]], b: Counter[frozenset[str]]) -> bool:
    """Whether most of the articles of one, of those that name any country, name none that those of the other name."""
    apart = sum(n * m for one, n in a.items() for other, m in b.items() if one.isdisjoint(other))
    return apart > a.total() * b.total() / 2


def _movable(story: Group, to: Group) -> bool:
    """Whether a story may move to another. What a person has formed only takes in what has just begun: all else might
    undo what he did."""
    return not story.is_full and not story.by_person and (story.is_new or not to.by_person)


def _apart(a: Sequence[datetime], b: Sequence[datetime]) -> timedelta:
    """The least time between two of these; both are sorted."""
    near = []
    for one in a:
        place = bisect_left(b, one)
        near += [abs(one - other) for other in b[max(0, place - 1) : place + 1]]
    return min(near)


def joins(articles: Iterable[Encoded], touched: Collection[str]) -> list[Join]:
    """The stories to join, one pair after the other: a story that has taken in another may take in a third.

    `articles` are those of the stories `touched`, which have new reports, of those like them, and of those that are
    more like these; each apart from what is common to all.
    """
    return [*_Joining(groups(articles), touched).run()]


class _Joining:
    def __init__(self, stories: dict[str, Group], touched: Collection[str]) -> None:
        self._stories, self._touched = stories, {story for story in touched if story in stories}
        self._alike: dict[str, dict[str, float]] = {}
        """Story → those that it may be one with, and how alike they are."""

    def run(self) -> Iterator[Join]:
        while best := self._best():
            yield best
            one, other = self._stories[best.story_id], self._stories.pop(best.other_id)
            moved = [replace(article, story_id=best.story_id) for article in other.articles]
            self._stories[best.story_id] = Group([*one.articles, *moved])
            self._touched = (self._touched - {best.other_id}) | {best.story_id}
            self._forget(best)

    def _forget(self, done: Join) -> None:
        pair = (done.story_id, done.other_id)
        for story in pair:
            self._alike.pop(story, None)
        united = self._stories[done.story_id]
        for story, alike in self._alike.items():
            for one in pair:
                alike.pop(one, None)
            if value := likeness(self._stories[story], united):
                alike[done.story_id] = value

    def _of(self, story: str) -> dict[str, float]:
        if story not in self._alike:
            group = self._stories[story]
            found = {id_: likeness(group, other) for id_, other in self._stories.items() if id_ != story}
            self._alike[story] = {id_: value for id_, value in found.items() if value}
        return self._alike[story]

    def _best(self) -> Join | None:
        pairs = [(alike, one, other) for one in self._touched for other, alike in self._of(one).items()]
        for alike, one, other in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if not self._has_nearer(one, other, alike) and not self._has_nearer(other, one, alike):
                return _join(self._stories[one], self._stories[other], alike)
        return None

    def _has_nearer(self, one: str, other: str, alike: float) -> bool:
        """Whether a story in a language of `other` is nearer to `one`."""
        spoken = self._stories[other].languages
        rivals = ((id_, value) for id_, value in self._of(one).items() if id_ != other)
        return any(value > alike and not spoken.isdisjoint(self._stories[id_].languages) for id_, value in rivals)


def _join(a: Group, b: Group, alike: float) -> Join:
    stays, moves = sorted((a, b), key=lambda one: (one.is_new, one.times[0], one.id))
    if not _movable(moves, stays):
        stays, moves = moves, stays
    return Join(stays.id, moves.id, alike)


class RecentAcross:
    """Places articles in stories among those of the last days in memory, by words and then across languages."""

    def __init__(self, encoder: Encoder | None, *, window: timedelta = WINDOW) -> None:
        """Without an encoder articles are placed by their words alone."""
        self._stream, self._encoder, self._window = Stream(window), encoder, window
        self._profiles: dict[str, Profile] = {}
        self._placed: dict[str, Placed] = {}
        self._members: dict[str, list[str]] = defaultdict(list)
        self._recent: list[Encoded] = []
        self._waiting: list[str] = []
        """The articles since stories were compared."""

    def add(self, profile: Profile, language: str | None, said: str) -> None:
        """Place an article and remember it; `said` is its headline and lead. Call it in order of publication."""
        placed = self._stream.place(profile)
        self._placed[profile.id], self._profiles[profile.id] = placed, profile
        self._members[placed.story_id].append(profile.id)
        vector = encoded(said, language, self._encoder) if self._encoder and language else None
        if vector is not None:
            self._recent.append(Encoded(profile.id, language or "", profile.published, vector, "", profile.places))
            self._waiting.append(profile.id)
        if len(self._waiting) == _TOGETHER:
            self._compare()

    def placed(self) -> dict[str, Placed]:
        """Article → where it was placed, of all that were added."""
        self._compare()
        return self._placed

    def _compare(self) -> None:
        if not self._waiting:
            return
        last = self._recent[-1].published
        self._recent = [one for one in self._recent if last - one.published <= self._window]
        known = [replace(one, story_id=self._placed[one.id].story_id) for one in self._recent]
        common = domain([*{one.story_id: one.vector for one in known[-OF_DOMAIN:]}.values()])
        touched = {self._placed[id_].story_id for id_ in self._waiting}
        for join in joins((apart_from(common, one) for one in known), touched):
            self._move(join)
        self._waiting = []

    def _move(self, join: Join) -> None:
        moving = self._members.pop(join.other_id)
        for id_ in moving:
            was = self._placed[id_]
            self._placed[id_] = replace(was, story_id=join.story_id, score=was.score or join.likeness)
            self._stream.move(self._profiles[id_], join.story_id)
        self._members[join.story_id] += moving
