"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/), read leniently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ingest import text
from ingest.parse import Draft, dated, finish, language_of
from ingest.urls import absolute
from ingest.zones import Hints, hints_of
from newswatch.model import NotAFeed, ParsedFeed


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
    hints = hints_of(_str(data, "language"), url)
    drafts = [_draft(item, site or url, now, hints) for item in data["items"] if isinstance(item, dict)]
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


def _draft(item: dict[str, Any], base: str | None, now: datetime, hints: Hints) -> Draft:
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
    draft.published = dated(_str(item, "date_published"), "date_published", now, hints, draft.problems)
    draft.updated = dated(_str(item, "date_modified"), "date_modified", now, hints, draft.problems)
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
