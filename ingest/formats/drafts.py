"""What all formats share: makes an `Entry` with an id from what an entry says, however odd it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from ingest import dates, text
from ingest.addresses import AddressError, is_address, resolve, shown
from ingest.apart import named
from ingest.authors import MAX_CHARS as MAX_AUTHOR_CHARS
from ingest.authors import names_in
from ingest.zones import Hints
from newswatch.entry import Entry
from newswatch.problems import Bulkhead, Fault, no_fault

TITLE_CHARS: Final = 120
"""Maximum characters of a summary that becomes the title of an entry without one."""
_BROKEN_SCHEME: Final = re.compile(r"\s*https?//", re.IGNORECASE)
"""A browser takes it for a path of the site, which does not exist."""
_BARE_HOST: Final = re.compile(
    r"\s*(?:www\.|(?:[a-z0-9-]+\.)+(?!(?:php\d?|[psx]?html?|aspx?|jspx?|cgi|cfm|do|pl|py|rb|dll|nsf)/)[a-z]{2,18}/)",
    re.IGNORECASE,
)
"""`paper.example/8`: as a path it would lead nowhere. `index.php/8` is a path."""

T = TypeVar("T")


@dataclass(slots=True)
class Draft:
    """An entry while it is read."""

    guid: str = ""
    link: str | None = None
    title: str = ""
    summary: str = ""
    content: str = ""
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    date_as_written: str = ""
    language: str | None = None
    image: str | None = None
    problems: list[str] = field(default_factory=list)


def authors_of(elements: Iterable[str], problems: list[str]) -> tuple[str, ...]:
    """The distinct names in the author elements of an entry; one that is too long is dropped, with a note."""
    written = list(elements)
    if any(len(each) > MAX_AUTHOR_CHARS for each in written):
        problems.append(f"an author has more than {MAX_AUTHOR_CHARS:,} characters: dropped")
    return tuple(dict.fromkeys(name for each in written for name in names_in(each)))


def dated(written: str, what: str, now: datetime, hints: Hints, problems: list[str]) -> datetime | None:
    """The date in `written`, in UTC; None with a note in `problems` if it can't be read or is implausible."""
    if not written.strip():
        return None
    when = dates.read(written.strip(), hints)
    if isinstance(when, str):
        problems.append(f"{what} {written.strip()[: dates.MAX_CHARS]!r} {when}: dropped")
        return None
    return plausible(when, what, now, problems)


def plausible(when: datetime, what: str, now: datetime, problems: list[str]) -> datetime | None:
    """`when` in UTC; None with a note in `problems` if it is implausible."""
    when = dates.in_utc(when)
    if why := dates.implausible(when, now):
        problems.append(f"{what} {why}: dropped")
        return None
    return when


def link_of(given: str, base: str | None, what: str, problems: list[str]) -> str | None:
    """`given` as an address, resolved against `base`; None with a note in `problems` if it is not one.

    Character references are resolved: publishers escape addresses once too often, in JSON too (`&#038;`).
    """
    given = text.unescape(given)
    if not given.strip():
        return None
    if _BROKEN_SCHEME.match(given):
        problems.append(f"{what} {shown(given.strip())} is not an http(s) URL: dropped. Its scheme lacks the colon")
        return None
    if _BARE_HOST.match(given):
        problems.append(
            f"{what} {shown(given.strip())} is not an http(s) URL: dropped. It begins with a host, not a scheme"
        )
        return None
    try:
        return resolve(given, base).url
    except AddressError as error:
        problems.append(f"{what} is not an http(s) URL: dropped. {error}")
        return None


def drafted(
    items: Iterable[T], draft: Callable[[T], Draft], problems: list[str], *, fault: Fault = no_fault
) -> list[Draft]:
    """Each item as a draft; an item on which `draft` fails costs only itself, and is reported in `problems`."""
    walls = Bulkhead("parse", fault=fault)
    made = [
        walls.attempt("entry", f"entry {number}", partial(draft, item)) for number, item in enumerate(items, start=1)
    ]
    problems += [f"{problem.subject} can't be read: {problem.reason}" for problem in walls.problems]
    return [draft_ for draft_ in made if draft_ is not None]


def finish(
    drafts: Iterable[Draft],
    language: str | None,
    problems: list[str],
    *,
    site: str | None = None,
    fault: Fault = no_fault,
) -> dict[str, Any]:
    """The drafts as entries with ids, and the problems of the document: fields of a `ParsedFeed`.

    `site` is the feed's own home page: a link to it does not lead to an article. A draft that can't become an entry
    costs only itself, and is reported.
    """
    walls, dropped = Bulkhead("parse", fault=fault), []
    kept: list[Draft] = []
    for number, draft in enumerate(drafts, 1):
        _title_from_summary(draft)
        if draft.title or draft.link:
            kept.append(draft)
        else:
            dropped.append(f"entry {number} has no title, link or text: dropped")
    entries, hashes = [], []
    for draft in kept:
        entry = walls.attempt("entry", shown(draft.title), partial(_entry, draft, language))
        if entry:
            entries.append(entry)
            hashes.append(_hash_id(draft))
    dropped += [f"entry {problem.subject} can't be read: {problem.reason}" for problem in walls.problems]
    distinct, doubles = named(entries, site, hashes)
    return {"entries": tuple(distinct), "problems": (*problems, *dropped, *doubles)}


def _title_from_summary(draft: Draft) -> None:
    body = draft.summary or draft.content
    if draft.title or not body:
        return
    line = body.partition("\n")[0]
    draft.title = line if len(line) <= TITLE_CHARS else line[:TITLE_CHARS].rsplit(" ", 1)[0] + "…"
    draft.problems.append("no title: the beginning of the text is used")


def _entry(draft: Draft, language: str | None) -> Entry:
    """The entry; its id is still the feed's own, or empty."""
    link = draft.link if is_address(draft.link) else None
    return Entry(
        id=storable(draft.guid),
        url=link,
        title=storable(text.unmangled(draft.title), draft.problems),
        summary=storable(text.unmangled(draft.summary), draft.problems),
        content=storable(text.unmangled(draft.content), draft.problems),
        authors=tuple(storable(author, draft.problems) for author in draft.authors),
        published=draft.published or draft.updated,
        updated=draft.updated,
        language=draft.language or language,
        image=draft.image,
        problems=tuple(storable(problem) for problem in draft.problems),
    )


def storable(given: str, problems: list[str] | None = None) -> str:
    """`given` with a "?" for each lone surrogate, which no Unicode encoding can write."""
    try:
        given.encode()
    except UnicodeEncodeError:
        note = 'halves of characters are shown as "?"'
        if problems is not None and note not in problems:
            problems.append(note)
        return given.encode("utf-8", "replace").decode()
    return given


def _hash_id(draft: Draft) -> str:
    seed = f"{draft.title}\n{draft.date_as_written}".encode("utf-8", "replace")
    return f"sha256:{hashlib.sha256(seed).hexdigest()[:32]}"
