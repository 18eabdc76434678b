"""Bounds on what is read of one document: what is beyond them is left out, and told. Pure.

Three lines of defence, in the order in which a document meets them: a count of its bytes that proves a small one
harmless (`is_harmless`), so that it needs no worker process; the cut of what is too long before it is parsed
(`newest_entries`) and after (`bounded_feed`, `bounded_page`); and, for whatever else is in it, the limits on time and
memory of `ingest.workers`. Addresses have their bound in `ingest.urls`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.extracted import Extracted
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import CONTROLS
from ingest.unpack import NotUnpackedError, unpacked
from newswatch.entry import Entry

FEED_S: Final = 4.0
"""Seconds of CPU time for one feed document. A megabyte takes half a second."""
PAGE_S: Final = 4.0
"""Seconds of CPU time for one article page. Most take a tenth of one."""
MAX_FEEDS: Final = 20_000
"""Feeds that a page names: the likeliest of them are tried (`ingest.discover`)."""
MAX_ENTRIES: Final = 1_000
"""Entries of one feed document that are read: the newest. News sitemaps have at most that many."""
TITLE_CHARS: Final = 1_000
SUMMARY_CHARS: Final = 20_000
TEXT_CHARS: Final = 500_000
"""Characters of an article's text: a book. Elasticsearch highlights no text longer than a million."""
NAME_CHARS: Final = 200
"""Characters of an author's name."""
MAX_AUTHORS: Final = 50
ID_CHARS: Final = 2_000
"""A longer id is replaced by its hash: Elasticsearch takes no keyword beyond 32,766 bytes."""
PROBLEM_CHARS: Final = 300
MAX_PROBLEMS: Final = 50
"""Of one feed, entry or page; how many more there were is told in one more."""
MAX_TAGS: Final = 60_000
"""Start tags of an article page. The longest live blogs have 20,000."""

HARMLESS_BYTES: Final = 64_000
HARMLESS_TAGS: Final = 1_600
"""`<` in a document that is read without a worker: what is quadratic in elements stays below a tenth of a second."""
HARMLESS_EQUALS: Final = 800
"""`=`, so attributes, in such a document."""
HARMLESS_RUN: Final = 4_000
"""Bytes without a `<` in such a document: what is quadratic in a text stays below a tenth of a second."""
HARMLESS_REFERENCES: Final = 2_000
"""`&` in such a document."""
HARMLESS_HEAD: Final = 1_000
"""Bytes before its first element: feedparser is quadratic in blank lines there."""
_ELEMENT: Final = re.compile(rb"<\w")


def harmless(body: bytes) -> bytes | None:
    """The bytes of a document that needs no worker, unpacked: they were counted. None for one that needs one.

    No more than `HARMLESS_BYTES` are unpacked here.
    """
    try:
        plain = unpacked(body, HARMLESS_BYTES) if len(body) <= HARMLESS_BYTES else body
    except NotUnpackedError:
        return None
    return plain if is_harmless(plain) else None


def is_harmless(body: bytes) -> bool:
    """Whether a document is small in everything that a parser may be slow in: no worker is needed for it."""
    return (
        len(body) <= HARMLESS_BYTES
        and body.count(b"<") <= HARMLESS_TAGS
        and body.count(b"=") <= HARMLESS_EQUALS
        and body.count(b"&") <= HARMLESS_REFERENCES
        and len(body.translate(None, CONTROLS)) == len(body)  # gzip and UTF-16 hide all of these
        and b"<!ENTITY" not in body
        and _ELEMENT.search(body, 0, HARMLESS_HEAD) is not None
        and max(map(len, body.split(b"<"))) <= HARMLESS_RUN
    )


# ── before parsing: the newest entries of too many ───────────────────────────────────────────────────────────────────

_MARK: Final = re.compile(rb"<!\[CDATA\[|<!--|<(/?)((?:[A-Za-z][\w.-]{0,30}:)?(?:item|entry|url))(?=[\s/>])")
_CLOSED_BY: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->"}
_DATE: Final = re.compile(
    rb"<(?:\w{1,30}:)?(?:pubDate|published|updated|date|modified|issued|publication_date)\b[^<>]{0,99}>"
    rb"(?:<!\[CDATA\[)?\s{0,20}([^<>]{8,40})"
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A document with no more entries than are read."""

    body: bytes
    left_out: int = 0
    by: str = ""
    """Which were kept: "the newest", or "the first" where they have no dates."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out, in a sentence."""
        if not self.left_out:
            return ()
        total = self.left_out + MAX_ENTRIES
        return (f"the document has {total:,} entries: {self.by} {MAX_ENTRIES:,} were read, {self.left_out:,} left out",)


def newest_entries(body: bytes) -> Cut:
    """An XML document cut down to its newest `MAX_ENTRIES` entries, byte for byte as they were, in their order."""
    if body.count(b"<") <= MAX_ENTRIES:
        return Cut(body)
    if max(body.count(b"<item"), body.count(b"<entry"), body.count(b"<url"), body.count(b":item")) <= MAX_ENTRIES:
        return Cut(body)
    spans = _entry_spans(body)
    if len(spans) <= MAX_ENTRIES:
        return Cut(body)
    kept, by = newest([_written_date(body, span) for span in spans])
    pieces, at = [], 0
    for number, (start, end) in enumerate(spans):
        if number not in kept:
            pieces.append(body[at:start])
            at = end
    pieces.append(body[at:])
    return Cut(b"".join(pieces), len(spans) - MAX_ENTRIES, by)


def _entry_spans(body: bytes) -> list[tuple[int, int]]:
    """Where entries begin and end; in one pass, as text in CDATA and comments is stepped over."""
    spans: list[tuple[int, int]] = []
    start, at = -1, 0
    while mark := _MARK.search(body, at):
        at = mark.end()
        if mark[2] is None:
            at = body.find(_CLOSED_BY[mark[0]], at)
            if at < 0:
                break
        elif not mark[1]:
            if start >= 0:  # the one before was not closed
                spans.append((start, mark.start()))
            start = mark.start()
        elif start >= 0:
            at = body.find(b">", at) + 1 or len(body)
            spans.append((start, at))
            start = -1
    return spans


def _written_date(body: bytes, span: tuple[int, int]) -> datetime | None:
    found = _DATE.search(body, *span)
    return read_date(found[1].decode("ascii", "replace").strip()) if found else None


def read_date(written: str) -> datetime | None:
    """The date in one of the two common formats, in which it is written with or without a zone; None: it is in another.

    `ingest.dates.read` knows all of them, and takes fifty times as long, for each of 100,000.
    """
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(written)
            return when if when.tzinfo else when.replace(tzinfo=UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def newest(dates: list[datetime | None]) -> tuple[set[int], str]:
    """Which `MAX_ENTRIES` entries to keep, by their dates; where most have none, the first: feeds are newest first.

    An entry without a date counts as old as the one before it.
    """
    if 2 * sum(date is not None for date in dates) < len(dates):
        return set(range(MAX_ENTRIES)), "the first"
    filled, last = [], datetime.max.replace(tzinfo=UTC)
    for date in dates:
        last = date or last
        filled.append(last)
    order = sorted(range(len(dates)), key=lambda number: filled[number], reverse=True)
    return set(order[:MAX_ENTRIES]), "the newest"


# ── after parsing: lengths ───────────────────────────────────────────────────────────────────────────────────────────


def bounded_feed(feed: ParsedFeed, more: Iterable[str] = ()) -> ParsedFeed:
    """`feed` with every text within its bound. What was cut is told in its problems, after `more`, or its entries'."""
    left_out = [*feed.left_out, *more]
    entries = feed.entries
    if len(entries) > MAX_ENTRIES:
        left_out.append(f"{len(entries) - MAX_ENTRIES:,} entries beyond the first {MAX_ENTRIES:,} were left out")
        entries = entries[:MAX_ENTRIES]
    problems = [*left_out, *feed.problems]
    title = cut(feed.title, TITLE_CHARS, "the feed's title", problems)
    return replace(
        feed,
        title=title,
        entries=tuple(map(bounded_entry, entries)),
        problems=told(problems),
        left_out=tuple(left_out),
    )


def bounded_entry(entry: Entry) -> Entry:
    """`entry` with every text within its bound; most are, and come back as they are."""
    problems = list(entry.problems)
    changed = {
        "id": _bounded_id(entry.id, problems),
        "title": cut(entry.title, TITLE_CHARS, "title", problems),
        "summary": cut(entry.summary, SUMMARY_CHARS, "summary", problems),
        "content": cut(entry.content, TEXT_CHARS, "content", problems),
        "authors": bounded_names(entry.authors, problems),
    }
    if len(problems) == len(entry.problems) and told(problems) == entry.problems:
        return entry
    return replace(entry, **changed, problems=told(problems))  # type: ignore[arg-type]


def bounded_page(page: Extracted) -> Extracted:
    """`page` with every text within its bound."""
    problems = list(page.problems)
    return replace(
        page,
        title=cut(page.title, TITLE_CHARS, "the page's title", problems),
        text=cut(page.text, TEXT_CHARS, "the page's text", problems),
        authors=bounded_names(page.authors, problems),
        problems=told(problems),
    )


def bounded_refusal(refusal: NotAFeed) -> NotAFeed:
    """`refusal` with a reason of one line and no more than `MAX_FEEDS` feeds."""
    left_out = len(refusal.feeds) - MAX_FEEDS
    more = f"; it names {left_out:,} more feeds than are looked at" if left_out > 0 else ""
    return replace(refusal, reason=shortened(refusal.reason) + more, feeds=refusal.feeds[:MAX_FEEDS])


def cut(text: str, chars: int, what: str, problems: list[str]) -> str:
    """The first `chars` characters of `text`, with a note in `problems` if there were more."""
    if len(text) <= chars:
        return text
    problems.append(f"{what} has {len(text):,} characters: cut to {chars:,}")
    return text[:chars].rstrip()


def bounded_names(names: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    """No more names than `MAX_AUTHORS`, none longer than `NAME_CHARS`."""
    if len(names) > MAX_AUTHORS:
        problems.append(f"{len(names):,} authors: the first {MAX_AUTHORS} were kept")
    return tuple(cut(name, NAME_CHARS, "an author", problems) for name in names[:MAX_AUTHORS])


def _bounded_id(name: str, problems: list[str]) -> str:
    if len(name) <= ID_CHARS:
        return name
    problems.append(f"the id has {len(name):,} characters, more than {ID_CHARS:,}: its hash stands in")
    return f"sha256:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def told(problems: Iterable[str]) -> tuple[str, ...]:
    """The problems, each in one line and no more than `MAX_PROBLEMS`; how many more there were is one more."""
    all_ = list(problems)
    more = len(all_) - MAX_PROBLEMS
    last = [f"{more:,} more problems"] if more > 0 else []
    return (*map(shortened, all_[:MAX_PROBLEMS]), *last)


def shortened(problem: str) -> str:
    """One line of at most `PROBLEM_CHARS` characters; the middle of a longer one is left out, marked by "…"."""
    if len(problem) <= PROBLEM_CHARS:
        return problem if "\n" not in problem else " ".join(problem.split())
    half = (PROBLEM_CHARS - 1) // 2
    return " ".join(f"{problem[:half]}…{problem[-half:]}".split())
