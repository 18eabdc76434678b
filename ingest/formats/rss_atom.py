"""RSS 0.9x to 2.0, RSS 1.0 and Atom, read by feedparser, whose dicts never leave this module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ingest import text
from ingest.addresses import absolute, domain_of, is_address, read_address, shown
from ingest.bounds import entry_spans, newest_entries
from ingest.formats import bounded_feedparser
from ingest.formats.drafts import Draft, authors_of, dated, drafted, finish, link_of
from ingest.formats.format import CUT_OFF, Document, Format, MediaType, before_its_break, mended
from ingest.parsed import ParsedFeed
from ingest.repair import in_utf8
from ingest.text import language_of
from ingest.unclosed import apart
from ingest.zones import Hints, hints_of
from newswatch.plain_text import one_line, tidy

LITERAL: Final = "text/literal"
"""Type of a text that declares itself not to be markup; feedparser's own type may be a guess."""
_PAGE_MARKUP: Final = re.compile(
    r"</(?:p|div|a|ul|table|span)>|<(?:br\s*/?|(?:p|div|img|a|ul|table|span)\s[^<>]*)>|\A\s*<p>.",
    re.IGNORECASE | re.DOTALL,
)
_SKIP: Final = re.compile(rb"<skip(hours|days)\b[^>]{0,99}>(.{0,2000}?)</skip", re.IGNORECASE | re.DOTALL)
_SKIPPED: Final = re.compile(rb"<(?:hour|day)>\s*(\w{1,9})\s*</", re.IGNORECASE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PERIODS: Final = {"hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000, "yearly": 31_536_000}
_WEB: Final = re.compile(r"\s*https?:", re.IGNORECASE)

_ROOT: Final = re.compile(
    rb"(?>(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<>]*>|\s)*)<(?:[\w.-]{1,40}:)?(?:rss|feed|RDF)(?=[\s/>])",
    re.IGNORECASE | re.DOTALL,
)
"""The first element, after what may precede it."""


def sniff(head: bytes) -> bool:
    """Whether the document's first element is one of RSS or Atom."""
    return _ROOT.match(head) is not None


def read(document: Document) -> ParsedFeed | None:
    """The feed that feedparser reads from the document; None if it finds neither a version nor entries."""
    document, cut_off = before_its_break(document)
    parsed = bounded_feedparser.parse(document.body, document.charset)
    if not parsed.get("version") and not parsed.entries:
        return None
    if parsed.get("bozo"):
        document, parsed = _with_entries_apart(document, parsed)
    feed, url = parsed.feed, document.url
    version = parsed.get("version") or ""
    if version == "atom10":
        _mark_literal(parsed.entries)
    # Atom defines the base of relative links (RFC 4287); in RSS they are relative to the site.
    site = absolute(_text(feed, "link"), url)
    base = url if version.startswith("atom") else site or url
    hints = hints_of(_text(feed, "language"), url, document.country)
    language = language_of(_text(feed, "language"))
    problems = [*document.problems, *([CUT_OFF] if cut_off else []), *_document_problems(parsed)]
    drafts = drafted(parsed.entries, lambda entry: _draft(entry, base, document.now, hints), problems)
    hours, days = _skipped(document.body)
    return ParsedFeed(
        url=url,
        format=_format(version),
        title=_plain(feed, "title"),
        site=site,
        language=language,
        **finish(drafts, language, problems, site=site),
        ttl_s=_ttl(feed),
        skip_hours=hours,
        skip_days=days,
        hub=_linked(feed, "hub"),
        topic=_linked(feed, "self"),
        is_cut_off=cut_off,
        left_out=tuple(_get(feed, bounded_feedparser.NOTES) or ()),
    )


def _with_entries_apart(document: Document, parsed: Any) -> tuple[Document, Any]:
    """The document with each ill-formed entry mended by itself, and read again; as it was unless that finds more."""
    body = in_utf8(document.body, document.charset) or b""
    body, count = apart(body, entry_spans(body))
    try:
        again = bounded_feedparser.parse(body, "utf-8") if count else parsed
    except bounded_feedparser.TooMuchError:  # a lenient parser goes deeper
        return document, parsed
    if _parts(again.entries) <= _parts(parsed.entries):
        return document, parsed
    note = f"the document is ill-formed: {count:,} entries were read by themselves, so that they cost no other"
    return replace(document, body=body, charset="utf-8", problems=(*document.problems, note)), again


_PARTS: Final = ("id", "title", "link", "summary", "published", "updated")


def _parts(entries: Iterable[Mapping[str, Any]]) -> int:
    """How many ids, titles, links, dates and texts the entries have."""
    count = 0
    for entry in entries:
        texts = [_text(entry, key) for key in _PARTS]
        texts += [_text(detail, "value") for detail in _get(entry, "content") or ()]
        count += sum(bool(each.strip()) for each in texts)
    return count


def _linked(feed: Mapping[str, Any], relation: str) -> str | None:
    """The first address of the feed's links with this relation."""
    links = _get(feed, "links")
    for link in links if isinstance(links, list) else ():
        if _text(link, "rel") == relation and is_address(_text(link, "href")):
            return read_address(_text(link, "href")).url
    return None


def _skipped(body: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """The hours (UTC) and days (Monday is 0) in which the feed asks not to be polled; feedparser drops them."""
    written = {name.lower(): _SKIPPED.findall(inner) for name, inner in _SKIP.findall(body[:100_000])}
    days = (day.decode().lower() for day in written.get(b"days", ()))
    return (
        frozenset(int(hour) % 24 for hour in written.get(b"hours", ()) if hour.isdigit()),
        frozenset(_DAYS.index(day) for day in days if day in _DAYS),
    )


def _draft(entry: Mapping[str, Any], base: str | None, now: datetime, hints: Hints) -> Draft:
    draft = Draft(guid=_text(entry, "id").strip(), title=_plain(entry, "title"))
    draft.link = _entry_link(entry, base, draft.problems)
    if draft.link and _is_home(draft.link) and is_address(draft.guid) and _is_page_of(draft.guid, draft.link):
        draft.problems.append(f"link {shown(draft.link)} is the site's home: the id, an address on the site, is used")
        draft.link = read_address(draft.guid).url
    draft.summary = _plain(entry, "summary") or _plain(entry, "media_description")
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
    """`data[key]` without the fallbacks of feedparser's dict (`updated` for `published`)."""
    return dict.get(data, key) if isinstance(data, dict) else None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = _get(data, key)
    return value if isinstance(value, str) else ""


def _plain(data: Mapping[str, Any], key: str) -> str:
    detail = _get(data, f"{key}_detail")
    plain = _plain_detail(detail) if isinstance(detail, dict) else text.from_markup(_text(data, key))
    return plain.replace("\n", " ") if key == "title" else plain


def _mark_literal(entries: Iterable[Mapping[str, Any]]) -> None:
    """Mark the texts that are declared as plain text (RFC 4287, 3.1): in a `type="text"`, `<b>` are three characters.

    A summary or content with links or paragraphs is not marked: many feeds omit the type, and `text` is the default.
    """
    for entry in entries:
        title, summary = _get(entry, "title_detail"), _get(entry, "summary_detail")
        for detail in (title, summary, *(_get(entry, "content") or ())):
            if isinstance(detail, dict) and _text(detail, "type") == "text/plain":
                sloppy = detail is not title and _PAGE_MARKUP.search(_text(detail, "value"))
                detail["type"] = "text/html" if sloppy else LITERAL


def _plain_detail(detail: Mapping[str, Any]) -> str:
    """A text construct as plain text. RSS doesn't say whether its text is markup, so that is detected."""
    value = _text(detail, "value")
    if _text(detail, "type") == LITERAL:
        return tidy(value)
    is_escaped_twice = "&lt;" in value and "<" not in value and bool(_PAGE_MARKUP.search(text.unescape(value)))
    if is_escaped_twice:
        value = text.unescape(value)
    if is_escaped_twice or "html" in _text(detail, "type") or text.looks_like_markup(value):
        value = text.from_markup(value)
    return tidy(text.unescape(value))


def _is_text(detail: Mapping[str, Any]) -> bool:
    return _text(detail, "type") in ("", LITERAL, "text/plain", "text/html", "application/xhtml+xml")


def _authors(entry: Mapping[str, Any], problems: list[str]) -> tuple[str, ...]:
    return authors_of(
        (_text(author, "name") or _text(author, "email") for author in _get(entry, "authors") or ()), problems
    )


def _entry_link(entry: Mapping[str, Any], base: str | None, problems: list[str]) -> str | None:
    """The first valid address among those that the entry gives; invalid ones before it are noted."""
    given = [_text(entry, "feedburner_origlink"), _own_link(entry)]
    if _get(entry, "guidislink") and given[1] == _text(entry, "id") and not _WEB.match(given[1]):
        given[1] = ""  # `isPermaLink` is the default, so bare numbers and `urn:` ids are given as links
    if not any(link.strip() for link in given):
        given = [next((_text(e, "href") for e in _get(entry, "links") or () if "html" in _text(e, "type")), "")]
    if not any(link.strip() for link in given):  # Atom's content may be elsewhere (RFC 4287, 4.1.3.2)
        given = [next((_text(e, "src") for e in _get(entry, "content") or () if "html" in _text(e, "type")), "")]
    links = (link_of(link, base, "link", problems) for link in given)
    return next((link for link in links if link), None)


def _is_home(url: str) -> bool:
    address = read_address(url)
    return address.path in ("", "/") and not address.query


def _is_page_of(url: str, home: str) -> bool:
    """Whether `url` is a page on the site at `home`, but not its home page."""
    return not _is_home(url) and domain_of(url) == domain_of(home)


def _own_link(entry: Mapping[str, Any]) -> str:
    """The entry's link that is not a translation; feedparser takes the last link, which may be one."""
    link = _text(entry, "link")
    pages = [e for e in _get(entry, "links") or () if _text(e, "rel") == "alternate" and "html" in _text(e, "type")]
    if not any(_text(page, "hreflang") and _text(page, "href") == link for page in pages):
        return link
    return next((_text(page, "href") for page in pages if not _text(page, "hreflang")), "") or link


def _date(entry: Mapping[str, Any], key: str, now: datetime, hints: Hints, problems: list[str]) -> datetime | None:
    """The date as written: feedparser takes unknown zones as UTC."""
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
    return [f"the document is ill-formed: {one_line(str(error))}"]


def _format(version: str) -> str:
    if version.startswith("atom"):
        return f"atom {version[4:5]}.{version[5:6]}" if version[4:] else "atom"
    if version.startswith("rss"):
        return f"rss {version[3:4]}.{version[4:]}" if version[3:] else "rss"
    return version or "unknown"


def _ttl(feed: Mapping[str, Any]) -> int | None:
    """The longest wait that the feed asks for, in seconds: `ttl` or the syndication module's period."""
    waits = []
    if (minutes := _text(feed, "ttl").strip()).isdecimal() and len(minutes) < 9:
        waits.append(int(minutes) * 60)
    period = _PERIODS.get(_text(feed, "sy_updateperiod").strip().lower())
    frequency = _text(feed, "sy_updatefrequency").strip()
    if period:
        waits.append(period // max(1, int(frequency)) if frequency.isdecimal() and len(frequency) < 9 else period)
    return max(waits) if waits else None


RSS_AND_ATOM: Final = Format(
    name="RSS and Atom",
    media_types=(
        MediaType("application/atom+xml"),
        MediaType("application/rss+xml"),
        MediaType("application/rdf+xml", 0.9),
        MediaType("application/xml", 0.8),
        MediaType("text/xml", 0.8),
        MediaType("text/rss+xml", 0),
        MediaType("application/x-rss+xml", 0),
    ),
    sniff=sniff,
    read=read,
    cut=newest_entries,
    mend=mended,
    usual_paths=("/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feeds"),
    address_words=(r"rss\d?", "atom", "rdf"),
)
