"""The words of a text without the counters and times that a site adds automatically. Pure.

Sites put counters ("Comments (12)"), ages ("12 min ago") and stamps ("Updated 18:05") into titles and summaries. They
change at every poll and mean nothing. A number in a sentence does: "12 killed" that becomes "14 killed" is an edit. So
a number is removed only if nothing else is said with it: in a segment (between line breaks, bars, brackets, dashes or
sentences) that consists of the number and of words for what is counted or timed. The only exception is an age in hours
or less before or after a headline. Doubtful numbers stay: a counter too many costs a version, a number too few a
correction. The words are in the languages' files (`newswatch.languages`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from ingest.calendar_names import plain
from newswatch.languages import Labels, languages
from newswatch.scripts import EAST_ASIAN

LABEL_CHARS: Final = 60
"""A longer segment is not a counter or stamp."""
LABEL_WORDS: Final = 6
"""Maximum words, including the number, of an age at the end of a headline."""

_SEPARATOR: Final = re.compile(
    r"[\n\t|·•∙‧●▪()\[\]{}«»（）【】…–—]+"  # bars, brackets, dashes
    r"|(?<=[.!?。！？؟।])[\s»”\"]+(?=[^\W_a-zа-яёα-ωà-ÿ\u0e00-\u0e7f])"  # sentences; Thai has no stops
    r"|(?<=[。！？])"
    r"|(?<=\s)[-/:]+(?=\s)"
)
_COUNT_IN_BRACKETS: Final = re.compile(r"[(\[（]\s*(\d[\d.,٬٫]*\s?[km]?)\s*[)\]）]", re.IGNORECASE)
_LETTER: Final = r"(?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0981-\u0983\u09bc-\u09cd\u0e31\u0e34-\u0e4e])"
_TOKEN: Final = re.compile(rf"\d+(?:[.,:'’٬٫\u00a0\u202f ]\d+)*|{_LETTER}+|[👍👎❤♥♡💬👁🔁🗨]")
_COUNT_BEHIND: Final = re.compile(rf"(?<!{_LETTER})({_LETTER}+)\s*{_COUNT_IN_BRACKETS.pattern}", re.IGNORECASE)
_DIGIT: Final = re.compile(r"\d")
_EAST_ASIAN: Final = re.compile(f"[{EAST_ASIAN}]")

_SIGNS: Final = frozenset("👍👎❤♥♡💬👁🔁🗨")
"""What sites count without a word."""
_plain = lru_cache(maxsize=50_000)(plain)
_GLUED: Final = re.compile(r"[前전]$|ที่แล้ว$|ที่ผ่านมา$")
"""Words that combine the unit and "ago", after the number."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The words of all languages, as `plain` makes them."""

    counted: frozenset[str]
    counted_stems: tuple[str, ...]
    none: frozenset[str]
    counter: frozenset[str]
    """All that may stand in a counter beside what is counted."""
    updated: frozenset[str]
    stamp: frozenset[str]
    """All that may stand in a stamp, but the names of days."""
    hours: frozenset[str]
    units: frozenset[str]
    ago: frozenset[str]
    now: frozenset[str]
    age: frozenset[str]
    """All that may stand in an age at the end of a headline."""


@cache
def _known() -> _Known:
    none, updated, ago = (_all(p) for p in (lambda of: of.none, lambda of: of.updated, lambda of: of.ago))
    hours, days = _all(lambda of: of.hours), _all(lambda of: of.days)
    return _Known(
        counted=_all(lambda of: of.counted) | _SIGNS,
        counted_stems=tuple(sorted(_all(lambda of: of.counted_stems))),
        none=none,
        counter=none | _all(lambda of: of.beside_counts),
        updated=updated,
        stamp=updated | _all(lambda of: of.beside_stamps),
        hours=hours,
        units=hours | days,
        ago=ago,
        now=_all(lambda of: of.now),
        age=hours | days | ago | _all(lambda of: of.beside_ages),
    )


def _all(part: Callable[[Labels], Iterable[str]]) -> frozenset[str]:
    return frozenset(_plain(word) or word for language in languages().values() for word in part(language.labels))


def words(text: str) -> str:
    """The words of `text`: blanks folded, without counters, ages and stamps. Equal for texts with the same content."""
    if not text:
        return ""
    if _COUNT_IN_BRACKETS.search(text):  # few texts have one, and finding the word before it takes a millisecond
        text = _COUNT_BEHIND.sub(_without_count, text)
        text = _COUNT_IN_BRACKETS.sub(r" \1 ", text)
    parts = (_said(part) for part in _SEPARATOR.split(text) if part and not part.isspace())
    return " ".join(" ".join(said.split()) for said in parts if said)


def _without_count(match: re.Match[str]) -> str:
    """Nothing for "Comments (12)", at any position, because no sentence is worded so."""
    return "\n" if _is_counted(_plain(match[1])) else match[0]


def _said(segment: str) -> str:
    """The segment without a counter, age or stamp; empty if it is one."""
    if len(segment) <= LABEL_CHARS and _is_label(segment):
        return ""
    return _without_age(segment) if _DIGIT.search(segment) else segment


@lru_cache(maxsize=10_000)  # the same few labels accompany all articles of a feed
def _is_label(segment: str) -> bool:
    said, known = list(_words_of(segment)), _known()
    has_number = bool(_DIGIT.search(segment))
    if not said:
        return False
    is_now = all(token in known.now for token in said) and (len(said) > 1 or not said[0].isascii())
    return is_now or _is_age(said) or _is_counter(said, has_number) or (has_number and _is_stamp(said))


def _tokens(segment: str) -> Iterator[str]:
    for match in _TOKEN.finditer(segment):
        yield _plain(match.group()) or match.group()


def _is_counter(said: list[str], has_number: bool) -> bool:
    counted = [token for token in said if _is_counted(token)]
    others = [token for token in said if not _is_counted(token)]
    none = any(token in _known().none for token in others)
    return bool(counted) and (has_number or none) and all(token in _known().counter for token in others)


def _is_counted(token: str) -> bool:
    if token in _known().counted or token.startswith(_known().counted_stems):
        return True
    return bool(_EAST_ASIAN.match(token)) and token.strip("条條件个個的の数數") in _known().counted


def _is_age(said: list[str]) -> bool:
    known = _known()
    has_ago = any(token in known.ago or _GLUED.search(token) for token in said)
    has_unit = any(token in known.units for token in said)
    return has_ago and has_unit and all(token in known.age or token in known.stamp for token in said)


def _is_stamp(said: list[str]) -> bool:
    if not any(token in _known().updated for token in said):
        return False
    return all(token in _known().stamp or _names_a_day(token) for token in said)


def _names_a_day(token: str) -> bool:
    from ingest.calendar_names import months, weekdays

    return bool(months(token, None) or weekdays(token, None))


def _without_age(segment: str) -> str:
    """A headline without the age before or after it: "12 min ago: …", "… in Brussels 12 min ago".

    A sentence, which ends in a full stop, is unchanged.
    """
    first, colon, rest = segment.partition(": ")
    if colon and len(first) <= LABEL_CHARS and _DIGIT.search(first) and _is_age(list(_words_of(first))):
        segment = rest
    start = max(0, len(segment) - LABEL_CHARS)
    if not _DIGIT.search(segment, start):
        return segment
    tokens = list(_TOKEN.finditer(segment, start))
    last = _plain(tokens[-1].group())
    is_abbreviated = last in _known().hours  # "vor 12 Min."
    if last not in _known().age and not _GLUED.search(last):
        return segment
    if segment[tokens[-1].end() :].strip() not in ("", "." * is_abbreviated):
        return segment
    run = _age_at_the_end([_plain(token.group()) for token in tokens])
    return segment[: tokens[-run].start()].rstrip(" ,;:-") if run else segment


def _words_of(segment: str) -> Iterator[str]:
    return (token for token in _tokens(segment) if not token[0].isdigit())


def _age_at_the_end(tokens: list[str]) -> int:
    """Number of tokens at the end that are an age in seconds, minutes or hours; 0 if there is none."""
    run, numbers = 0, 0
    for token in reversed(tokens[-LABEL_WORDS:]):
        is_number = token[:1].isdigit()
        numbers += is_number
        if numbers > 1 or not (is_number or token in _known().age):
            break
        run += 1
    for length in range(2, run + 1):
        age = tokens[-length:]
        said = [token for token in age if not token[:1].isdigit()]
        begins = age[0][:1].isdigit() or age[0] in _known().ago or age[0] == "il"
        if begins and len(said) < length and _is_age(said) and any(token in _known().hours for token in said):
            return length
    return 0
