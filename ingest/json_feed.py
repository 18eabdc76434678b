"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), read leniently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingest import bounds, text
from ingest.parse import Draft, finish, language_of, plausible
from ingest.urls import absolute
from newswatch.model import NotAFeed, ParsedFeed


def newest_items(body: bytes) -> bounds.Cut:
    """The JSON Feed in `body` cut down to its newest `bounds.MAX_ENTRIES` items; as it is where it has no more."""
    try:
        data = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return bounds.Cut(body)
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        return bounds.Cut(body)
    items, cut = bounds.newest_items(data["items"])
    return replace(cut, body=json.dumps(data | {"items": items}).encode()) if cut.left_out else bounds.Cut(body)


def parse_json_feed(body: bytes, *, url: str | None, now: datetime) -> ParsedFeed | NotAFeed:
    """The JSON Feed in `body`, or why it is none."""
    try:
        data = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        return NotAFeed(url, f"it begins like JSON but is none: {error}")
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        return NotAFeed(url, "it is JSON, but no JSON Feed: there is no list `items`")
    problems = []
    version = _str(data, "version")
    if "jsonfeed.org/version/" not in version:
        problems.append("the document doesn't say which version of JSON Feed it is")
    language = language_of(_str(data, "language"))
    site = absolute(_str(data, "home_page_url"), url)
    drafts = [_draft(item, site or url, now) for item in data["items"] if isinstance(item, dict)]
    if len(drafts) < len(data["items"]):
        problems.append(f"{len(data['items']) - len(drafts)} items are no objects: dropped")
    return ParsedFeed(
        url=url,
        format=f"json feed {version.rpartition('/')[2] or '?'}",
        title=text.one_line(_str(data, "title")),
        site=site,
        language=language,
        **finish(drafts, language, problems),
        hub=next((link for hub in _dicts(data, "hubs") if (link := absolute(_str(hub, "url"), url))), None),
        self_url=absolute(_str(data, "feed_url"), url),
    )


def _draft(item: dict[str, Any], base: str | None, now: datetime) -> Draft:
    draft = Draft(guid=_str(item, "id").strip(), title=text.one_line(text.unescape(_str(item, "title"))))
    given = _str(item, "url") or _str(item, "external_url")
    draft.link = absolute(given, base)
    if given and draft.link is None:
        draft.problems.append(f"url {given!r} is no http(s) URL: dropped")
    markup = _str(item, "content_html")
    draft.content = text.from_markup(markup) if markup else text.tidy(_str(item, "content_text"))
    draft.summary = text.tidy(_str(item, "summary"))
    draft.authors = tuple(dict.fromkeys(_names([*_dicts(item, "authors"), *_dicts(item, "author")])))
    draft.date_as_written = _str(item, "date_published") or _str(item, "date_modified")
    draft.published = _date(item, "date_published", now, draft.problems)
    draft.updated = _date(item, "date_modified", now, draft.problems)
    draft.language = language_of(_str(item, "language"))
    draft.image = absolute(_str(item, "image") or _str(item, "banner_image"), base)
    return draft


def _names(authors: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (name for author in authors if (name := text.one_line(_str(author, "name"))))


def _dicts(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = data.get(key)
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, dict)]


def _str(data: dict[str, Any], key: str) -> str:
    """A string, or a number as one: JSON Feed 1.0 let ids be numbers."""
    value = data.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _date(item: dict[str, Any], key: str, now: datetime, problems: list[str]) -> datetime | None:
    written = _str(item, key).strip()
    if not written:
        return None
    try:
        when = datetime.fromisoformat(written)
        return plausible(when, key, now, problems)
    except (ValueError, OverflowError):
        problems.append(f"{key} {written!r} is no date that can be read: dropped")
        return None
