"""The items of a list as a parsed document: what pages and JSON share."""

from __future__ import annotations

from ingest.formats.drafts import Draft, finish, plausible
from ingest.formats.format import Document
from ingest.lists.items import ListItem
from ingest.parsed import ParsedFeed


def listed(
    document: Document,
    name: str,
    title: str,
    language: str | None,
    items: tuple[ListItem, ...],
    left_out: tuple[str, ...] = (),
) -> ParsedFeed:
    """The items of a list as a parsed document in the format `name`."""
    drafts = [_draft(item, document) for item in items]
    made = finish(drafts, language, [*document.problems])
    return ParsedFeed(document.url, name, title, None, language, **made, left_out=left_out)


def _draft(item: ListItem, document: Document) -> Draft:
    draft = Draft(title=item.title, link=item.url, summary=item.summary)
    if item.published is not None:
        draft.published = plausible(item.published, "date", document.now, draft.problems)
        draft.date_as_written = item.published.isoformat()
    return draft
