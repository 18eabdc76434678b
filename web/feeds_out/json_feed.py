"""A feed as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). Pure."""

from __future__ import annotations

from typing import Any, Final

from web.api.answers import json_bytes
from web.feeds_out.entries import Document, Entry

MEDIA_TYPE: Final = "application/feed+json"


def written(document: Document) -> bytes:
    """The feed in UTF-8."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": document.title,
        "description": document.about,
        "home_page_url": document.home_url,
        "feed_url": document.self_url,
        "next_url": document.next_url,
        "hubs": [{"type": "WebSub", "url": document.hub}] if document.hub else [],
        "_newswatch": {"shortened": document.shortened} if document.shortened else {},
        "items": [_item(entry) for entry in document.entries],
    }
    return json_bytes({name: value for name, value in feed.items() if name == "items" or value})


def _item(entry: Entry) -> dict[str, Any]:
    more = {
        "reliability": entry.reliability,
        "state_media": entry.state_media,
        "notice": entry.notice or None,
        "version": entry.version,
    }
    item = {
        "id": entry.id,
        "url": entry.url,
        "title": entry.title,
        "summary": entry.lead,
        "content_html": entry.html,
        "date_published": entry.published.isoformat(),
        "date_modified": entry.updated.isoformat(),
        "authors": [{"name": entry.outlet}],
        "tags": [tag for tag, _ in entry.tags],
        "language": entry.language,
        "_newswatch": more,
    }
    return {name: value for name, value in item.items() if value not in ("", [])}
