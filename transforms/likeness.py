"""Whether two articles report the same event: what both say, and what contradicts. Pure.

Eight numbers of a pair go into a logistic model, which `benchmarks/fit_stories.py` fits to pairs that were read; its
weights stand in `data/story_model.json`. What contradicts keeps a pair apart whatever the model says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from transforms.background import Background
from transforms.profile import Profile

MODEL = Path(__file__).with_name("data") / "story_model.json"
FEATURES = ("cosine", "telling", "rarest", "titles", "missing_names", "same_outlet_title", "strangers", "days")
"""The numbers of a pair, in the order of `features`."""
OTHER_LANGUAGE = 0.3
"""Minimum cosine of two articles in different languages, which share only names and numbers."""
FORGETTING = timedelta(hours=60)
"""Decay of that cosine: after a day's grace it falls to 1/e in this time."""
WHOLE_REPORT = 60
"""Different words from which an article says in its lead who and where, and shares much with others on its event."""
LEAST_SHARED, LEAST_SHARED_WHOLE = 0.03, 0.06
"""Minimum cosine of two articles, and of two whole reports, on one event without the word that adds most to it.

One word, however rare, is no event. Of 266 labelled pairs on one event the model would join none that shares less.
"""
STRANGERS = 8.0
"""Minimum rarity, summed, of the names in each lead that the other article does not have."""
STRANGERS_SHARE = 0.25
"""Minimum cosine of two whole reports whose leads name others: 1 of 266 labelled pairs on one event has less."""
RARE = 3.5
"""Minimum rarity of a pair of Chinese or Japanese characters that may be a name."""
LEAST_FIGURES, SHARED_FIGURES = 8, 0.2
"""An outlet's reports of two days with so many figures are on different events if they share less than this part."""

_IMPOSSIBLE = -50.0
"""Log odds of what can't be."""

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
    title_weight: float
    """Sum of the rarities of the title's stems."""


def weigh(profile: Profile, background: Background) -> Weighed:
    """`profile` with the weights of its words."""
    language = profile.language
    rarity = {stem: background.rarity(language, stem) for stem in profile.words | profile.terms.keys()}
    title = {stem: rarity[stem] for stem in profile.title}
    return Weighed(
        profile=profile,
        rarity=rarity,
        vector=_normalised({stem: weight * rarity[stem] for stem, weight in profile.terms.items()}),
        title=_normalised(title),
        title_weight=sum(title.values()),
    )


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {stem: weight / length for stem, weight in weights.items() if weight} if length else {}


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Model:
    """The logistic model of a pair."""

    bias: float
    weights: tuple[float, ...]
    """In the order of `FEATURES`."""


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
        odds = self.content + model().weights[-1] * (self.days if days is None else days)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


def likeness(a: Weighed, b: Weighed) -> Likeness:
    """How alike two articles in one language are.

    Not at all if one title shares no word with the other article, or if hardly anything is shared: what else they have
    in common may be the subject of both.
    """
    products = _products(a, b)
    *content, days = _features(a, b, products)
    titles, strangers = content[FEATURES.index("titles")], content[FEATURES.index("strangers")]
    least = LEAST_SHARED_WHOLE if _whole_reports(a, b) else LEAST_SHARED
    if not titles or sum(products[1:]) < least or (strangers and sum(products) < STRANGERS_SHARE):
        return Likeness(_IMPOSSIBLE, days)
    weights = model().weights
    return Likeness(model().bias + sum(w * v for w, v in zip(weights[:-1], content, strict=True)), days)


def features(a: Weighed, b: Weighed) -> tuple[float, ...]:
    """The numbers of a pair, scaled to about [0, 2] except for the days."""
    return _features(a, b, _products(a, b))


def _products(a: Weighed, b: Weighed) -> list[float]:
    """What each shared stem adds to the cosine, most first."""
    return sorted((a.vector[stem] * b.vector[stem] for stem in a.vector.keys() & b.vector.keys()), reverse=True)


def _features(a: Weighed, b: Weighed, products: Sequence[float]) -> tuple[float, ...]:
    one, other = a.profile, b.profile
    rarest = sorted((a.rarity[stem] for stem in one.head & other.head), reverse=True)[:5]
    titles = min(_found(a, one.title & other.words), _found(b, other.title & one.words))
    missing = max(_found(a, _names(a) - other.words), _found(b, _names(b) - one.words))
    same_outlet = one.source == other.source
    return (
        sum(products),
        sum(products[:3]),
        sum(rarest) / 15,
        math.log1p(titles) / 2,
        missing / 6,
        cosine(a.title, b.title) if same_outlet else 0.0,
        float(_strangers(a, b)),
        days_between(one.published, other.published),
    )


def _found(weighed: Weighed, stems: Iterable[str]) -> float:
    return sum(weighed.rarity[stem] for stem in stems)


def _strangers(a: Weighed, b: Weighed) -> bool:
    """Whether both are whole reports and the leads name others: most of the names in each are not in the other."""
    return _whole_reports(a, b) and _names_others(a, b) and _names_others(b, a)


def _whole_reports(a: Weighed, b: Weighed) -> bool:
    return min(len(a.profile.words), len(b.profile.words)) >= WHOLE_REPORT


def _names_others(a: Weighed, b: Weighed) -> bool:
    names = a.profile.lead_names
    missing = _found(a, names - b.profile.words)
    return missing > STRANGERS and 2 * missing > _found(a, names)


def _names(weighed: Weighed) -> frozenset[str]:
    names = weighed.profile.names
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
    """Likeness of two articles in different languages, by the names and numbers that both write alike, in [0, 1]."""
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
