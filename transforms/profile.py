"""An article's profile: the words, names, figures and dates that tell the event which it reports. Pure."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from itertools import chain

from transforms.fingerprint import Fingerprint, fingerprint, own_words
from transforms.fold import fold

LEAD_WORDS = 120
"""Words at the beginning of the text that identify the event."""
HEAD_WORDS = 60
"""Different words at the beginning that are compared one by one."""
WORDS = 300
"""Words in which the names of another article's title are looked for."""
TITLE_WEIGHT = 2.5
_CHARS = 2_500
"""Characters of the text that are read for its words; figures are read in `_FIGURE_CHARS`."""
_NAME_CHARS = 1_200
_LEAD_CHARS = 350
"""Characters that say who and where."""
_FIGURE_CHARS = 3_000

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_ARABIC_HEAD = re.compile(r"^(?:[وفبكل]?ال|لل|[وف](?=\w{4}))")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
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
        self._text = text

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the text."""
        return fingerprint(self._text)


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
    head: frozenset[str]
    """The stems of the title and of the first words."""
    words: frozenset[str]
    """The stems of the title and of most of the text."""
    names: frozenset[str]
    """The stems of the title that are names; in Chinese and Japanese all its stems."""
    lead_names: frozenset[str]
    """The stems of names at the beginning of the text; none in scripts without capitals."""
    figures: Figures
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
    own = own_words(body[: 2 * _FIGURE_CHARS])
    title_stems, body_stems = stems(title), stems(own[:_CHARS])
    headline = frozenset(title_stems)
    lead = dict.fromkeys(body_stems[:LEAD_WORDS])
    words = headline.union(body_stems[:WORDS])
    return Profile(
        id=id,
        published=moment,
        source=source,
        language=language or "",
        terms=story_terms(title_stems, body_stems),
        title=headline,
        head=headline.union(list(lead)[:HEAD_WORDS]),
        words=words,
        names=headline if _CJK.search(title) else headline & _names_of_title(title, own[:_NAME_CHARS]),
        lead_names=words.intersection(_names(own[:_LEAD_CHARS])),
        figures=_figures(fold(title).text, fold(own[:_FIGURE_CHARS]).text, moment),
        body=Body(body),
    )


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def story_terms(title: list[str], body: list[str]) -> dict[str, float]:
    """Stem → weight for the stems of the title and the first ones of the text; earlier words weigh more."""
    weights: dict[str, float] = defaultdict(float)
    for stem in dict.fromkeys(title):
        weights[stem] += TITLE_WEIGHT
    for n, stem in enumerate(body[:LEAD_WORDS]):
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


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _names_of_title(title: str, text: str) -> frozenset[str]:
    """The stems of the title's words that have a capital within a sentence, there or in the text."""
    words, elsewhere = _LETTERS.findall(title), frozenset(_names(text))
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
