"""A month of the index without a copy in reach, as one on a node that is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from elasticsearch import Elasticsearch

from store.elastic.index_facts import uuid_of
from store.names import Names

_REQUIRED: Final = "index.routing.allocation.require._name"


@contextmanager
def lost_slice(es: Elasticsearch, names: Names, month: str) -> Iterator[str]:
    """The month's slice, whose only shard is on no node meanwhile; its name.

    Elasticsearch takes no primary from the only node that has it, so the slice is replaced by a copy that no node may
    hold, as an upgrade would.
    """
    whole, copy = names.slice_of_month(month), names.slice_of_month(month, 2)
    es.indices.add_block(index=whole, block="write")
    settings = {_REQUIRED: "nowhere", "index.blocks.write": None}
    es.indices.clone(index=whole, target=copy, settings=settings, wait_for_active_shards="0", timeout="0s")
    swap = [{"remove": {"index": whole, "alias": names.articles}}, {"add": {"index": copy, "alias": names.articles}}]
    es.indices.update_aliases(actions=swap)
    _learned_of(es, names, whole, copy)
    try:
        yield copy
    finally:
        es.indices.put_settings(index=copy, settings={_REQUIRED: None})
        es.cluster.health(index=copy, wait_for_status="yellow", timeout="60s")


def _learned_of(es: Elasticsearch, names: Names, whole: str, copy: str) -> None:
    """What is known of the slice's articles is known of its copy, which can't be read."""
    known = es.options(ignore_status=404).get(index=names.months, id=whole)
    if known.get("found") and known["_source"]["uuid"]:
        document = {**known["_source"], "uuid": uuid_of(es, copy)}
        es.index(index=names.months, id=copy, document=document, refresh=True)
