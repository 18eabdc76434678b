"""Articles that others hand us whole: the lines of an import, the bodies of the push endpoint. The schema is here.

Nothing is guessed: a field that is unknown, too long, without a time zone or of another type is an error, and costs its
own article only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ingest import bounds
from ingest.addresses import domain_of, read_address
from ingest.assemble import SHORT_CHARS, SHORT_CHARS_DENSE
from ingest.feed_list.feeds import KINDS
from ingest.text import from_markup, language_of
from ingest.urls import canonicalize, former_url, is_part, known_id, untracked
from newswatch.article import Article, Provenance, Source, TextStatus, Version
from newswatch.clock import SKEW
from newswatch.languages import is_dense
from newswatch.plain_text import one_line, tidy
from newswatch.reliability import GRADES
from newswatch.wording import worded

EARLIEST: Final = 1900
"""An earlier year is a mistake."""
VERSIONS: Final = 1_000
IMPORTED: Final = "import"
"""At the beginning of what an imported article's provenance says of its extractor."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)")


class GivenError(ValueError):
    """The article can't be used; the text names the field and why."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of its keys and values, as `object_pairs_hook` of `json.loads`.

    Raises:
        GivenError: it has a key twice; one of the two would be dropped in silence.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise GivenError(f"{next(k for n, (k, _) in enumerate(pairs) if k in dict(pairs[:n]))[:60]!r} is given twice")
    return found


def once_or_error(pairs: list[tuple[str, Any]]) -> dict[str, Any] | GivenError:
    """The same, with the error in the object's place: it costs that article, not the others of the request."""
    try:
        return once(pairs)
    except GivenError as error:
        return error


def _time(value: Any) -> Any:
    """A time as RFC 3339 writes it, with its zone; pydantic alone would take a number, or a time without one."""
    if isinstance(value, datetime) and value.tzinfo:
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
        raise ValueError("it must be a time with its zone, such as 2026-03-04T05:06:07Z")
    return value.strip().upper()


Time = Annotated[datetime, BeforeValidator(_time)]


def _text(most: int) -> Any:
    return Annotated[str, StringConstraints(max_length=most)]


Name = Annotated[str, StringConstraints(max_length=bounds.NAME_CHARS)]
Url = Annotated[str, StringConstraints(max_length=8_000)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class GivenSource(BaseModel):
    """The outlet."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    feed_id: Id | None = None
    domain: Annotated[str, StringConstraints(max_length=253)] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    kind: str = "press"
    owner: Name | None = None
    reliability: str | None = None
    state_media: bool = False


class GivenProvenance(BaseModel):
    """How it was read: only our own exports say so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fetched_at: Time
    page_fetched: bool
    extractor: Annotated[str, StringConstraints(max_length=300)]
    taxonomy: str = ""
    body_hash: str | None = None


class Pushed(BaseModel):
    """An article as it may be pushed: what its publisher says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url
    title: _text(bounds.TITLE_CHARS)  # type: ignore[valid-type]
    summary: _text(bounds.SUMMARY_CHARS) = ""  # type: ignore[valid-type]
    text: _text(bounds.TEXT_CHARS) = ""  # type: ignore[valid-type]
    """Plain text, a paragraph a line."""
    html: _text(2 * bounds.TEXT_CHARS) | None = None  # type: ignore[valid-type]
    """In place of `text`: markup, of which the text is taken."""
    authors: tuple[Name, ...] = ()
    published: Time | None = None
    updated: Time | None = None
    language: str | None = None
    image: Url | None = None


class Given(Pushed):
    """An article as it may be imported: the same, and what another archive knows of it; `newswatch search --export
    jsonl` writes it so."""

    source: GivenSource | None = None
    link: Url | None = None
    first_seen: Time | None = None
    text_status: TextStatus | None = None
    feeds: Annotated[tuple[Id, ...], Field(max_length=1_000)] = ()
    agency: Name | None = None
    version: int = 1
    versions: tuple[Version, ...] = ()
    provenance: GivenProvenance | None = None
    # Derived anew from the words, as for a live article.
    id: Any = None
    tags: Any = None
    entities: Any = None
    text_hash: Any = None
    story_id: Any = None
    duplicate_of: Any = None
    placed_at: Any = None
    placed_by: Any = None
    repeated: Any = None
    meaning: Any = None
    problems: Any = None


def imported(data: Any, *, now: datetime) -> Article:
    """The article of one line of an import; tags, hashes and story are left to the transforms.

    Raises:
        GivenError: it can't be used.
    """
    given = _validated(Given, data)
    url = _url(given)
    source = _source(given.source, url)
    published = given.published and _plausible("published", given.published, now)
    first_seen = _plausible("first_seen", given.first_seen or published or now, now)
    article = _article(given, url, source, first_seen, now)
    said = given.provenance
    extractor = said.extractor if said else ""
    extractor = extractor if extractor.startswith(IMPORTED) else f"{IMPORTED} {extractor}".strip()
    fetched = said.fetched_at if said else first_seen
    provenance = Provenance(
        fetched, bool(said and said.page_fetched), extractor, body_hash=said.body_hash if said else None
    )
    link = given.link or article.link
    if given.link:
        _address("link", given.link)
    return replace(
        article,
        provenance=provenance,
        text_status=given.text_status or article.text_status,
        agency=given.agency,
        link=link if link != url else None,
        feeds=given.feeds or (source.feed_id,),
        versions=_versions(given, now),
        version=max(1, len(given.versions)),
    )


def pushed(data: Any, source: Source, *, now: datetime) -> Article:
    """The article of one item of a push, from the outlet that its key stands for.

    Raises:
        GivenError: it can't be used.
    """
    given = _validated(Pushed, data)
    return _article(given, _url(given), source, now, now)


def _validated(kind: type[Any], data: Any) -> Any:
    if isinstance(data, GivenError):
        raise data
    if not isinstance(data, Mapping):
        raise GivenError("an article is a JSON object")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, f['loc'])) or 'it'}: {worded(f)}" for f in error.errors(include_url=False)[:3]]
        raise GivenError("; ".join(faults)) from error


def _url(given: Pushed) -> str:
    """The URL that identifies it: as we know articles; of our own export, as the article was known there."""
    _address("url", given.url)
    if not isinstance(given, Given) or given.provenance is None:
        return canonicalize(given.url)
    return given.url if is_part(given.url) else former_url(given.url)


def _address(field: str, url: str) -> None:
    try:
        read_address(url)
    except ValueError as error:
        raise GivenError(f"{field}: {error}") from error


def _source(given: GivenSource | None, url: str) -> Source:
    domain = domain_of(url)
    if given is None:
        return Source(IMPORTED, domain, domain)
    if given.kind not in KINDS:
        raise GivenError(f"source.kind: {given.kind[:60]!r} is none of {', '.join(KINDS)}")
    if given.reliability is not None and given.reliability not in GRADES:
        raise GivenError(f"source.reliability: {given.reliability[:20]!r} is none of {', '.join(GRADES)}")
    stated = given.model_dump()
    return Source(**stated | {"feed_id": given.feed_id or IMPORTED, "domain": given.domain or domain})


def _article(given: Pushed, url: str, source: Source, first_seen: datetime, now: datetime) -> Article:
    if given.html and given.text:
        raise GivenError("html: give `text` or `html`, not both")
    title, summary = one_line(from_markup(given.title)), tidy(from_markup(given.summary))
    text = tidy(from_markup(given.html) if given.html else given.text)
    if not title:
        raise GivenError("title: it is empty")
    if len(text) > bounds.TEXT_CHARS:
        raise GivenError(f"html: its text has more than {bounds.TEXT_CHARS:,} characters")
    if len(given.authors) > bounds.MAX_AUTHORS:
        raise GivenError(f"authors: there are more than {bounds.MAX_AUTHORS}")
    language = language_of(given.language)
    if given.language and language is None:
        raise GivenError(f"language: {given.language[:40]!r} is no language tag, such as en or pt-BR")
    if given.image:
        _address("image", given.image)
    link = untracked(given.url)
    short = SHORT_CHARS_DENSE if is_dense(language) else SHORT_CHARS
    return Article(
        id=known_id(url),
        url=url,
        title=title,
        summary=summary,
        text=text,
        text_status="full" if len(text) >= short else "summary" if text or summary else "empty",
        source=source,
        first_seen=first_seen,
        provenance=Provenance(now, page_fetched=False, extractor="push"),
        authors=tuple(dict.fromkeys(name for author in given.authors if (name := one_line(author)))),
        published=given.published and _plausible("published", given.published, now),
        updated=given.updated and _plausible("updated", given.updated, now),
        language=language,
        image=given.image,
        feeds=(source.feed_id,),
        link=link if link != url else None,
    )


def _plausible(field: str, moment: datetime, now: datetime) -> datetime:
    if moment > now + SKEW:
        raise GivenError(f"{field}: {moment.isoformat()} lies in the future")
    if moment.year < EARLIEST:
        raise GivenError(f"{field}: {moment.isoformat()} lies before {EARLIEST}")
    return moment


def _versions(given: Given, now: datetime) -> tuple[Version, ...]:
    if len(given.versions) > VERSIONS:
        raise GivenError(f"versions: there are more than {VERSIONS:,}")
    for number, version in enumerate(given.versions):
        if version.seen_at.tzinfo is None:
            raise GivenError(f"versions.{number}.seen_at: it lacks its time zone")
        _plausible(f"versions.{number}.seen_at", version.seen_at, now + timedelta(days=1))
    return given.versions
