"""Index names that all tests of a module share: what they ask of is put there once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from newswatch.settings import Settings
from store.indices.setup import set_up
from store.names import Names


@pytest.fixture(scope="module")
def module_names(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Names]:
    """The index names of one module, its indices in place and empty; removed afterwards."""
    prefix = f"k{secrets.token_hex(4)}-"
    set_up(es, Names(prefix), Settings(elasticsearch_url=elasticsearch_url, index_prefix=prefix))
    yield Names(prefix)
    for index in es.indices.get(index=f"{prefix}*", features="settings"):
        es.indices.delete(index=index)
    es.indices.delete_index_template(name=Names(prefix).articles)
