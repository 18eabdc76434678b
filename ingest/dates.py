"""Reads the dates in feeds and pages, and decides which are plausible.

`read` understands a date whole or not at all: RFC 822 and ISO 8601 with their common deviations, dates in words of many
languages, zones by name. A text with a remainder or with two readings is not accepted as a date.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Final

from ingest import calendar_names
from ingest.calendar_names import months, weekdays
from ingest.zones import NO_HINTS, Hints, is_zone_name, offset_of, zone_named
from newswatch.languages import Dates, alternatives, gathered, known_as, languages

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Web news is younger; 1970 is a zero, 1900 a default."""
LEEWAY: Final = timedelta(hours=26)
"""A publisher who gives local time as UTC is at most 14 hours ahead; embargoed items are dated a day ahead."""
MAX_CHARS: Final = 120
"""A longer text is not a date; the longest that JavaScript writes has 70 characters."""


def implausible(when: datetime, now: datetime) -> str | None:
    """Why `when` can't be the date of an article seen at `now`; None if it can."""
    if when < EARLIEST:
        return f"{when:%Y-%m-%d} is before {EARLIEST:%Y}"
    if when > now + LEEWAY:
        return f"{when:%Y-%m-%d} is in the future"
    return None


def in_utc(when: datetime) -> datetime:
    """`when` as an aware time in UTC; a naive time is taken as UTC."""
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def read(written: str, hints: Hints = NO_HINTS) -> datetime | str:
    """The date in `written`, in UTC; or why it is not one, phrased to follow the date in a sentence.

    A date without a zone is taken as UTC, one without a time as midnight. `hints` say who wrote it.
    """
    if len(written) > MAX_CHARS:
        return f"has more than {MAX_CHARS} characters"
    try:
        return _of_our_count(_common(written) or _epoch(written.strip()) or _Written(written, hints).date(), hints)
    except _NoDateError as error:
        return str(error)
    except (ValueError, OverflowError):
        return "is not a day or time of the calendar"


def _of_our_count(when: datetime, hints: Hints) -> datetime:
    """`when` in the Gregorian calendar: some countries' software writes the local year into ISO dates.

    Raises:
        _NoDateError: the year belongs to a calendar that is unknown or not supported.
    """
    is_buddhist = _language(hints).buddhist_years or hints.country in _BUDDHIST_PLACES
    if when.year in _BUDDHIST_YEARS and is_buddhist:
        return when.replace(year=when.year - _BUDDHIST)
    if any(when.year in years for years in (*_OTHER_YEARS, _BUDDHIST_YEARS)):
        raise _NoDateError(f"has the year {when.year}, which belongs to another calendar")
    return when


class _NoDateError(Exception):
    """Says why a text is not a date."""


# ── what nearly all feeds and pages write ────────────────────────────────────────────────────────────────────────────

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?")
_RFC_822: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|Z|([+-])(\d\d)(\d\d))"
)
_EPOCH: Final = re.compile(r"(\d{10})(?:\.\d{1,9}|(\d{3}))?")
_DOT_NET: Final = re.compile(r"\\?/Date\((\d{13})(?:[+-]\d{4})?\)\\?/")
"""Milliseconds since 1970 as .NET writes them into JSON; the offset behind them changes nothing."""
_COMPACT_MINUTE: Final = re.compile(r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")


def _common(written: str) -> datetime | None:
    """ISO 8601 and RFC 822 in their regular forms, read fast; None for everything else."""
    if _ISO.fullmatch(written):
        try:
            return in_utc(datetime.fromisoformat(written))
        except ValueError:
            return None  # 24:00, which is a valid time, and others that are not
    match = _RFC_822.fullmatch(written)
    if not match or match[2].lower() not in calendar_names.ENGLISH_MONTHS or int(match[4]) > 23 or int(match[6]) > 59:
        return None
    day, month, year = int(match[1]), calendar_names.ENGLISH_MONTHS[match[2].lower()], int(match[3])
    zone = offset_of(match[7], match[8], match[9]) if match[7] else UTC
    if zone is None:
        return None
    return datetime(year, month, day, int(match[4]), int(match[5]), int(match[6]), tzinfo=zone).astimezone(UTC)


def _epoch(written: str) -> datetime | None:
    """Seconds or milliseconds since 1970, unless the number can be a date and time in digits."""
    if net := _DOT_NET.fullmatch(written):
        written = net[1]
    match = _EPOCH.fullmatch(written)
    if not match:
        return None
    if not match[2] and _COMPACT_MINUTE.fullmatch(match[1]):
        raise _NoDateError("can be seconds since 1970, or a date in digits")
    return datetime.fromtimestamp(float(written) / (1_000 if match[2] else 1), UTC)


# ── everything else ──────────────────────────────────────────────────────────────────────────────────────────────────

_BEFORE: Final = r"(?<![\d:.+-])(?:(?:(?P<am1>{am})|(?P<pm1>{pm}))\s?)?"
_AFTER: Final = r"\s?(?:(?P<am2>{am})|(?P<pm2>{pm}))"
_HOUR: Final = r"(?<![\d:.+-])(?P<hour>\d{1,2})"


@cache
def _clocks() -> tuple[re.Pattern[str], ...]:
    """18:00:00, 18 Uhr 30, 6 PM, 18.00."""
    am, pm = (alternatives(part) for part in (lambda language: language.dates.am, lambda language: language.dates.pm))
    before, after = (part.replace("{am}", am).replace("{pm}", pm) for part in (_BEFORE, _AFTER))
    hour = alternatives(lambda language: language.dates.hour)
    minute = alternatives(lambda language: language.dates.minute)
    second = alternatives(lambda language: language.dates.second)
    patterns = (
        rf"{before}{_HOUR}:(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,:](?P<part>\d{{1,9}}))?)?(?![\d:])(?:{after})?",
        rf"{before}{_HOUR}\s?(?:{hour})\s?(?:(?P<minute>\d\d?)\s?(?:(?:{minute})|(?!\d)))?"
        rf"(?:\s?(?P<second>\d\d?)\s?(?:{second}))?",
        rf"{_HOUR}{after}",
        r"(?<![\d.,:+-])(?P<hour>[01]?\d|2[0-3])\.(?P<minute>[0-5]\d)(?:\.(?P<second>[0-5]\d))?(?![\d.])"
        rf"(?:{after})?",
    )
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_COMPACT: Final = re.compile(r"(?<!\d)(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(?!\d)")
_COMPACT_TIME: Final = re.compile(r"(?<=\d)\s?T\s?(\d\d)(\d\d)(\d\d)?(?![\d:])", re.IGNORECASE)
_YEAR_FIRST: Final = re.compile(r"(?<!\d)(\d{4})([-/.])\s?(\d{1,2})\2\s?(\d{1,2})(?!\d)\.?")
_YEAR_LAST: Final = re.compile(r"(?<!\d)(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4})(?!\d)")
_EAST_ASIAN: Final = re.compile(r"(?<!\d)(令和\s?)?(\d{1,4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日号號일]")
_DASHED: Final = re.compile(r"(\d)-([^\W\d]+\.?)-(\d)")
_BRACKET: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_AREA: Final = re.compile(r"\b[A-Za-z]+(?:/[A-Za-z_]+(?:-[A-Za-z_]+)*(?:[+-]\d{1,2})?){1,2}")
_OFFSET: Final = re.compile(
    r"(?:\b(?:GMT|UTC|UT)\s?|\bZ(?=[+-]00:?00)|(?<![^\W\d]))([+-])(\d\d?)(?::?(\d\d))?(?![\d:.])", re.IGNORECASE
)
_GO_CLOCK: Final = re.compile(r" m=[+-][\d.]+$")
_MINUS: Final = str.maketrans("−–—‐‑‒،؛", "------,,")
_INVISIBLE: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_TIME: Final = "\x00"
"""Placeholder for the time that was taken out."""
_BEFORE_TIME: Final = re.compile("(?:T\\s?)?\x00", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\s,;/|·•\x00]+")
_MARKS_ALONE: Final = frozenset("-':")
"""Signs that stand between words without a meaning."""
_MONTH_FIRST_COUNTRIES: Final = frozenset({"US", "PH", "PA", "PR", "CA"})
_REIWA: Final = 2018
"""The year before the reign of the present Japanese emperor."""
_BUDDHIST: Final = 543
"""Years by which the Buddhist calendar is ahead."""
_BUDDHIST_YEARS: Final = range(2_400, 2_700)
_BUDDHIST_PLACES: Final = frozenset({"TH", "LA", "KH"})
_OTHER_YEARS: Final = (range(80, 200), range(1_300, 1_500))
"""Years of Taiwan's calendar; of the Iranian and Afghan solar and the Islamic lunar one, which look the same."""
_LABEL: Final = re.compile(r"^[^\d:]{1,40}:\s*(?=\S)")
"""`Published: `, before the date."""
_LAST_CENTURY: Final = 70
"""From here on, two-digit years belong to the twentieth century."""
Day = tuple[int, int, int]
"""Year, month, day."""


@dataclass(slots=True)
class _Written:
    """A date while it is read: what is understood is removed from `rest`, until nothing is left."""

    rest: str
    hints: Hints
    days: list[Day] = field(default_factory=list)
    """The possible days."""
    sure_of_year: bool = True
    time: timedelta | None = None
    offsets: set[tzinfo] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    """Names of zones."""
    weekdays: frozenset[int] = frozenset()

    def date(self) -> datetime:
        """The date in UTC.

        Raises:
            _NoDateError: something is missing, left over or ambiguous.
            ValueError, OverflowError: there is no such day or time.
        """
        self.rest = _LABEL.sub("", _normal(self.rest))
        comments = " ".join(_BRACKET.findall(self.rest))
        self.rest = _BRACKET.sub(" ", self.rest)
        self._take_numeric_day()
        self._take_time()
        self._take_offsets()
        self._take_words(self.rest)
        if comments and not (self.offsets or self.names):
            self._take_comments(comments)
        local = datetime(*self._day()) + (self.time or timedelta())
        return local.replace(tzinfo=self._zone(local)).astimezone(UTC)

    def _take(self, pattern: re.Pattern[str], stand_in: str = " ") -> re.Match[str] | None:
        """The first match of `pattern`, which is removed from `rest`."""
        match = pattern.search(self.rest)
        if match:
            self.rest = f"{self.rest[: match.start()]}{stand_in}{self.rest[match.end() :]}"
        return match

    def _take_numeric_day(self) -> None:
        if match := self._take(_EAST_ASIAN):
            era, year, month, day = match.groups()
            self.days = [(int(year) + (_REIWA if era else 0), int(month), int(day))]
        elif match := self._take(_YEAR_FIRST):
            self.days = [(int(match[1]), int(match[3]), int(match[4]))]
        elif match := next(filter(None, map(self._take, _whole_days())), None):
            self.days = [(int(match["year"]), int(match["month"]), int(match["day"]))]
        elif match := self._take(_YEAR_LAST):
            self.days = self._both_orders(int(match[1]), int(match[3]), int(match[4]), match[2])
        elif match := self._take(_COMPACT):
            self.days = [(int(match[1]), int(match[2]), int(match[3]))]
            if match[4]:
                self._set_time(int(match[4]), int(match[5]), int(match[6] or 0))

    def _both_orders(self, first: int, second: int, year: int, separator: str) -> list[Day]:
        """Day and month in the possible orders: 06.07. is July everywhere, 06/07 is not."""
        day_first, month_first = (year, second, first), (year, first, second)
        if first > 12:
            return [day_first]
        if second > 12:
            return [month_first]
        american = (self.hints.language is None or _language(self.hints).month_first) and separator != "."
        return [day_first, month_first] if american or self.hints.country in _MONTH_FIRST_COUNTRIES else [day_first]

    # ── time and zone ────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_time(self) -> None:
        for pattern in _clocks():
            while match := self._take(pattern, _TIME):
                self._set_time(*_clock(match))
            if self.time is not None:
                break
        self.rest = _BEFORE_TIME.sub(" ", self.rest)

    def _set_time(self, hours: int, minutes: int, seconds: int, part: str = "") -> None:
        if self.time is not None:
            raise _NoDateError("has two times")
        if hours > 24 or minutes > 59 or seconds > 60 or (hours == 24 and (minutes or seconds)):
            raise _NoDateError("is not a time of a day")
        micros = int(part[:6].ljust(6, "0")) if part else 0
        self.time = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)

    def _take_offsets(self) -> None:
        for area in _AREA.findall(self.rest):
            if zone_named(area, datetime(2000, 1, 15, 12), self.hints) is not None:
                self.names.append(area)
                self.rest = self.rest.replace(area, " ", 1)
        while match := self._take(_OFFSET):
            zone = offset_of(match[1], match[2], match[3])
            if zone is None:
                raise _NoDateError(f"has the time zone {match[0].strip()}, which does not exist")
            self.offsets.add(zone)

    def _zone(self, local: datetime) -> tzinfo:
        zones = [zone_named(name, local, self.hints) for name in self.names]
        if self.offsets:  # an offset decides what a name beside it means
            zones = [*self.offsets, *(zone for zone in zones if isinstance(zone, tzinfo))]
        doubt = next((zone for zone in zones if isinstance(zone, str)), None)
        if doubt or None in zones:
            raise _NoDateError(f"can't be read as a date: {doubt or 'its time zone is unknown'}")
        known = [zone for zone in zones if isinstance(zone, tzinfo)] or [UTC]
        if len({zone.utcoffset(local) for zone in known}) > 1:
            raise _NoDateError("has two time zones")
        return known[0]

    # ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_words(self, rest: str) -> None:
        """Months, days of the week, names of zones; any other word is an error."""
        numbers: list[str] = []
        months: list[tuple[str, frozenset[int]]] = []
        for word in _phrases(rest, self.hints.language):
            ordinal = _ordinal().fullmatch(word)
            if ordinal:
                numbers.append(ordinal[1])
            elif self._is_zone(word):
                self.names.append(word)
            elif month := _month(word, self.hints.language):
                months.append((word, month))
            elif not self._set_weekday(word) and not _is_filler(word):
                raise _NoDateError(f"can't be read as a date: {word!r} is not part of a date")
        self._set_named_day(numbers, months)

    def _is_zone(self, word: str) -> bool:
        """Whether a zone is meant: `pet` is Friday in Croatian, `PET` is Peru's time zone."""
        if self.time is None or not is_zone_name(word):
            return word == "Z"
        return word == word.upper() or not weekdays(word, self.hints.language)

    def _set_weekday(self, word: str) -> bool:
        days = weekdays(word, self.hints.language)
        self.weekdays = (self.weekdays & days if self.weekdays else days) or self.weekdays
        return bool(days)

    def _take_comments(self, comments: str) -> None:
        """Read the brackets behind a time without a zone; behind one with a zone they only repeat it."""
        self.rest = comments
        self._take_offsets()
        for word in _phrases(self.rest, self.hints.language):
            if is_zone_name(word):
                self.names.append(word)
            elif not self._set_weekday(word):
                raise _NoDateError(f"can't be read as a date: {word!r} is not part of a date")

    def _set_named_day(self, numbers: list[str], months: list[tuple[str, frozenset[int]]]) -> None:
        if not numbers and not months:
            return
        if self.days:
            raise _NoDateError("can't be read as a date: it contains more than one day")
        if len(months) > 1 and self._set_weekday(months[0][0]):
            months = months[1:]  # mar, 07 mar 2026: a Tuesday in March
        meant = frozenset(range(1, 13)).intersection(*(numbers_of for _, numbers_of in months)) if months else ()
        if len(numbers) != 2 or not meant:
            raise _NoDateError("can't be read as a date: it needs a day, a month and a year")
        years = [number for number in numbers if len(number) == 4]
        day, year = (numbers[1], numbers[0]) if years[:1] == numbers[:1] else (numbers[0], numbers[1])
        if len(years) > 1 or len(day) > 2 or len(year) not in (2, 4):
            raise _NoDateError("can't be read as a date: it needs a day, a month and a year")
        self.sure_of_year = len(year) == 4
        thai = any("\u0e00" <= char <= "\u0e7f" for word, _ in months for char in word)
        century = 0 if self.sure_of_year else 2_000 if int(year) < _LAST_CENTURY else 1_900
        if thai and not self.sure_of_year:
            century, self.sure_of_year = _BUDDHIST_YEARS.start + 100, True
        full = int(year) + century
        full -= _BUDDHIST if thai and full in _BUDDHIST_YEARS else 0
        self.days = [(full, month, int(day)) for month in meant]

    def _day(self) -> Day:
        """The one possible day; the day of the week may decide between several."""
        if not self.days:
            raise _NoDateError("can't be read as a date")
        possible = list(dict.fromkeys(self.days))
        if self.weekdays and (len(possible) > 1 or not self.sure_of_year):
            possible = [day for day in possible if datetime(*day).weekday() in self.weekdays]
        if len(possible) != 1:
            raise _NoDateError("can be more than one day" if possible else "names a day of the week that does not fit")
        return possible[0]


def _normal(written: str) -> str:
    """`written` with uniform digits, signs and blanks, on one line.

    Raises:
        _NoDateError: some digits are superscripts, subscripts or circled, as footnotes are.
    """
    if any(char.isdigit() and not char.isdecimal() for char in written):
        raise _NoDateError("can't be read as a date: it has digits of footnotes")
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", written).translate(_MINUS))
    digits = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in plain)
    split = _DASHED.sub(r"\1 \2 \3", _GO_CLOCK.sub("", " ".join(digits.split())))
    clear = _COMPACT_TIME.sub(lambda match: " " + ":".join(part for part in match.groups() if part), split)
    return _dropped().sub(" ", clear)


def _clock(match: re.Match[str]) -> tuple[int, int, int, str]:
    """Hours (in 24), minutes, seconds and their fraction."""
    parts = match.groupdict()
    hours = int(parts["hour"])
    morning, evening = parts.get("am1") or parts.get("am2"), parts.get("pm1") or parts.get("pm2")
    if (morning and hours > 12) or (evening == "晚上" and hours == 12) or (morning and evening):
        raise _NoDateError("has a time in both halves of the day")
    if morning:
        hours %= 12
    elif evening and hours < 12:
        hours += 12
    return hours, int(parts.get("minute") or 0), int(parts.get("second") or 0), parts.get("part") or ""


@cache
def _filler_words() -> frozenset[str]:
    return _MARKS_ALONE | frozenset(gathered(lambda language: language.dates.fillers))


def _is_filler(word: str) -> bool:
    """Whether `word` has no meaning. A single capital is a military zone, which RFC 2822 says to ignore."""
    return word.casefold().strip(".") in _filler_words() and not (len(word) == 1 and word.isascii() and word.isupper())


def _month(word: str, language: str | None) -> frozenset[int]:
    numbers = months(word, language)
    prefix = next((p for p in _prefixes() if word.startswith(p)), "")
    return numbers if numbers or not prefix else months(word.removeprefix(prefix), language)


@cache
def _prefixes() -> tuple[str, ...]:
    return gathered(lambda language: [language.dates.prefix] if language.dates.prefix else [])


@cache
def _whole_days() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(days, re.IGNORECASE) for days in gathered(lambda language: language.dates.days))


@cache
def _dropped() -> re.Pattern[str]:
    return re.compile(alternatives(lambda language: language.dates.dropped), re.IGNORECASE)


@cache
def _ordinal() -> re.Pattern[str]:
    endings = alternatives(lambda language: language.dates.ordinals)
    return re.compile(rf"(\d{{1,4}})(?:{endings})?\.?", re.IGNORECASE)


_NO_LANGUAGE: Final = Dates()


def _language(hints: Hints) -> Dates:
    """The special features of dates in the writer's language."""
    spoken = languages().get(known_as(hints.language or ""))
    return spoken.dates if spoken else _NO_LANGUAGE


def _phrases(text: str, language: str | None) -> Iterator[str]:
    """The words of `text`; two words that together name a month or a day are one phrase."""
    words = _WORD.findall(text)
    position = 0
    while position < len(words):
        pair = " ".join(words[position : position + 2])
        both = len(words) > position + 1 and not words[position][0].isdigit() and not words[position + 1][0].isdigit()
        together = both and bool(weekdays(pair, language) or months(pair, language))
        yield pair if together else words[position]
        position += 2 if together else 1
