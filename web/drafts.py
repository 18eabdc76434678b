"""The form of a saved search: what was typed, as fields of `alerts.yaml`, and a saved search as such a form. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from alerts import schedule
from alerts.definitions import UsageError
from newswatch.alert import SavedSearch
from newswatch.durations import exact, in_words, typed
from newswatch.names_in_english import countries, languages
from newswatch.topics import Topics
from search.extract_filters import ExtractedFilters
from search.filters import SAVED
from search.limits import shown
from web.fingerprint import fingerprint
from web.security import Form
from web.zones import zone_called

THROTTLES = (0, 900, 3_600, 6 * 3_600, 86_400)
SILENCES = (6 * 3_600, 12 * 3_600, 86_400, 2 * 86_400, 7 * 86_400)
"""Seconds that the form offers; a saved search may have others."""
TAG_FIELD = "tag:"
"""Put before a tag in the name of its field."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as typed: kept as it is while something in it is wrong."""

    name: str = ""
    query: str = ""
    kind: str = "query"
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag → the least level."""
    languages: str = ""
    countries: str = ""
    sources: str = ""
    kinds: str = ""
    min_sources: str = "1"
    min_score: str = "0"
    min_reliability: str = ""
    recipients: str = ""
    every: str = "instant"
    at: str = "07:00"
    day: str = "monday"
    zone: str = "Europe/Brussels"
    throttle: str = "0s"
    silence: str = "1d"
    briefing: bool = False
    updates: bool = False
    expires_at: str = ""
    ends_in: str = "UTC"
    """The time zone of `expires_at`."""
    note: str = ""

    @classmethod
    def read(cls, form: Form) -> Draft:
        """The form's fields; one that was not sent is as on a new form."""
        texts = {name: form.text(name) for name in _TEXTS if name in form}
        tags = {tag: level for tag, level in form.beginning(TAG_FIELD).items() if level}
        return cls(**texts, tags=tags, updates="updates" in form, briefing="briefing" in form)

    @property
    def schedule(self) -> str:
        """As `alerts.yaml` writes it."""
        form = " briefing" if self.briefing else ""
        if self.every == "daily":
            return f"daily{form} at {self.at} {self.zone}"
        return f"weekly{form} on {self.day} at {self.at} {self.zone}" if self.every == "weekly" else self.every

    @property
    def narrowed(self) -> bool:
        """Whether any of the conditions is set that the form folds away."""
        lists = [getattr(self, saved.field) for saved in SAVED.values()]
        least = self.min_sources not in ("", "1") or self.min_score not in ("", "0") or bool(self.min_reliability)
        return any(lists) or least

    @property
    def tuned(self) -> bool:
        """Whether anything is set of how it mails that the form folds away (a note stands above the form as well)."""
        return self.throttle not in ("", "0s") or self.updates or bool(self.expires_at)

    def fields(self) -> dict[str, Any]:
        """As fields of `alerts.yaml`.

        Raises:
            UsageError: a country, a language or a date can't be one.
        """
        return {
            "name": self.name,
            "query": self.query,
            "kind": self.kind,
            "tags": [{"tag": tag, "level": level} for tag, level in self.tags.items()],
            "languages": _codes(self.languages, "language", languages(), str.lower),
            "countries": _codes(self.countries, "country", countries(), str.upper),
            "sources": words(self.sources.lower()),
            "kinds": words(self.kinds.lower()),
            "min_sources": self.min_sources or 1,
            "min_score": self.min_score or 0,
            "min_reliability": self.min_reliability,
            "recipients": addresses(self.recipients),
            "schedule": self.schedule,
            "throttle": self.throttle or "0s",
            "silence": self.silence or "1d",
            "updates": self.updates,
            "expires_at": _moment(self.expires_at, self.ends_in),
            "note": self.note,
        }


def fingerprint_of(search: SavedSearch) -> str:
    """The fingerprint of what its form has of a search: muting and switching it meanwhile is no change of that."""
    return fingerprint(replace(search, version=1, enabled=True, mute_until=None))


_TEXTS = tuple(one.name for one in fields(Draft) if isinstance(one.default, str))


def draft_of(search: SavedSearch, zone: tzinfo = UTC) -> Draft:
    """The form of a saved search, its end in `zone`; in UTC if clocks there show that time twice."""
    zone = UTC if search.expires_at and search.expires_at.astimezone(zone).fold else zone
    sends = _readable(search.schedule)
    timed = {"at": f"{sends.time_of_day:%H:%M}", "zone": str(sends.zone)} if sends.every in ("daily", "weekly") else {}
    return Draft(
        name=search.name,
        query=search.query,
        kind=search.kind,
        tags={tag.tag: tag.level for tag in search.tags},
        **_lists(search),
        min_sources=str(search.min_sources),
        min_score=f"{search.min_score:g}",
        min_reliability=search.min_reliability,
        recipients="\n".join(search.recipients),
        every=sends.every,
        briefing=sends.briefing,
        day=schedule.DAYS[sends.weekday or 0],
        throttle=exact(search.throttle_s),
        silence=exact(search.silence_s),
        updates=search.updates,
        expires_at=search.expires_at.astimezone(zone).replace(tzinfo=None).isoformat() if search.expires_at else "",
        ends_in=str(zone),
        note=search.note,
        **timed,
    )


def _readable(text: str) -> schedule.Schedule:
    """The schedule; of one that can't be read, the form offers the usual, and the page says what is wrong with it."""
    try:
        return schedule.parse(text)
    except ValueError:
        return schedule.Schedule("instant")


def draft_from(extracted: ExtractedFilters, topics: Topics, recipients: str) -> Draft:
    """The form of a new saved search that watches what a query finds."""
    paths = [topics.path(tag.tag) for tag in extracted.tags]
    unsaid = [path for path in paths if path.casefold() not in extracted.query.casefold()]
    others = [value for saved in SAVED.values() for value in getattr(extracted, saved.field)]
    return Draft(
        name=", ".join(part for part in (extracted.query, *unsaid, *others) if part)[:200],
        query=extracted.query,
        tags={tag.tag: tag.level for tag in extracted.tags},
        **_lists(extracted),
        min_reliability=extracted.min_reliability,
        recipients=recipients,
    )


def _lists(kept: SavedSearch | ExtractedFilters) -> dict[str, Any]:
    """The form's fields for the short filters that a saved search has as its own."""
    return {saved.field: ", ".join(getattr(kept, saved.field)) for saved in SAVED.values()}


def choices(offered: tuple[int, ...], chosen: str) -> list[str]:
    """The lengths of time to choose from, as `exact` writes them: what is offered, and what is chosen already."""
    texts = [exact(seconds) for seconds in offered]
    return texts if chosen in texts else [chosen, *texts]


def spoken(length: str | int) -> str:
    """A length of time, in seconds or as `exact` writes it, in words: "90m" → "90 minutes"; what is none, as it is."""
    text = exact(length) if isinstance(length, int) else length
    found = typed(text)
    return in_words(*found) if found else text


def _moment(text: str, zone: str) -> datetime | None:
    """The moment, in UTC: a time without a zone is one of `zone`."""
    known = zone_called(zone)
    if known is None:
        raise UsageError(f"ends_in: {shown(zone)} is no time zone: write one like Europe/Brussels")
    try:
        typed = datetime.fromisoformat(text) if text else None
        return typed and (typed if typed.tzinfo else typed.replace(tzinfo=known)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"expires_at: {shown(text)} is no date and time: write one like 2026-12-31T18:00") from error


def words(text: str) -> list[str]:
    """What is listed, with commas or blanks between."""
    return text.replace(",", " ").split()


_RECIPIENT = re.compile(r".+@.+|[a-z]+:.+")
"""An address, or what a channel has with a colon: `person:ann`."""


def addresses(text: str) -> list[str]:
    """The recipients that are listed, also as mail programs copy them: `Ann Lee <ann@example.org>; bob@example.org`.

    What stands before `<` is a name, but for the recipients in it, which only blanks part from the name.
    """
    found: list[str] = []
    for part in re.split(r"[,;\n]", re.sub(r'"[^"\n]*"(?=\s*<)', "", text)):
        named = re.fullmatch(r"([^<>]*)<\s*([^<>\s]+)\s*>\s*", part)
        if named is None:
            found += part.split()
            continue
        before = (word.strip("'()[]") for word in named[1].split())
        found += [word for word in before if word != named[2] and _RECIPIENT.fullmatch(word)] + [named[2]]
    return found


def _codes(text: str, what: str, by_name: Mapping[str, str], case: Any) -> list[str]:
    """The codes of what is listed, by code or by English name."""
    known = set(by_name.values())
    found: list[str] = []
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        pieces = [part] if part.casefold() in by_name else part.split()
        for piece in pieces:
            code = by_name.get(piece.casefold(), case(piece))
            if code not in known:
                raise UsageError(
                    f"{shown(piece)} is no {what}: write its English name or its code, with commas between"
                )
            found.append(code)
    return list(dict.fromkeys(found))


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

LABELS: Mapping[str, str] = {
    "query": "words",
    "tags": "topics",
    "min_score": "least score",
    "min_sources": "independent sources",
    "min_reliability": "least reliability",
    "sources": "outlets",
    "kinds": "kinds of outlets",
    "recipients": "mail to",
    "schedule": "when",
    "throttle_s": "pause between mails",
    "mute_until": "muted until",
    "expires_at": "ends",
    "silence_s": "silence of",
    "updates": "later articles",
    "enabled": "switched on",
    "kind": "watches for",
}


def changed(before: SavedSearch, after: SavedSearch, topics: Topics) -> list[tuple[str, str, str]]:
    """What differs between two versions: the field's label, its value before and after."""
    names = (name for name in SavedSearch.__dataclass_fields__ if name not in ("version", "id"))
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in names)
    return [(LABELS.get(n, n), _shown(n, old, topics), _shown(n, new, topics)) for n, old, new in pairs if old != new]


def _shown(name: str, value: Any, topics: Topics) -> str:
    if value in (None, "", ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if name == "tags":
        return ", ".join(
            f"{topics.path(t.tag)} ({'main subject' if t.level == 'main' else 'mentioned'})" for t in value
        )
    if isinstance(value, tuple):
        return ", ".join(value)
    return spoken(value) if name.endswith("_s") else f"{value:g}" if isinstance(value, float) else str(value)
