"""JSON that a site fills its pages with: a list of articles at a path, or the likeliest list in the document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ingest.formats.format import Document, Format, MediaType, unclaimed
from ingest.formats.listed import listed
from ingest.formats.loose_json import loaded
from ingest.parsed import NotAFeed, ParsedFeed
from ingest.zones import hints_of


def read(document: Document) -> ParsedFeed | NotAFeed:
    """The list in the JSON; or why there is none, and which lists there are."""
    from ingest.lists import rules
    from ingest.lists.data import lists_of
    from ingest.lists.moments import Reader

    url, rule = document.url or "", document.rule
    try:
        data, problems = loaded(document.body)
    except (ValueError, RecursionError) as error:
        return NotAFeed(url, f"it is not JSON: {error}")
    document = replace(document, problems=(*document.problems, *problems))
    hints = hints_of(None, url, document.country)
    if rule is not None:
        items = rules.in_json(data, url, rule, Reader(hints, document.now), document.now)
        if not items:
            what = (
                f"no list at {rule.items or 'the top'!r}"
                if items is None
                else f"no item at {rule.items or 'the top'!r}"
            )
            return NotAFeed(url, f"the rule finds {what}; the document has {_names(data)}")
        return listed(document, "json list", "", None, tuple(items))
    found = max(lists_of(data, url, hints, document.now), key=lambda each: each.weight, default=None)
    if found is None or found.weight < LEAST_WEIGHT:
        return NotAFeed(url, f"it has no list of objects with a title and an address; it has {_names(data)}")
    return listed(document, f"json list ({found.path})", "", None, found.items)


LEAST_WEIGHT: Final = 0.4


def _names(data: Any) -> str:
    if isinstance(data, dict):
        return "the fields " + ", ".join(repr(name) for name in list(data)[:8])
    return f"a list of {len(data)}" if isinstance(data, list) else "a single value"


JSON_LIST: Final = Format(
    name="JSON list",
    media_types=(MediaType("application/json", 0.7),),
    sniff=unclaimed,
    read=read,
)
