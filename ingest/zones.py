"""The names of time zones in written dates, as offsets from UTC.

Ambiguous names (IST: India, Israel, Ireland) are decided by the country or language of the writer. If that does not
decide, they are not read: a time that is hours wrong is worse than no date.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Final
from urllib.parse import urlsplit

from newswatch.countries import iso_country
from newswatch.languages import gathered, known_as, languages

_OFFSETS: Final = """
UTC+0     UTC UT GMT Z UCT WET WEZ ZULU
UTC+1     CET MET MEZ WEST WESZ WAT
UTC+2     CEST MEST MESZ EET OEZ CAT SAST
UTC+3     EEST OESZ FET EAT MSK МСК TRT IDT
UTC+3:30  IRST
UTC+4     MSD SAMT GET AZT GST
UTC+4:30  AFT IRDT
UTC+5     PKT UZT TJT TMT YEKT MVT
UTC+5:30  SLST
UTC+5:45  NPT
UTC+6     KGT BTT OMST BDT
UTC+6:30  MMT
UTC+7     ICT WIB KRAT NOVT HOVT
UTC+8     HKT SGT MYT PHT WITA AWST IRKT ULAT
UTC+9     KST JST WIT YAKT
UTC+9:30  ACST
UTC+10    AEST VLAT PGT CHST
UTC+10:30 ACDT
UTC+11    AEDT MAGT SAKT
UTC+12    NZST PETT FJT
UTC+13    NZDT
UTC-2:30  NDT
UTC-3     BRT ART UYT CLST
UTC-3:30  NST
UTC-4     EDT CLT BOT VET
UTC-5     EST CDT COT PET
UTC-6     CST MDT
UTC-7     MST PDT
UTC-8     PST AKDT
UTC-9     AKST
UTC-10    HST
"""
"""Names with one meaning, or with one default meaning. RFC 822 fixes EST to PDT."""

_BY_PLACE: Final[Mapping[str, Mapping[str, str]]] = {
    "BST": {"": "+1", "BD": "+6", "PG": "?"},
    "IST": {"": "?", "IN": "+5:30", "LK": "+5:30", "IL": "+2", "IE": "+1", "TR": "+3"},
    "CST": {"CN": "+8", "TW": "+8", "HK": "+8", "MO": "+8", "SG": "+8", "CU": "-5", "AU": "?"},
    "CDT": {"CU": "-4", "AU": "+10:30", "CN": "?", "TW": "?"},
    "AST": {"": "?", "CA": "-4", "PR": "-4", "BM": "-4", "TT": "-4", "BB": "-4", "DO": "-4", "SA": "+3", "KW": "+3",
            "BH": "+3", "QA": "+3", "YE": "+3", "IQ": "+3", "JO": "+3"},
    "ADT": {"": "?", "CA": "-3", "BM": "-3"},
    "EST": {"AU": "?"},
    "EDT": {"AU": "+11"},
    "PST": {"PH": "+8", "PK": "+5"},
    "MST": {"MY": "+8", "MM": "+6:30", "RU": "?"},
    "SST": {"": "?", "SG": "+8", "AS": "-11", "US": "-11"},
    "WST": {"": "?", "AU": "+8", "WS": "+13"},
    "AMT": {"": "?", "AM": "+4", "BR": "-4"},
    "BDT": {"BN": "+8"},
    "ECT": {"": "?", "EC": "-5"},
    "GST": {"GS": "-2"},
    "IDT": {"IN": "?"},
    "PYT": {"": "?"},
}  # fmt: skip
"""Offsets from UTC by country (ISO 3166, capitals); `""` for none; `?` if undecidable.

A language's file (`zones`) gives the meanings for its writers, which count if the country does not decide."""

_DAYLIGHT: Final = {
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}
"""Names that mean standard time in winter and daylight time in summer."""
_OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?$")
_REGION: Final = re.compile(r"[-_]([A-Za-z]{2})(?:[-_]|$)")
_TOP_LEVEL: Final = re.compile(r"\.([a-z]{2})$")
MAX_OFFSET: Final = timedelta(hours=14)
"""No zone is farther from UTC than Kiribati."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Who wrote a date: decides between its possible meanings."""

    country: str | None = None
    """ISO 3166 in capitals."""
    language: str | None = None
    """Primary subtag, lower case."""


NO_HINTS: Final = Hints()


def hints_of(language: str | None, url: str | None, country: str | None = None) -> Hints:
    """Hints from a BCP 47 tag and an address: the given country, else the tag's, else the domain's."""
    tag = (language or "").strip()
    region = _REGION.search(tag)
    domain = _TOP_LEVEL.search(_host(url))
    named = country or (region[1] if region else None) or (domain[1] if domain else None)
    primary = re.split(r"[-_]", tag)[0].lower()
    return Hints(iso_country(named.upper()) if named else None, primary or None)


def _host(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def offset_of(sign: str, hours: str, minutes: str | None) -> tzinfo | None:
    """The zone with a numeric offset; None if no zone has it."""
    delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if delta > MAX_OFFSET or int(minutes or 0) > 59:
        return None
    return timezone(-delta if sign == "-" else delta)


def zone_named(name: str, when: datetime, hints: Hints) -> tzinfo | str | None:
    """The zone that `name` means at `when`, a local time; a sentence if it is ambiguous; None if it is not a zone.

    `name` is an abbreviation or a name in the IANA database.
    """
    upper = name.upper()
    if upper in _DAYLIGHT or "/" in name:
        return _in_database(_DAYLIGHT.get(upper, name), when)
    meanings, spoken = _BY_PLACE.get(upper, {}), languages().get(known_as(hints.language or ""))
    by_country = meanings.get(hints.country) if hints.country else None
    known = (by_country, spoken.zones.get(upper) if spoken else None, meanings.get(""))
    offset = next((meaning for meaning in known if meaning), None) or _table().get(upper)
    if offset == "?":
        return f"the zone {upper} has several meanings"
    match = _OFFSET.match(offset or "")
    return offset_of(*match.groups()) if match else None


def is_zone_name(word: str) -> bool:
    """Whether `word` is an abbreviation of a zone."""
    upper = word.upper()
    return upper in _table() or upper in _BY_PLACE or upper in _DAYLIGHT or upper in _names_of_languages()


@cache
def _names_of_languages() -> frozenset[str]:
    return frozenset(gathered(lambda language: language.zones))


@cache
def _table() -> Mapping[str, str]:
    table: dict[str, str] = {}
    for line in _OFFSETS.split("\n"):
        offset, *names = line.split() or ("",)
        table |= dict.fromkeys(names, offset.removeprefix("UTC"))
    return table


@cache
def _database() -> Mapping[str, str]:
    return {name.lower(): name for name in zoneinfo.available_timezones()}


def _in_database(name: str, when: datetime) -> tzinfo | str | None:
    key = _database().get(name.lower())
    if key is None:
        return None
    zone = zoneinfo.ZoneInfo(key)
    first, second = (when.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return zone if first == second else f"{when:%H:%M} occurred twice or never in {key} on that day"
