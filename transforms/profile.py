"""An article's profile: the words, names, figures and dates that tell the event which it reports. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from itertools import chain
from sys import intern

from newswatch.scripts import KANA_AND_HAN
from transforms.fingerprint import Fingerprint, fingerprint, own_words
from transforms.fold import fold
from transforms.places import places_of

LEAD_WORDS = 120
"""Words at the beginning of the text that find other articles on the event."""
HEAD_WORDS = 60
"""Different words at the beginning that are compared one by one."""
OPENING_WORDS = 40
"""Words of the first sentences, in which another article's headline is looked for."""
TITLE_WEIGHT = 2.5
TITLE_COUNT = 2
"""A word of the title counts as if it stood so often in the text."""
MOST_STEMS = 500
"""Stems of a text that are kept."""
MOST_TITLE_STEMS = 60
PLACES_CHARS = 300
"""Characters of title and text in which countries are looked for: further on others are named, too."""
_WORD_CHARS = 30
_CHARS = 3_000
"""Characters of the text that are read."""

_TOKEN = re.compile(rf"[{KANA_AND_HAN}]+|[^\W_{KANA_AND_HAN}]+")
_ARABIC_HEAD = re.compile(r"^(?:[وفبكل]?ال|لل|[وف](?=\w{4}))")
_CJK = re.compile(f"[{KANA_AND_HAN}]")
_LETTERS = re.compile(r"[^\W\d_][\w’'-]*")
_SENTENCE_END = re.compile(r"[.!?:;\n\"“”„«»–—-]\s*")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_DECIMAL = re.compile(r"(?<![\d.,])\d{1,2}[.,]\d(?!\d)")
_YEAR = re.compile(r"20[012]\d")
_DAY_AND_MONTH = re.compile(r"(?<!\d)(\d{1,2})\s?[/.]\s?(\d{1,2})(?!\d)")
_WRITTEN_DATE = re.compile(
    r"(?<!\d)(\d{1,2})\.?\s+[^\W\d]{3,12}\.?\s+20\d\d|[^\W\d]{3,12}\s+(\d{1,2}),?\s+20\d\d|\d{1,2}月(\d{1,2})日"
)


class Body:
    """An article's text. Its fingerprint is computed when it is first asked for: few candidates may be copies."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the text."""
        return fingerprint(self.text)


@dataclass(frozen=True, slots=True)
class Gist:
    """What is kept of an article's words: all that a profile is made of, without reading the text again.

    Each value is a list of stems or numbers with blanks between them, in the order of the article.
    """

    title: str = ""
    body: str = ""
    names: str = ""
    """Words of the text that have a capital within a sentence; none in scripts without capitals."""
    title_names: str = ""
    """Those of the title; all its stems in Chinese and Japanese."""
    figures: str = ""
    """Numbers of title and text as they are written, without single digits and years."""
    decimals: str = ""
    """Those like 7.7, with a point."""
    title_decimals: str = ""
    days: str = ""
    """The days of the month in the title that say when it was published: the mark of a series."""
    places: str = ""
    """The countries that title and lead name; empty as well for what was stored before they were looked for."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of an article, as they are written."""

    all: frozenset[str]
    """Of title and text, without single digits and years."""
    decimals: frozenset[str]
    """Those like 7.7, of title and text, with a point."""
    title_decimals: frozenset[str]
    """Those of the title alone: a magnitude, a rate."""
    days: frozenset[int]
    """The days of the month in the title that say when it was published: the mark of a series."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The features of an article that place it in a story."""

    id: str
    published: datetime
    """Aware, in UTC."""
    source: str
    language: str
    """Empty if unknown."""
    terms: Mapping[str, float]
    """Stem → weight, of the title and the first words."""
    title: frozenset[str]
    """The stems of the title."""
    opening: frozenset[str]
    """The stems of the title and of the first sentences."""
    head: frozenset[str]
    """The stems of the title and of the first words."""
    counts: Mapping[str, int]
    """Stem → how often title and text have it."""
    title_names: frozenset[str]
    """The stems of the title that are names; in Chinese and Japanese all its stems."""
    names: Mapping[str, int]
    """Stem of a name → how often title and text have it; none in scripts without capitals."""
    figures: Figures
    places: frozenset[str]
    """The countries that title and lead name; empty if unknown."""
    body: Body

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the text."""
        return self.body.fingerprint


def profile(
    *,
    id: str,
    title: str,
    text: str,
    published: datetime,
    source: str = "",
    summary: str = "",
    language: str | None = None,
) -> Profile:
    """The profile of an article; `summary` replaces a missing text."""
    body, moment = text or summary, published.astimezone(UTC)
    gist = gist_of(title, body, moment)
    return profile_from(gist, id=id, published=moment, source=source, language=language, text=body)


def gist_of(title: str, text: str, published: datetime) -> Gist:
    """What is kept of an article's words."""
    own = own_words(text[: 2 * _CHARS])[:_CHARS]
    title_stems, names = stems(title)[:MOST_TITLE_STEMS], list(_names(own))
    title_names = title_stems if _CJK.search(title) else sorted(_names_of_title(title, frozenset(names)))
    figures = _figures(fold(title).text, fold(own).text, published)
    return Gist(
        title=" ".join(title_stems),
        body=" ".join(stems(own)[:MOST_STEMS]),
        names=" ".join(names[:MOST_STEMS]),
        title_names=" ".join(title_names),
        figures=" ".join(sorted(figures.all)),
        decimals=" ".join(sorted(figures.decimals)),
        title_decimals=" ".join(sorted(figures.title_decimals)),
        days=" ".join(map(str, sorted(figures.days))),
        places=" ".join(places_of(f"{title[:PLACES_CHARS]}. {own[:PLACES_CHARS]}")),
    )


def profile_from(
    gist: Gist, *, id: str, published: datetime, source: str, language: str | None, text: str = ""
) -> Profile:
    """The profile of an article of which its gist is known; `text` is needed for its fingerprint alone."""
    title_stems, body_stems = _shared(gist.title), _shared(gist.body)
    title, names = frozenset(title_stems), Counter(gist.names.split())
    lead = list(dict.fromkeys(body_stems[:LEAD_WORDS]))
    counts = Counter(body_stems)
    counts.update(dict.fromkeys(title, TITLE_COUNT))
    names.update(dict.fromkeys(names.keys() & title, TITLE_COUNT))
    return Profile(
        id=id,
        published=published.astimezone(UTC),
        source=source,
        language=language or "",
        terms=story_terms(title_stems, body_stems),
        title=title,
        opening=title.union(body_stems[:OPENING_WORDS]),
        head=title.union(lead[:HEAD_WORDS]),
        counts=counts,
        title_names=title.intersection(gist.title_names.split()),
        names=names,
        figures=Figures(
            all=frozenset(gist.figures.split()),
            decimals=frozenset(gist.decimals.split()),
            title_decimals=frozenset(gist.title_decimals.split()),
            days=frozenset(map(int, gist.days.split())),
        ),
        places=frozenset(gist.places.split()),
        body=Body(text),
    )


def _shared(stems: str) -> list[str]:
    """The stems, each as one object in all profiles: they take less memory, and are found faster."""
    return [intern(stem) for stem in stems.split()]


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def story_terms(title: list[str], body: list[str]) -> dict[str, float]:
    """Stem → weight for the stems of the title and the first ones of the text; earlier words weigh more."""
    weights = dict.fromkeys(title, TITLE_WEIGHT)
    for stem, weight in zip(body, _BY_PLACE, strict=False):
        weights[stem] = weights.get(stem, 0.0) + weight
    return {stem: 1 + math.log(w) if w > 1 else w for stem, w in weights.items()}


_BY_PLACE = tuple(1 / (1 + n / 40) for n in range(LEAD_WORDS))


def stems(text: str) -> list[str]:
    """The stems of `text`: the first six letters of a word, five in Arabic, pairs of characters in CJK."""
    tokens = _TOKEN.findall(fold(text).text)
    return list(chain.from_iterable(_known(one) if len(one) <= _WORD_CHARS else _stems(one) for one in tokens))


def _stems(token: str) -> tuple[str, ...]:
    if _CJK.match(token):
        return tuple(token[n : n + 2] for n in range(max(1, len(token) - 1)))
    if "\u0600" <= token[0] <= "\u06ff":
        token = _ARABIC_HEAD.sub("", token)
        return (token[:5],) if len(token) > 2 else ()
    if token.isdigit():
        return (token,) if len(token) > 1 else ()
    return (token[:6],) if len(token) > 2 else ()


_known = lru_cache(maxsize=50_000)(_stems)
"""The same words recur in most texts. What is longer than a word, such as a sentence in Chinese, does not."""


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _names_of_title(title: str, elsewhere: frozenset[str]) -> frozenset[str]:
    """The stems of the title's words that have a capital within a sentence, there or in the text (`elsewhere`)."""
    words = _LETTERS.findall(title)
    all_capitals = _is_title_case(words)
    found = set()
    for place, word in enumerate(words):
        stem = _name(word)
        if stem and (stem in elsewhere or (place and not all_capitals)):
            found.add(stem)
    return frozenset(found)


def _names(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        for word in _LETTERS.findall(sentence)[1:]:
            if stem := _name(word):
                yield stem


@lru_cache(maxsize=50_000)
def _name(word: str) -> str:
    """The stem of a word that begins with a capital; otherwise empty."""
    if not word[0].isupper() or len(word) < 3:
        return ""
    return next(iter(stems(word)), "")


def _is_title_case(words: list[str]) -> bool:
    """Whether nearly Every Word Of A Title Has A Capital, so that one says nothing."""
    long = [word for word in words if len(word) > 3]
    return len(long) > 2 and sum(word[0].isupper() for word in long) > 0.75 * len(long)


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _figures(title: str, text: str, published: datetime) -> Figures:
    whole = f"{title}\n{text}"
    return Figures(
        all=frozenset(n for n in _FIGURE.findall(whole) if len(n) > 1 and not _YEAR.fullmatch(n)),
        decimals=_decimals(whole),
        title_decimals=_decimals(title),
        days=frozenset(_own_days(title, published)),
    )


def _decimals(text: str) -> frozenset[str]:
    return frozenset(n.replace(",", ".") for n in _DECIMAL.findall(text))


def _own_days(title: str, published: datetime) -> Iterator[int]:
    """The days of dates in the title that are the day of publication or one beside it."""
    near = _days_around(published.date())
    for one, other in _DAY_AND_MONTH.findall(title):
        for first, second in ((int(one), int(other)), (int(other), int(one))):
            if any((day.day, day.month) == (first, second) for day in near):
                yield first
    for groups in _WRITTEN_DATE.findall(title):
        day = int(next(filter(None, groups)))
        if any(other.day == day for other in near):
            yield day


def _days_around(day: date) -> list[date]:
    """`day`, the day before and the day after; fewer at either end of the calendar."""
    numbers = range(max(1, day.toordinal() - 1), min(date.max.toordinal(), day.toordinal() + 1) + 1)
    return [date.fromordinal(n) for n in numbers]
