"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), read leniently."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from ingest import bounds, text
from ingest.addresses import absolute, is_address, read_address
from ingest.formats.drafts import Draft, authors_of, dated, drafted, finish, link_of, storable
from ingest.formats.format import Document, Format, MediaType
from ingest.formats.loose_json import loaded
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.text import language_of
from ingest.zones import Hints, hints_of
from newswatch.plain_text import one_line, tidy

_TEXTS: Final = ("id", "url", "title", "content_html", "content_text", "summary", "date_published", "date_modified")


def sniff(head: bytes) -> bool:
    """Whether it is JSON, which no other format is."""
    return head[:1] in (b"{", b"[")


def cut(body: bytes) -> bounds.Cut:
    """The JSON Feed in `body` cut down to its newest `bounds.MAX_ENTRIES` items; unchanged if it has no more."""
    try:
        data, _ = loaded(body)
    except (ValueError, RecursionError):
        return bounds.Cut(body)
    items = _items(data)
    if items is None or len(items) <= bounds.MAX_ENTRIES:
        return bounds.Cut(body)
    kept, by = bounds.newest([_written_date(item) for item in items])
    newest = [item for number, item in enumerate(items) if number in kept]
    return bounds.Cut(json.dumps(data | {"items": newest}).encode(), len(items) - bounds.MAX_ENTRIES, by)


def _items(data: Any) -> list[Any] | None:
    """The feed's items; None if there are none. PHP makes an object of a list that has lost an item."""
    items = data.get("items") if isinstance(data, dict) else None
    if isinstance(items, dict) and all(map(str.isdigit, items)):
        return list(items.values())
    return items if isinstance(items, list) else None


def _written_date(item: Any) -> datetime | None:
    written = (item.get("date_published") or item.get("date_modified")) if isinstance(item, dict) else None
    return bounds.read_date(written[:40].strip()) if isinstance(written, str) else None


def read(document: Document) -> ParsedFeed | NotAFeed:
    """The JSON Feed in the document, or why it is not one."""
    url = document.url
    try:
        data, slips = loaded(document.body)
    except (ValueError, RecursionError) as error:
        return NotAFeed(url, f"it begins like JSON but is not JSON: {error}")
    listed = _items(data)
    if listed is None:
        return NotAFeed(url, "it is JSON, but not a JSON Feed: there is no list `items`")
    problems = [*document.problems, *slips]
    version = _str(data, "version")
    if "jsonfeed.org/version/" not in version:
        problems.append("the document does not state its version of JSON Feed")
    language = language_of(_str(data, "language"))
    site = absolute(_address(data, "home_page_url"), url)
    hints = hints_of(_str(data, "language"), url, document.country)
    items = [item for item in listed if isinstance(item, dict)]
    if len(items) < len(listed):
        problems.append(f"{len(listed) - len(items)} items are not objects: dropped")
    drafts = drafted(items, lambda item: _draft(item, site or url, document.now, hints), problems)
    return ParsedFeed(
        url=url,
        format=f"json feed {version.rpartition('/')[2] or '?'}",
        title=one_line(_str(data, "title")),
        site=site,
        language=language,
        **finish(drafts, language, problems, site=site),
        hub=_hub(data),
        topic=absolute(_address(data, "feed_url"), None),
    )


def _hub(data: dict[str, Any]) -> str | None:
    """The first WebSub hub among the feed's `hubs`."""
    hubs = data.get("hubs")
    for hub in hubs if isinstance(hubs, list) else ():
        if isinstance(hub, dict) and hub.get("type") == "WebSub" and is_address(_str(hub, "url")):
            return read_address(_str(hub, "url")).url
    return None


def _draft(item: dict[str, Any], base: str | None, now: datetime, hints: Hints) -> Draft:
    draft = Draft(guid=_str(item, "id").strip(), title=one_line(_plain(item, "title")))
    draft.link = link_of(_address(item, "url"), base, "url", draft.problems)
    draft.link = draft.link or link_of(_address(item, "external_url"), base, "external_url", draft.problems)
    markup = _str(item, "content_html")
    draft.content = text.from_markup(markup) if markup else tidy(_str(item, "content_text"))
    draft.summary = tidy(_plain(item, "summary"))
    draft.authors = authors_of((*_names(item, "authors"), *_names(item, "author")), draft.problems)
    draft.date_as_written = _str(item, "date_published") or _str(item, "date_modified")
    draft.published = dated(_str(item, "date_published"), "date_published", now, hints, draft.problems)
    draft.updated = dated(_str(item, "date_modified"), "date_modified", now, hints, draft.problems)
    draft.language = language_of(_str(item, "language"))
    draft.problems += _unreadable(item, _TEXTS)
    draft.image = absolute(_address(item, "image") or _address(item, "banner_image"), base)
    return draft


def _names(data: dict[str, Any], key: str) -> Iterator[str]:
    """The names of authors, each an object or, against the standard, a string."""
    value = data.get(key)
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            yield _str(each, "name")
        elif isinstance(each, str):
            yield storable(each)


def _plain(data: dict[str, Any], key: str) -> str:
    """A plain text; many publishers put markup or character references into it. `From <i> to <b>` is none."""
    value = _str(data, key)
    return text.from_markup(value) if "</" in value and text.looks_like_markup(value) else text.unescape(value)


def _str(data: dict[str, Any], key: str) -> str:
    """A string, or a number as a string: JSON Feed 1.0 allowed numbers as ids."""
    value = _value(data, key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "" if isinstance(value, float) and math.isinf(value) else str(value)
    return storable(value) if isinstance(value, str) else ""


def _address(data: dict[str, Any], key: str) -> str:
    """A string unchanged: with a "?" for a lone surrogate it would be another address."""
    value = _value(data, key)
    return value if isinstance(value, str) else ""


def _value(data: dict[str, Any], key: str) -> Any:
    """The value of `key`; for an object or list with one string in it (WordPress's `{"rendered": …}`), that string."""
    value = data.get(key)
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    strings = [item for item in inner if isinstance(item, str)]
    return strings[0] if len(strings) == 1 else value


def _unreadable(data: dict[str, Any], keys: Iterable[str]) -> list[str]:
    """A note for each of the keys whose value is not text."""
    return [f"{key} is not text: dropped" for key in keys if isinstance(_value(data, key), dict | list | bool)]


JSON_FEED: Final = Format(
    name="JSON Feed",
    media_types=(MediaType("application/feed+json"), MediaType("application/json", 0.7)),
    sniff=sniff,
    read=read,
    cut=cut,
    usual_paths=("/feed.json",),
)
