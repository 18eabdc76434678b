"""From values to HTML: the templates, and how numbers, times and places are written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from math import ceil
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus

from babel import Locale, UnknownLocaleError
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from delivery.words import zone_name
from ingest.addresses import is_address
from newswatch import durations
from newswatch.article import Article, Evidence, Tag
from newswatch.clock import local_time
from newswatch.languages import direction
from newswatch.names_in_english import country, language
from newswatch.reliability import GRADES, LEAST, meant
from newswatch.texts import grouped, without_logins
from newswatch.topics import Topics
from search.editing import with_value, written
from search.facets import FacetValue
from search.story_view import published
from search.syntax import parse
from web import marks, zones
from web.topic_styles import topic_class, version

STATIC = Path(__file__).parent / "static"
NO_SHELL: Mapping[str, Any] = {
    "user": None,
    "may_change": False,
    "may_operate": False,
    "may_save": False,
    "token": "",
    "catches": False,
    "problem_count": None,
    "held": None,
    "topics": Topics(),
    "wrong": (),
    "looked_at": None,
}
"""What every page shows, where it isn't known who asks."""
_JUST_S, _DAY_S = 5, 86_400


@cache
def environment() -> Environment:
    """The templates: what they print is escaped, and a name they misspell is an error."""
    env = Environment(
        loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    env.filters |= {
        "clock": clock,
        "minute": minute,
        "iso": iso,
        "count": grouped,
        "country": country,
        "mails": mails,
        "language": language,
        "step": step_label,
        "topic": topic_class,
        "duration": duration,
        "since": since,
        "with_code": with_code,
        "without_logins": without_logins,
        "timed": timed,
        "zone": zones.named,
    }
    env.globals |= {
        "marks": marks,
        "published": published,
        "safe_url": safe_url,
        "tagged": tagged,
        "written": written,
        "main_tags": main_tags,
        "language_tag": language_tag,
        "repeats_summary": repeats_summary,
        "shown_evidence": shown_evidence,
        "direction_of": direction,
        "asset": asset,
        "facet_value": facet_value,
        "meant": meant,
        "LEAST": LEAST,
        "topics_version": version,
    }
    return env


def render(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """The page; `request.state.shell` holds what every page shows."""
    shell = {**NO_SHELL, **getattr(request.state, "shell", {})}
    html = (
        environment()
        .get_template(template)
        .render(
            base=request.scope.get("root_path", ""),
            here_address=str(request.url),
            days_meant=zones.zone_to_check(request),
            query_string=query_string,
            **shell,
            **values,
        )
    )
    # Half of a surrogate pair, which strangers may have sent, must not cost the page.
    return HTMLResponse(html.encode("utf-8", "replace"), status)


def query_string(**values: Any) -> str:
    """`?a=1&b=2`, without what is empty, False or None."""
    given = [(name, value) for name, value in values.items() if value not in (None, "", False)]
    return "?" + "&".join([f"{_quoted(name)}={_quoted(str(value))}" for name, value in given])


_quoted = lru_cache(1_000)(quote_plus)
"""A page has hundreds of links, which mostly say the same."""


@lru_cache(1_000)
def tagged(query: str, tag: str) -> str:
    """The query string of the search with that tag besides; a page has a few tags, many times."""
    return query_string(q=with_value(parse(query), "tag", tag))


@cache
def asset(name: str) -> str:
    """A static file's name with its content's hash, so that browsers may keep it and still get a new one."""
    return f"{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


# ── how things are written ───────────────────────────────────────────────────────────────────────────────────────────


def iso(moment: datetime, zone: tzinfo = UTC) -> str:
    """To the minute, with the zone's name: 2026-03-04 05:06 UTC."""
    here = local_time(moment, zone)
    return f"{here:%Y-%m-%d %H:%M} {zone_name(here)}"


_TIME = Markup('<time datetime="{moment}" title="{title}"{form}>{text}</time>')
_FORM = Markup(' data-form="{}"')
"""How times.js writes a time anew in the reader's zone: "date", "minute", "clock" as the functions below do in UTC.
Without it the text holds in every zone ("5 min ago")."""


def _time(moment: datetime, text: str, form: Literal["", "date", "minute", "clock"]) -> Markup:
    """A time as an element whose text names its zone, or needs none."""
    return _TIME.format(
        moment=moment.isoformat(), title=iso(moment), form=_FORM.format(form) if form else "", text=text
    )


def clock(moment: datetime | None, now: datetime) -> Markup:
    """`when` as an element; a dash for none."""
    if moment is None:
        return Markup("–")
    return _time(moment, when(moment, now), "date" if _is_far(moment, now) else "")


def minute(moment: datetime) -> Markup:
    """The time to the minute, as an element: 2026-03-04 05:06 UTC."""
    return _time(moment, iso(moment), "minute")


def step_label(moment: datetime, step: timedelta, zone: tzinfo) -> str:
    """A step of a time-line, as exactly as its length asks for: the day in `zone`, or the time as an element."""
    here = moment.astimezone(zone if step >= timedelta(days=1) else UTC)
    if step >= timedelta(days=1):
        return f"{here.day} {here:%b %Y}"
    return _time(moment, f"{here.day} {here:%b}, {here:%H:%M} UTC", "date")


def _is_far(moment: datetime, now: datetime) -> bool:
    """Whether its date says more than how long ago it was."""
    return abs((now - moment).total_seconds()) >= _DAY_S


def when(moment: datetime | None, now: datetime) -> str:
    """For people: "5 min ago", "in 2 h"; a day or more away, the date in UTC."""
    if moment is None:
        return "–"
    if _is_far(moment, now):
        here = moment.astimezone(UTC)
        year = "" if here.year == now.year else f" {here.year}"
        return f"{here.day} {here:%b}{year}, {here:%H:%M} UTC"
    if abs((now - moment).total_seconds()) < _JUST_S:
        return "just now"
    return durations.ago(moment, now)


def since(moment: datetime, now: datetime) -> Markup:
    """When something began and how long it has lasted: "since 14:05 UTC, for 50 min"; with the date if not today."""
    here, lasted = moment.astimezone(UTC), (now - moment).total_seconds()
    date = f"{here.day} {here:%b}, " if here.date() != now.astimezone(UTC).date() else ""
    began = _time(moment, f"{date}{here:%H:%M} UTC", "clock")
    return Markup("since {}, for {}").format(began, durations.short(max(lasted, 0)))


_WRITTEN = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")
"""A time as sentences of other parts hold it."""


def timed(text: str) -> Markup:
    """The text, escaped, with its times as elements, so that they stand in the reader's zone like all others."""
    parts = _WRITTEN.split(text)
    return Markup().join(_timed(part) if number % 2 else escape(part) for number, part in enumerate(parts))


def _timed(written: str) -> Markup:
    try:
        return minute(datetime.strptime(written, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
    except ValueError:  # 2026-02-31, from a stranger
        return escape(f"{written} UTC")


def with_code(text: str) -> Markup:
    """The text as `timed`, with what stands between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick that is alone is one
        return timed(text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if number % 2 else timed(part) for number, part in enumerate(parts)
    )


def duration(seconds: float | timedelta | None) -> str:
    """In its largest unit: "45 s", "5 min", "3 h", "12 d"; a dash for none."""
    if seconds is None:
        return "–"
    return durations.short(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)


def mails(per_day: float) -> str:
    """How many mails that is, in the unit in which there are some: "12 mails a day", "3 mails a week"."""
    unit, number = next(
        (u, per_day * n) for u, n in (("day", 1), ("week", 7), ("month", 30)) if per_day * n >= 1 or n == 30
    )
    told = round(number)
    return f"{told} mail{'s' if told != 1 else ''} a {unit}"


def main_tags(article: Article) -> list[Tag]:
    """Topics first, each followed by its sub-topics, main ones before mentions."""

    def place(tag: Tag) -> tuple[str, bool, bool, float]:
        return tag.tag.split("/")[0], "/" in tag.tag, tag.level != "main", -tag.score

    return sorted(article.tags, key=place)


def facet_value(written: str, bucket: FacetValue, topics: Topics) -> str:
    """The name of a value of a facet (`search.filters.Facet.written`)."""
    names: Mapping[str, Callable[[str], str]] = {
        "topic": topics.name,
        "country": country,
        "language": language,
        "reliability": graded,
    }
    return names[written](bucket.value) if written in names else bucket.label


def graded(value: str) -> str:
    """A grade, or a range of them, in words where it is one."""
    return f"{value}: {GRADES[value]}" if value in GRADES else value


def repeats_summary(article: Article) -> bool:
    """Whether the text begins with the summary: then the page shows it once."""
    return bool(article.summary) and article.text.startswith(article.summary[:80])


def shown_evidence(tag: Tag, article: Article) -> list[tuple[str, list[Evidence]]]:
    """The tag's evidence that the page shows, one entry for each wording with all its places."""
    places: dict[str, list[Evidence]] = {}
    for evidence in tag.evidence:
        if evidence.field != "summary" or not repeats_summary(article):
            places.setdefault(evidence.text, []).append(evidence)
    return list(places.items())


@lru_cache(1_000)
def language_tag(code: str | None) -> str:
    """The language as HTML names it (BCP 47: the shortest code there is), empty for what is no language."""
    try:
        return str(Locale.parse(code).language) if code else ""
    except (ValueError, UnknownLocaleError):
        return ""


def safe_url(url: str | None) -> str:
    """The address, if a browser that follows it can do no more than load a page; else nothing."""
    return url if url and is_address(url) else ""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a list, as offsets."""

    previous: int | None
    next: int | None
    """None where there is none."""
    current: int
    """Number of this page, from 1."""
    last: int
    """Number of the last page that can be shown."""
    numbered: Sequence[tuple[int, int]]
    """Number and offset of the pages to offer: the first, those around this one, the last."""


_AROUND = 2


def pages(offset: int, size: int, total: int, deepest: int) -> Pages:
    """The pages of a list of `total` rows, of which those up to `deepest` can be shown."""
    last = max(1, ceil(min(total, deepest) / size))
    current = offset // size + 1
    around = range(current - _AROUND, current + _AROUND + 1)
    numbers = [number for number in sorted({1, *around, last}) if 1 <= number <= last]
    return Pages(
        max(0, min(offset, last * size) - size) if offset else None,
        offset + size if current < last else None,
        current,
        last,
        [(number, (number - 1) * size) for number in numbers],
    )
