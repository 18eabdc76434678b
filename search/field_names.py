"""The names before a colon in a query: fields of an article, and short filters. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any, Final

from search.filters import FILTERS
from store.indices.mapping import ARTICLE

_LIKENESS: Final = 0.8
"""Minimum similarity (0 to 1) for a misspelt name: `titel` is one for `title`, `Iran` is not one for `lang`."""


def is_field(name: str) -> bool:
    """Whether a query may name it: a field, a wildcard for several, or a field of an open object."""
    plain = name.replace("\\", "")
    return plain in fields() or "*" in plain or plain.startswith(_open_objects())


@cache
def fields() -> frozenset[str]:
    """The fields of an article that a query may name."""
    return frozenset(("_exists_", "_id", "_index", *_fields(ARTICLE, "")))


def _fields(properties: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, field in properties.items():
        if field.get("enabled", True) and field.get("index", True) and field.get("type") != "dense_vector":
            yield path + name
            yield from _fields(field.get("properties", {}), f"{path}{name}.")
            yield from _fields(field.get("fields", {}), f"{path}{name}.")


@cache
def _open_objects() -> tuple[str, ...]:
    return tuple(f"{name}." for name, field in ARTICLE.items() if str(field.get("dynamic", "")).lower() == "true")


@lru_cache(maxsize=10_000)
def is_slip(name: str) -> bool:
    """Whether the name is meant as a field: its spelling is similar to one, or it is one that can't be searched."""
    plain = name.replace("\\", "")
    return plain in ARTICLE or plain in FILTERS or meant(plain) is not None


_ELSEWHERE: Final = {
    **dict.fromkeys(("site", "outlet", "domain", "publisher"), "source"),
    **dict.fromkeys(("after", "from", "newer"), "since"),
    **dict.fromkeys(("before", "to", "older"), "until"),
    **dict.fromkeys(("topic", "subject"), "tag"),
    **dict.fromkeys(("intitle", "allintitle", "headline"), "title"),
    **dict.fromkeys(("intext", "allintext", "body"), "text"),
    **dict.fromkeys(("person", "organisation", "organization", "place"), "entity"),
}
"""What other search engines and outlets' archives call our filters and fields."""


def meant_elsewhere(name: str) -> str | None:
    """What is called so in other search engines; None: nothing that we have."""
    return _ELSEWHERE.get(name.lower())


def meant(name: str) -> str | None:
    """The field or short filter with the most similar spelling; None if none is similar."""
    if len(name) >= 50:
        return None
    near = get_close_matches(name.lower(), [*FILTERS, *sorted(fields())], 1, _LIKENESS)
    return near[0] if near else None
