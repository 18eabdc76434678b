"""A slice of the index that can't be searched for most questions, as a month that was restored by hand may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch

from store.names import Names

_AS_TEXT = ("time", "seq", "story_id", "first_seen", "indexed_at", "published", "tags", "entity_ids", "language")


@contextmanager
def broken_slice(es: Elasticsearch, names: Names, properties: dict[str, Any] | None = None) -> Iterator[str]:
    """Add a slice whose fields are of other types, so that it can neither be sorted nor counted; its name.

    With `properties` only these fields are, so that it fails where they are counted.
    """
    index = f"{names.articles}-2001.01"
    document = {"text": "A glacier", "story_id": "s"}
    if properties is None:
        document["time"] = "then"
        properties = {field: {"type": "text"} for field in _AS_TEXT}
        properties |= {"title": {"type": "integer"}, "source": {"properties": {"country": {"type": "ip"}}}}
    es.indices.create(index=index, mappings={"properties": properties}, aliases={names.articles: {}})
    try:
        es.index(index=index, id="1", document=document, refresh=True)
        yield index
    finally:
        es.indices.delete(index=index)
