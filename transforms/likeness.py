"""Whether two articles report the same event: what both say, and what contradicts. Pure.

Eight numbers of a pair, each another kind of evidence, go into a logistic model, which `benchmarks/fit_stories.py` fits
to pairs that were read; its weights stand in `data/story_model.json`. None is negative, so more in common never makes
one event less likely, and what speaks against it is a negative number. What contradicts keeps a pair apart whatever the
model says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from transforms.background import Background
from transforms.profile import Profile

MODEL = Path(__file__).with_name("data") / "story_model.json"
FEATURES = (
    "headline",
    "central",
    "rarest",
    "names",
    "figures",
    "missing_names",
    "same_outlet_title",
    "days",
)
"""The numbers of a pair, in the order of `features`."""
OTHER_LANGUAGE = 0.3
"""Minimum cosine of two articles in different languages, which share only names and numbers."""
FORGETTING = timedelta(hours=60)
"""Decay of that cosine: after a day's grace it falls to 1/e in this time."""
WHOLE_REPORT = 5.2
"""Log odds that two articles of `LONG_WORDS` different words must make up for by more in common.

Long texts share words by chance. The labelled pairs are short items for the most part, and can't teach it.
"""
SHORT_WORDS, LONG_WORDS, LONGEST = 60, 200, 1.15
"""Different words up to which nothing is made up for, those of a whole report, and the limit in its parts."""
CENTRAL = 12
"""Stems that say most of what an article is about."""
RAREST = 5
AGREED, ALONE = 0.2, 0.25
"""The part of either headline from which shared words count in full, and what they count without any of it.

Two items with one line of text ("Follow it all live here") share all their words and no event.
"""
MOST_RARITY = 5.5
"""A single word counts as no rarer: the rarest ones are mostly misprints."""
NAME = 2.0
"""Minimum rarity of a name that tells an event."""
FIGURE = 4.0
"""Rarity from which a number counts in full."""
RARE = 3.5
"""Minimum rarity of a pair of Chinese or Japanese characters that may be a name."""
LEAST_FIGURES, SHARED_FIGURES = 8, 0.2
"""An outlet's reports of two days with so many figures are on different events if they share less than this part."""

Vector = Mapping[str, float]
"""Stem → weight, normalised to length 1."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A profile whose words are weighted by their rarity."""

    profile: Profile
    rarity: Mapping[str, float]
    """Stem → rarity, for all words of the profile."""
    vector: Vector
    """The title and the first words."""
    title: Vector
    headline: Mapping[str, float]
    """Stem of the title → weight."""
    central: Mapping[str, float]
    """Stem → weight, of those that say most of what the article is about."""
    names: Mapping[str, float]
    """Stem → weight, of names that it has more than once or in its title."""


def weigh(profile: Profile, background: Background) -> Weighed:
    """`profile` with the weights of its words."""
    rarity = background.rarities(profile.language, profile.counts)
    weights = {
        stem: _TIMES[count] * (rare if (rare := rarity[stem]) < MOST_RARITY else MOST_RARITY)
        for stem, count in profile.counts.items()
    }
    return Weighed(
        profile=profile,
        rarity=rarity,
        vector=_normalised({stem: weight * rarity[stem] for stem, weight in profile.terms.items()}),
        title=_normalised({stem: rarity[stem] for stem in profile.title}),
        headline={stem: min(rarity[stem], MOST_RARITY) for stem in profile.title},
        central=_weightiest(weights, CENTRAL),
        names={
            stem: _TIMES[count] * min(rarity[stem], MOST_RARITY)
            for stem, count in profile.names.items()
            if count > 1 and rarity.get(stem, 0.0) > NAME
        },
    )


class _Times(dict[int, float]):
    """How often a word stands in an article → what that counts."""

    def __missing__(self, count: int) -> float:
        self[count] = found = 1 + math.log(count)
        return found


_TIMES = _Times()


def _weightiest(weights: Mapping[str, float], most: int) -> dict[str, float]:
    """The `most` weightiest stems, weightiest first; most stems are sorted as numbers, which is four times as fast."""
    least = sorted(weights.values())[-most:][:1]
    found = [(-weight, stem) for stem, weight in weights.items() if weight >= least[0]]
    return {stem: -weight for weight, stem in sorted(found)[:most]}


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {stem: weight / length for stem, weight in weights.items() if weight} if length else {}


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Model:
    """The logistic model of a pair."""

    bias: float
    weights: tuple[float, ...]
    """In the order of `FEATURES`; none is negative."""


@cache
def model() -> Model:
    """The model in force."""
    read: dict[str, Any] = json.loads(MODEL.read_text(encoding="utf-8"))
    return Model(read["bias"], tuple(read["weights"][name] for name in FEATURES))


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two articles are in what they say, and how far apart in time."""

    content: float
    """Log odds that both are on one event if they appear at the same moment."""
    days: float

    def probability(self, days: float | None = None) -> float:
        """The probability that both are on one event; `days` instead of the days between them."""
        odds = self.content - model().weights[-1] * (self.days if days is None else days)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


def likeness(a: Weighed, b: Weighed) -> Likeness:
    """How alike two articles in one language are."""
    headline, central, rarest, *others, days = features(a, b)
    # Not fitted: nearly all pairs that were read have headlines that agree.
    agreed = min(1.0, ALONE + (1 - ALONE) * headline / AGREED)
    content = (headline, agreed * central, agreed * rarest, *others)
    weights = model().weights
    evidence = sum(w * v for w, v in zip(weights[:-1], content, strict=True))
    return Likeness(model().bias + made_up_for(a, b) + evidence, -days)


def made_up_for(a: Weighed, b: Weighed) -> float:
    """What the shorter one's length adds to the log odds, at most 0."""
    words = min(len(a.profile.counts), len(b.profile.counts))
    part = math.log((words + 10) / (SHORT_WORDS + 10)) / math.log((LONG_WORDS + 10) / (SHORT_WORDS + 10))
    return -WHOLE_REPORT * max(0.0, min(LONGEST, part))


def features(a: Weighed, b: Weighed) -> tuple[float, ...]:
    """The numbers of a pair: in about [0, 2] if they speak for one event, at most 0 if they speak against it."""
    one, other = a.profile, b.profile
    shared = sorted((min(a.rarity[stem], b.rarity[stem]) for stem in one.head & other.head), reverse=True)
    missing = max(_found(a, _names(a) - other.counts.keys()), _found(b, _names(b) - one.counts.keys()))
    same_outlet = bool(one.source) and one.source == other.source
    figures = one.figures.all & other.figures.all
    return (
        max(_share(a.headline, other.opening), _share(b.headline, one.opening)),
        min(_share(a.central, other.counts), _share(b.central, one.counts)),
        sum(shared[:RAREST]) / 15,
        _shared_names(a, b),
        math.log1p(sum(min(1.0, a.rarity.get(figure, FIGURE) / FIGURE) for figure in figures)),
        -missing / 6,
        -cosine(a.title, b.title) if same_outlet else 0.0,
        -days_between(one.published, other.published),
    )


def _share(weights: Mapping[str, float], words: Iterable[str] | Mapping[str, int]) -> float:
    """The part of the weight that `words` have; 0 if there is none."""
    whole = sum(weights.values())
    return sum(weight for stem, weight in weights.items() if stem in words) / whole if whole else 0.0


def _shared_names(a: Weighed, b: Weighed) -> float:
    """The least part of the names of either that the other has; half if neither names anybody."""
    parts = [_share(x.names, y.profile.counts) for x, y in ((a, b), (b, a)) if x.names]
    return min(parts, default=0.5)


def _found(weighed: Weighed, stems: Iterable[str]) -> float:
    return sum(weighed.rarity[stem] for stem in stems)


def _names(weighed: Weighed) -> frozenset[str]:
    names = weighed.profile.title_names
    if names and names == weighed.profile.title:  # a script without capitals
        return frozenset(stem for stem in names if weighed.rarity[stem] > RARE)
    return names


def cosine(a: Vector, b: Vector) -> float:
    """The cosine of two vectors, in [0, 1]."""
    return sum(a[stem] * b[stem] for stem in a.keys() & b.keys())


def days_between(a: datetime, b: datetime) -> float:
    """Days between two moments."""
    return abs(a - b) / timedelta(days=1)


def likeness_across(a: Weighed, b: Weighed) -> float:
    """Likeness of two articles in different languages, by the names and numbers that both write alike, in [0, 1].

    0 if they name different countries: figures and a word or two agree by chance.
    """
    one, other = a.profile.places, b.profile.places
    if one and other and one.isdisjoint(other):
        return 0.0
    apart = abs(a.profile.published - b.profile.published)
    decay = math.exp(-max(timedelta(0), apart - timedelta(days=1)) / FORGETTING)
    return cosine(a.vector, b.vector) * decay


# ── contradictions ───────────────────────────────────────────────────────────────────────────────────────────────────


def contradicts(a: Profile, b: Profile) -> bool:
    """Whether figures or dates say that two articles are on different events.

    A headline with its own date is an issue of a series (a digest, a day's programme): it joins no other day's. Neither
    do two earthquakes of different magnitudes, unless one report mentions both, nor two days of an outlet's tables.
    """
    return _dates_differ(a, b) or _decimals_differ(a, b) or _tables_differ(a, b)


def _dates_differ(a: Profile, b: Profile) -> bool:
    one, other = a.figures.days, b.figures.days
    return bool(one or other) and not one & other


def _decimals_differ(a: Profile, b: Profile) -> bool:
    one, other = a.figures, b.figures
    if not one.title_decimals or not other.title_decimals:
        return False
    return not one.title_decimals & other.decimals and not other.title_decimals & one.decimals


def _tables_differ(a: Profile, b: Profile) -> bool:
    if a.source != b.source or a.published.date() == b.published.date():
        return False
    one, other = a.figures.all, b.figures.all
    fewer = min(len(one), len(other))
    return fewer >= LEAST_FIGURES and len(one & other) < SHARED_FIGURES * fewer
