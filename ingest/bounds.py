"""Bounds on what is read of one document; what exceeds them is left out and reported. Pure.

There are three lines of defence, in this order. A count of bytes proves that a small document is harmless
(`is_harmless`), so that it needs no worker process. What is too long is cut before parsing (`newest_entries`) and after
it (`bounded_feed`, `bounded_page`). For everything else there are the limits on time and memory in `ingest.workers`.
`ingest.addresses` bounds addresses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ingest.pages.extracted import Extracted
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import CONTROLS
from ingest.unpack import NotUnpackedError, unpacked
from newswatch.entry import Entry

FEED_S: Final = 4.0
"""Maximum seconds of CPU time for one feed document. A megabyte takes half a second."""
PAGE_S: Final = 4.0
"""Maximum seconds of CPU time for one article page. Most take a tenth of a second."""
MAX_FEEDS: Final = 20_000
"""Maximum number of feeds that a page may name; the likeliest of them are tried (`ingest.discovery.discover`)."""
MAX_ENTRIES: Final = 1_000
"""Maximum number of entries that are read of one feed document, the newest. News sitemaps have at most that many."""
TITLE_CHARS: Final = 1_000
SUMMARY_CHARS: Final = 20_000
TEXT_CHARS: Final = 500_000
"""Maximum characters of an article's text: a book. Elasticsearch highlights at most a million."""
NAME_CHARS: Final = 200
"""Maximum characters of an author's name."""
MAX_AUTHORS: Final = 50
ID_CHARS: Final = 2_000
"""A longer id is replaced by its hash: Elasticsearch accepts keywords of at most 32,766 bytes."""
PROBLEM_CHARS: Final = 300
MAX_PROBLEMS: Final = 50
"""Maximum problems of one feed, entry or page; one more says how many were left out."""
MAX_TAGS: Final = 60_000
"""Maximum start tags of an article page. The longest live blogs have 20,000."""

HARMLESS_BYTES: Final = 64_000
HARMLESS_TAGS: Final = 1_600
"""Maximum `<` in a document that needs no worker: work quadratic in elements stays below a tenth of a second."""
HARMLESS_EQUALS: Final = 800
"""Maximum `=`, and so attributes, in such a document."""
HARMLESS_RUN: Final = 4_000
"""Maximum bytes without a `<` in such a document: work quadratic in a text stays below a tenth of a second."""
HARMLESS_REFERENCES: Final = 2_000
"""Maximum `&` in such a document."""
HARMLESS_HEAD: Final = 1_000
"""Maximum bytes before its first element: feedparser is quadratic in blank lines there."""
_ELEMENT: Final = re.compile(rb"<\w")


def harmless(body: bytes) -> bytes | None:
    """The unpacked bytes of a document that is so small that it needs no worker; None if it needs one.

    At most `HARMLESS_BYTES` are unpacked here.
    """
    try:
        plain = unpacked(body, HARMLESS_BYTES) if len(body) <= HARMLESS_BYTES else body
    except NotUnpackedError:
        return None
    return plain if is_harmless(plain) else None


def is_harmless(body: bytes) -> bool:
    """Whether a document is small in everything that can make a parser slow, so that it needs no worker."""
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


# ── before parsing: only the newest entries ──────────────────────────────────────────────────────────────────────────

_MARK: Final = re.compile(rb"<!\[CDATA\[|<!--|<(/?)((?:[A-Za-z][\w.-]{0,30}:)?(?:item|entry|url))(?=[\s/>])")
_CLOSED_BY: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->"}
_DATE: Final = re.compile(
    rb"<(?:\w{1,30}:)?(?:pubDate|published|updated|date|modified|issued|publication_date)\b[^<>]{0,99}>"
    rb"(?:<!\[CDATA\[)?\s{0,20}([^<>]{8,40})"
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A document with at most as many entries as are read."""

    body: bytes
    left_out: int = 0
    by: str = ""
    """Which entries were kept: "the newest", or "the first" if they have no dates."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What was left out, as a sentence."""
        if not self.left_out:
            return ()
        total = self.left_out + MAX_ENTRIES
        return (f"the document has {total:,} entries: {self.by} {MAX_ENTRIES:,} were read, {self.left_out:,} left out",)


Dated = Callable[[bytes, tuple[int, int]], datetime | None]
"""The date of the entry at a place in a document."""


def newest_entries(body: bytes, dated: Dated | None = None) -> Cut:
    """An XML document cut down to its newest `MAX_ENTRIES` entries, byte for byte and in order.

    `dated` reads an entry's date; without it, the usual elements of feeds are looked for.
    """
    if body.count(b"<") <= MAX_ENTRIES:
        return Cut(body)
    if max(body.count(b"<item"), body.count(b"<entry"), body.count(b"<url"), body.count(b":item")) <= MAX_ENTRIES:
        return Cut(body)
    spans = entry_spans(body)
    if len(spans) <= MAX_ENTRIES:
        return Cut(body)
    kept, by = newest([(dated or _written_date)(body, span) for span in spans])
    pieces, position = [], 0
    for number, (start, end) in enumerate(spans):
        if number not in kept:
            pieces.append(body[position:start])
            position = end
    pieces.append(body[position:])
    return Cut(b"".join(pieces), len(spans) - MAX_ENTRIES, by)


def entry_spans(body: bytes) -> list[tuple[int, int]]:
    """Where entries begin and end; found in one pass that skips CDATA and comments.

    A `url` is an entry of a sitemap. In a feed it is the address of a picture, also of an entry's.
    """
    spans: list[tuple[int, int]] = []
    start, position, is_feed = -1, 0, False
    while mark := _MARK.search(body, position):
        position = mark.end()
        if mark[2] is None:
            position = body.find(_CLOSED_BY[mark[0]], position)
            if position < 0:
                break
            continue
        if not mark[2].endswith(b"url") and not is_feed:
            is_feed, start = True, -1
            spans.clear()
        elif is_feed and mark[2].endswith(b"url"):
            continue
        if not mark[1]:
            if start >= 0:  # the previous entry was not closed
                spans.append((start, mark.start()))
            start = mark.start()
        elif start >= 0:
            position = body.find(b">", position) + 1 or len(body)
            spans.append((start, position))
            start = -1
    return spans


def _written_date(body: bytes, span: tuple[int, int]) -> datetime | None:
    match = _DATE.search(body, *span)
    return read_date(match[1].decode("ascii", "replace").strip()) if match else None


def read_date(written: str) -> datetime | None:
    """The date in one of the two common formats, with or without a zone; None for any other format.

    `ingest.dates.read` knows all formats but takes fifty times as long, which is too slow for 100,000 dates.
    """
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(written)
            return when if when.tzinfo else when.replace(tzinfo=UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def newest(dates: list[datetime | None]) -> tuple[set[int], str]:
    """Which `MAX_ENTRIES` entries to keep: the newest by date, or the first if most have no date.

    Feeds begin with their newest entries.

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
    """`feed` with every text within its bound. Cuts are reported in its problems, after `more`, or in its entries'."""
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
        problems=bounded_problems(problems),
        left_out=tuple(left_out),
    )


def bounded_entry(entry: Entry) -> Entry:
    """`entry` with every text within its bound; most already are, and are returned unchanged."""
    problems = list(entry.problems)
    changed = {
        "id": _bounded_id(entry.id, problems),
        "title": cut(entry.title, TITLE_CHARS, "title", problems),
        "summary": cut(entry.summary, SUMMARY_CHARS, "summary", problems),
        "content": cut(entry.content, TEXT_CHARS, "content", problems),
        "authors": bounded_names(entry.authors, problems),
    }
    if len(problems) == len(entry.problems) and bounded_problems(problems) == entry.problems:
        return entry
    return replace(entry, **changed, problems=bounded_problems(problems))  # type: ignore[arg-type]


def bounded_page(page: Extracted) -> Extracted:
    """`page` with every text within its bound."""
    problems = list(page.problems)
    return replace(
        page,
        title=cut(page.title, TITLE_CHARS, "the page's title", problems),
        text=cut(page.text, TEXT_CHARS, "the page's text", problems),
        authors=bounded_names(page.authors, problems),
        problems=bounded_problems(problems),
    )


def bounded_refusal(refusal: NotAFeed) -> NotAFeed:
    """`refusal` with a reason of one line and at most `MAX_FEEDS` feeds."""
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
    """At most `MAX_AUTHORS` names of at most `NAME_CHARS` characters."""
    if len(names) > MAX_AUTHORS:
        problems.append(f"{len(names):,} authors: the first {MAX_AUTHORS} were kept")
    return tuple(cut(name, NAME_CHARS, "an author", problems) for name in names[:MAX_AUTHORS])


def _bounded_id(name: str, problems: list[str]) -> str:
    if len(name) <= ID_CHARS:
        return name
    problems.append(f"the id has {len(name):,} characters, more than {ID_CHARS:,}: it is replaced by its hash")
    return f"sha256:{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:32]}"


def bounded_problems(problems: Iterable[str]) -> tuple[str, ...]:
    """At most `MAX_PROBLEMS` problems, each on one line, and one more that says how many were left out."""
    all_ = list(problems)
    more = len(all_) - MAX_PROBLEMS
    last = [f"{more:,} more problems"] if more > 0 else []
    return (*map(shortened, all_[:MAX_PROBLEMS]), *last)


def shortened(problem: str) -> str:
    """One line of at most `PROBLEM_CHARS` characters; the middle of a longer text is replaced by "…"."""
    if len(problem) <= PROBLEM_CHARS:
        return problem if "\n" not in problem else " ".join(problem.split())
    half = (PROBLEM_CHARS - 1) // 2
    return " ".join(f"{problem[:half]}…{problem[-half:]}".split())
