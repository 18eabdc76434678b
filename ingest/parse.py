"""A feed document to typed entries: RSS 0.9x to 2.0, RSS 1.0, Atom, JSON Feed 1.1, Google News sitemaps.

An entry's id is stable from poll to poll, and is made by the first of these that the entry gives:

1. the feed's own id: `guid`, `atom:id`, `rdf:about`, JSON Feed `id`;
2. the canonical URL of its link, with the fragment;
3. a hash of its title and its date as written, `sha256:…`.

Where one document gives the same id to several entries that say different things, the id says nothing, and 2 or 3 is
taken. Where it gives them the same link, see `ingest.apart`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from ingest import bounded_feedparser, bounds, dates, text
from ingest.apart import named
from ingest.authors import MAX_CHARS as MAX_AUTHOR_CHARS
from ingest.authors import names_in
from ingest.bounded_feedparser import TooMuchError
from ingest.discover import advertised
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.repair import repaired
from ingest.unpack import NotUnpackedError, unpacked
from ingest.urls import AddressError, absolute, domain_of, is_address, read_address, resolve, shown
from ingest.zones import Hints, hints_of
from newswatch.entry import Entry
from newswatch.problems import Bulkhead, Fault, no_fault

MAX_BYTES: Final = 50_000_000
"""No feed is that long; beyond it a document is refused unread."""
TITLE_CHARS: Final = 120
"""How much of a summary becomes the title of an entry that has none."""
LITERAL: Final = "text/literal"
"""Of a text that says of itself that it is no markup; the type that feedparser gives may be a guess."""
_BOM_OR_SPACE: Final = b"\xef\xbb\xbf \t\r\n"
_PAGE_MARKUP: Final = re.compile(
    r"</(?:p|div|a|ul|table|span)>|<(?:br\s*/?|(?:p|div|img|a|ul|table|span)\s[^<>]*)>|\A\s*<p>.",
    re.IGNORECASE | re.DOTALL,
)
_SKIP: Final = re.compile(rb"<skip(hours|days)\b[^>]{0,99}>(.{0,2000}?)</skip", re.IGNORECASE | re.DOTALL)
_SKIPPED: Final = re.compile(rb"<(?:hour|day)>\s*(\w{1,9})\s*</", re.IGNORECASE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PERIODS: Final = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_WEB: Final = re.compile(r"\s*https?:", re.IGNORECASE)
_BROKEN_SCHEME: Final = re.compile(r"\s*https?//", re.IGNORECASE)
"""A browser takes it for a path of the site, where no page is."""
_BARE_HOST: Final = re.compile(
    r"\s*(?:www\.|(?:[a-z0-9-]+\.)+(?!(?:php\d?|[psx]?html?|aspx?|jspx?|cgi|cfm|do|pl|py|rb|dll|nsf)/)[a-z]{2,18}/)",
    re.IGNORECASE,
)
"""`paper.example/8`: read as a path it leads nowhere. `index.php/8` is a path."""
_LANGUAGE: Final = re.compile(r"^([A-Za-z]{2,3})(?:[-_]|$)")


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


def parse(
    body: bytes, *, url: str | None, content_type: str | None = None, country: str | None = None, now: datetime
) -> ParsedFeed | NotAFeed:
    """The feed in `body`, served from `url`; or why it is none, with the feeds it advertises. Never raises.

    `now` decides which dates are plausible; `country` (ISO 3166) is the outlet's, and tells what zone a date means by
    a name of several. What was wrong, and what was left out of too much, stands in `problems` of the feed and of its
    entries. A document that might take long is read by a worker, which is killed after `bounds.FEED_S`.
    """
    if len(body) > MAX_BYTES:
        return NotAFeed(url, f"the document has {len(body):,} bytes; more than {MAX_BYTES:,} are not read")
    if (small := bounds.harmless(body)) is not None:
        return read_feed(small, url, content_type, now, country)
    from ingest.workers import OverBudgetError, confined

    try:
        return confined(bounds.FEED_S, read_feed, body, url, content_type, now, country)
    except OverBudgetError as error:
        return NotAFeed(url, f"reading it {error}")


def read_feed(
    body: bytes, url: str | None, content_type: str | None, now: datetime, country: str | None = None
) -> ParsedFeed | NotAFeed:
    """The same, here and now, however long it takes.

    Raises:
        MemoryError: there was not enough.
    """
    try:
        return _bounded(unpacked(body, MAX_BYTES), url, content_type, now, country)
    except (TooMuchError, NotUnpackedError) as error:
        return NotAFeed(url, f"it is not read: {error}")
    except MemoryError:
        raise
    except Exception as error:  # whatever a hostile document provokes in the parsers below
        return NotAFeed(url, bounds.shortened(f"reading it failed: {type(error).__name__}: {error}"))


def _bounded(
    body: bytes, url: str | None, content_type: str | None, now: datetime, country: str | None
) -> ParsedFeed | NotAFeed:
    cut = _newest_entries(body)
    feed = _read(cut.body, url, content_type, now, country)
    return bounds.bounded_feed(feed, cut.problems) if isinstance(feed, ParsedFeed) else bounds.bounded_refusal(feed)


def _newest_entries(body: bytes) -> bounds.Cut:
    if not _is_json(body):
        return bounds.newest_entries(body)
    from ingest.json_feed import newest_items

    return newest_items(body)


def _is_json(body: bytes) -> bool:
    return body.lstrip(_BOM_OR_SPACE)[:1] in (b"{", b"[")


def _read(
    body: bytes, url: str | None, content_type: str | None, now: datetime, country: str | None
) -> ParsedFeed | NotAFeed:
    start = body.lstrip(_BOM_OR_SPACE)
    if not start:
        return NotAFeed(url, "the document is empty")
    if _is_json(body):
        from ingest.json_feed import parse_json_feed

        return parse_json_feed(body, url=url, country=country, now=now)
    mended = repaired(body, url=url, content_type=content_type)
    if b"<urlset" in mended.body[:4_096] or b"<sitemapindex" in mended.body[:4_096]:
        from ingest.sitemap import parse_sitemap

        found = parse_sitemap(mended.body, url=url, country=country, now=now)
    else:
        found = _parse_xml(mended.body, mended.charset, url, now, country)
    return replace(found, problems=(*mended.problems, *found.problems)) if isinstance(found, ParsedFeed) else found


# ── RSS and Atom, by feedparser ──────────────────────────────────────────────────────────────────────────────────────


def _parse_xml(
    body: bytes, charset: str | None, url: str | None, now: datetime, country: str | None
) -> ParsedFeed | NotAFeed:
    parsed = bounded_feedparser.parse(body, charset)
    if not parsed.get("version") and not parsed.entries:
        feeds = advertised(body, url)
        return NotAFeed(url, "it is a page, not a feed" if feeds or _is_html(body) else "it is no feed", feeds)
    feed = parsed.feed
    version = parsed.get("version") or ""
    if version == "atom10":
        _mark_literal(parsed.entries)
    # Atom says what relative links are relative to (RFC 4287); in RSS they are meant as on the site.
    site = absolute(_text(feed, "link"), url)
    base = url if version.startswith("atom") else site or url
    hints = hints_of(_text(feed, "language"), url, country)
    problems = _document_problems(parsed)
    drafts = drafted(parsed.entries, lambda entry: _draft(entry, base, now, hints), problems)
    skip = {name.lower(): _SKIPPED.findall(inner) for name, inner in _SKIP.findall(body[:100_000])}
    return ParsedFeed(
        url=url,
        format=_format(version),
        title=_plain(feed, "title"),
        site=site,
        language=language_of(_text(feed, "language")),
        **finish(drafts, language_of(_text(feed, "language")), problems, site=site),
        ttl_s=_ttl(feed),
        skip_hours=frozenset(int(h) % 24 for h in skip.get(b"hours", ()) if h.isdigit()),
        skip_days=frozenset(_DAYS.index(d) for d in (d.decode().lower() for d in skip.get(b"days", ())) if d in _DAYS),
        hub=_link(feed, "hub", url),
        self_url=_link(feed, "self", url),
        left_out=tuple(_get(feed, bounded_feedparser.NOTES) or ()),
    )


def _draft(entry: Mapping[str, Any], base: str | None, now: datetime, hints: Hints) -> Draft:
    draft = Draft(guid=_text(entry, "id").strip(), title=_plain(entry, "title"))
    draft.link = _entry_link(entry, base, draft.problems)
    if draft.link and _is_home(draft.link) and is_address(draft.guid) and _is_page_of(draft.guid, draft.link):
        draft.problems.append(f"link {shown(draft.link)} is the site's home: the id is an address on it and taken")
        draft.link = read_address(draft.guid).url
    draft.summary = _plain(entry, "summary")
    contents = [_plain_detail(detail) for detail in _get(entry, "content") or () if _is_text(detail)]
    draft.content = max(contents, key=len, default="")
    draft.authors = _authors(entry, draft.problems)
    draft.date_as_written = _text(entry, "published") or _text(entry, "updated")
    draft.published = _date(entry, "published", now, hints, draft.problems)
    draft.updated = _date(entry, "updated", now, hints, draft.problems)
    draft.language = language_of(_text(_get(entry, "title_detail") or {}, "language"))
    draft.image = _image(entry, base)
    return draft


def _get(data: Mapping[str, Any], key: str) -> Any:
    """`data[key]` without the detours that feedparser's dict takes (`updated` for `published`)."""
    return dict.get(data, key) if isinstance(data, dict) else None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = _get(data, key)
    return value if isinstance(value, str) else ""


def _plain(data: Mapping[str, Any], key: str) -> str:
    detail = _get(data, f"{key}_detail")
    plain = _plain_detail(detail) if isinstance(detail, dict) else text.from_markup(_text(data, key))
    return plain.replace("\n", " ") if key == "title" else plain


def _mark_literal(entries: Iterable[Mapping[str, Any]]) -> None:
    """Atom says of each text whether it is markup (RFC 4287, 3.1): in a `type="text"`, `<b>` are three characters.

    Not so where a summary or content has links or paragraphs: many leave out the type, and `text` is the default.
    """
    for entry in entries:
        title, summary = _get(entry, "title_detail"), _get(entry, "summary_detail")
        for detail in (title, summary, *(_get(entry, "content") or ())):
            if isinstance(detail, dict) and _text(detail, "type") == "text/plain":
                sloppy = detail is not title and _PAGE_MARKUP.search(_text(detail, "value"))
                detail["type"] = "text/html" if sloppy else LITERAL


def _plain_detail(detail: Mapping[str, Any]) -> str:
    """A text construct as plain text; RSS doesn't say whether its text is markup, so both are looked for."""
    value = _text(detail, "value")
    if _text(detail, "type") == LITERAL:
        return text.tidy(value)
    if "html" in _text(detail, "type") or text.looks_like_markup(value):
        value = text.from_markup(value)
    return text.tidy(text.unescape(value))


def _is_text(detail: Mapping[str, Any]) -> bool:
    return _text(detail, "type") in ("", LITERAL, "text/plain", "text/html", "application/xhtml+xml")


def _authors(entry: Mapping[str, Any], problems: list[str]) -> tuple[str, ...]:
    return authors_of((_text(one, "name") or _text(one, "email") for one in _get(entry, "authors") or ()), problems)


def _entry_link(entry: Mapping[str, Any], base: str | None, problems: list[str]) -> str | None:
    """The first of the addresses that the entry gives which is one; those before it are noted."""
    given = [_text(entry, "feedburner_origlink"), _own_link(entry)]
    if _get(entry, "guidislink") and given[1] == _text(entry, "id") and not _WEB.match(given[1]):
        given[1] = ""  # `isPermaLink` is the default, so a bare number and a `urn:` pass for links
    if not any(link.strip() for link in given):
        given = [next((_text(e, "href") for e in _get(entry, "links") or () if "html" in _text(e, "type")), "")]
    if not any(link.strip() for link in given):  # Atom's content may stand elsewhere (RFC 4287, 4.1.3.2)
        given = [next((_text(e, "src") for e in _get(entry, "content") or () if "html" in _text(e, "type")), "")]
    links = (link_of(text.unescape(link), base, "link", problems) for link in given)
    return next((link for link in links if link), None)


def _is_home(url: str) -> bool:
    address = read_address(url)
    return address.path in ("", "/") and not address.query


def _is_page_of(url: str, home: str) -> bool:
    """Whether `url` is a page of the site at `home`, and not that itself."""
    return not _is_home(url) and domain_of(url) == domain_of(home)


def _own_link(entry: Mapping[str, Any]) -> str:
    """Where feedparser takes a translation of the entry for its link (it takes the last), the one that is none."""
    link = _text(entry, "link")
    pages = [e for e in _get(entry, "links") or () if _text(e, "rel") == "alternate" and "html" in _text(e, "type")]
    if not any(_text(page, "hreflang") and _text(page, "href") == link for page in pages):
        return link
    return next((_text(page, "href") for page in pages if not _text(page, "hreflang")), "") or link


def _date(entry: Mapping[str, Any], key: str, now: datetime, hints: Hints, problems: list[str]) -> datetime | None:
    """Read from what is written: feedparser takes zones that it doesn't know for UTC."""
    return dated(_text(entry, key), key, now, hints, problems)


def _image(entry: Mapping[str, Any], base: str | None) -> str | None:
    candidates = [_text(media, "url") for media in _get(entry, "media_content") or () if _is_image(media)]
    candidates += [_text(thumbnail, "url") for thumbnail in _get(entry, "media_thumbnail") or ()]
    enclosures = (link for link in _get(entry, "links") or () if _text(link, "rel") == "enclosure")
    candidates += [_text(link, "href") for link in enclosures if _is_image(link)]
    return next((url for url in (absolute(c, base) for c in candidates) if url), None)


def _is_image(media: Mapping[str, Any]) -> bool:
    return _text(media, "medium") == "image" or _text(media, "type").startswith("image/")


def _document_problems(parsed: Mapping[str, Any]) -> list[str]:
    error = _get(parsed, "bozo_exception")
    if not _get(parsed, "bozo") or error is None:
        return []
    return [f"the document is ill-formed: {text.one_line(str(error))}"]


def _format(version: str) -> str:
    if version.startswith("atom"):
        return f"atom {version[4:5]}.{version[5:6]}" if version[4:] else "atom"
    if version.startswith("rss"):
        return f"rss {version[3:4]}.{version[4:]}" if version[3:] else "rss"
    return version or "unknown"


def _ttl(feed: Mapping[str, Any]) -> int | None:
    """The longest of the waits that the feed asks for, in seconds: `ttl` and the syndication module's period."""
    waits = []
    if (minutes := _text(feed, "ttl").strip()).isdecimal() and len(minutes) < 9:
        waits.append(int(minutes) * 60)
    period = _PERIODS.get(_text(feed, "sy_updateperiod").strip().lower())
    frequency = _text(feed, "sy_updatefrequency").strip()
    if period:
        waits.append(period // max(1, int(frequency)) if frequency.isdecimal() and len(frequency) < 9 else period)
    return max(waits) if waits else None


def _link(feed: Mapping[str, Any], rel: str, url: str | None) -> str | None:
    links = (_text(link, "href") for link in _get(feed, "links") or () if _text(link, "rel") == rel)
    return absolute(next(links, None), url)


def _is_html(body: bytes) -> bool:
    head = body[:2_048].lower()
    return b"<html" in head or b"<!doctype html" in head


# ── what all formats share ───────────────────────────────────────────────────────────────────────────────────────────


def language_of(tag: str | None) -> str | None:
    """The primary subtag of a BCP 47 language tag, lower case; None where it is none."""
    match = _LANGUAGE.match((tag or "").strip())
    return match[1].lower() if match else None


def authors_of(elements: Iterable[str], problems: list[str]) -> tuple[str, ...]:
    """The names in the author elements of an entry, each once; one that is too long names nobody, with a note."""
    written = list(elements)
    if any(len(each) > MAX_AUTHOR_CHARS for each in written):
        problems.append(f"an author has more than {MAX_AUTHOR_CHARS:,} characters: dropped")
    return tuple(dict.fromkeys(name for each in written for name in names_in(each)))


def dated(written: str, what: str, now: datetime, hints: Hints, problems: list[str]) -> datetime | None:
    """The date in `written`, in UTC, or None with a note in `problems` where it can't be read or can't be right."""
    if not written.strip():
        return None
    when = dates.read(written.strip(), hints)
    if isinstance(when, str):
        problems.append(f"{what} {written.strip()[: dates.MAX_CHARS]!r} {when}: dropped")
        return None
    return plausible(when, what, now, problems)


def plausible(when: datetime, what: str, now: datetime, problems: list[str]) -> datetime | None:
    """`when` in UTC, or None with a note in `problems` when it can't be right."""
    when = dates.in_utc(when)
    if why := dates.implausible(when, now):
        problems.append(f"{what} {why}: dropped")
        return None
    return when


def link_of(given: str, base: str | None, what: str, problems: list[str]) -> str | None:
    """`given` as an address, read relative to `base`; None with a note in `problems` where it is none."""
    if not given.strip():
        return None
    if _BROKEN_SCHEME.match(given):
        problems.append(f"{what} {shown(given.strip())} is no http(s) URL: dropped. Its scheme lacks the colon")
        return None
    if _BARE_HOST.match(given):
        problems.append(
            f"{what} {shown(given.strip())} is no http(s) URL: dropped. It begins with a host, not a scheme"
        )
        return None
    try:
        return resolve(given, base).url
    except AddressError as error:
        problems.append(f"{what} is no http(s) URL: dropped. {error}")
        return None


def drafted(
    items: Iterable[T], draft: Callable[[T], Draft], problems: list[str], *, fault: Fault = no_fault
) -> list[Draft]:
    """Each item as a draft; one that breaks `draft` costs itself, and is told in `problems`."""
    walls = Bulkhead("parse", fault=fault)
    made = [
        walls.attempt("entry", f"entry {number}", partial(draft, item)) for number, item in enumerate(items, start=1)
    ]
    problems += [f"{problem.subject} can't be read: {problem.reason}" for problem in walls.problems]
    return [one for one in made if one is not None]


def finish(
    drafts: Iterable[Draft],
    language: str | None,
    problems: list[str],
    *,
    site: str | None = None,
    fault: Fault = no_fault,
) -> dict[str, Any]:
    """The drafts as entries with ids, and the problems of the document: fields of a `ParsedFeed`.

    `site` is where the feed says that it belongs: a link to it leads to no article. A draft that can't be made an entry
    costs itself, and is told.
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
    draft.problems.append("no title: the beginning of the text stands in")


def _entry(draft: Draft, language: str | None) -> Entry:
    """The entry, its id the feed's own as yet, or empty."""
    link = draft.link if is_address(draft.link) else None
    return Entry(
        id=storable(draft.guid),
        url=link,
        title=storable(draft.title, draft.problems),
        summary=storable(draft.summary, draft.problems),
        content=storable(draft.content, draft.problems),
        authors=tuple(storable(author, draft.problems) for author in draft.authors),
        published=draft.published or draft.updated,
        updated=draft.updated,
        language=draft.language or language,
        image=draft.image,
        problems=tuple(storable(problem) for problem in draft.problems),
    )


def storable(given: str, problems: list[str] | None = None) -> str:
    """`given` with a "?" for each half of a character (lone surrogates, which no encoding of Unicode writes)."""
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
