"""Whatever a test does to its indices, the next one that is given them finds them as if it were the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from elasticsearch import Elasticsearch

from store.names import Names
from tests.pristine import Pristine, indices, remove, templates

pytestmark = pytest.mark.slow

DEEDS: dict[str, Callable[[Elasticsearch, Names], object]] = {
    "nothing": lambda es, names: None,
    "writes": lambda es, names: es.index(index=names.feeds, id="x", document={}),
    "writes and takes it back": lambda es, names: (
        es.index(index=names.feeds, id="x", document={}),
        es.delete(index=names.feeds, id="x"),
    ),
    "deletes what is not there": lambda es, names: es.options(ignore_status=404).delete(index=names.feeds, id="x"),
    "blocks": lambda es, names: es.indices.put_settings(index=names.feeds, settings={"index.blocks.write": True}),
    "closes": lambda es, names: es.indices.close(index=names.feeds),
    "deletes an index": lambda es, names: es.indices.delete(index=names.feeds),
    "adds a field": lambda es, names: es.indices.put_mapping(index=names.feeds, properties={"y": {"type": "long"}}),
    "adds an alias": lambda es, names: es.indices.put_alias(index=names.feeds, name=f"{names.feeds}-too"),
    "makes a slice": lambda es, names: es.indices.create(index=names.slice_of_month("2026.03")),
    "takes a template away": lambda es, names: es.indices.delete_index_template(name=names.plain_template()),
}


@pytest.fixture(scope="module")
def own(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Pristine]:
    """Indices that nobody has but the tests of this module."""
    pristine = Pristine(es, elasticsearch_url)
    yield pristine
    remove(es, pristine.names().prefix)


@pytest.fixture(scope="module")
def furnished(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Pristine]:
    """The same, one of them holding a document."""

    def furnish(names: Names) -> None:
        es.index(index=names.feeds, id="furnished", document={})

    pristine = Pristine(es, elasticsearch_url, furnish)
    yield pristine
    first = pristine.names()
    pristine.end()
    assert not indices(es, first.prefix)


@pytest.mark.parametrize("deed", DEEDS)
def test_what_a_test_leaves_the_next_one_does_not_find(es: Elasticsearch, own: Pristine, deed: str) -> None:
    first = own.names()
    made = _kinds(es, first)
    DEEDS[deed](es, first)
    own.clean()
    second = own.names()
    assert _kinds(es, second) == made
    assert es.search(index=f"{second.prefix}*")["hits"]["hits"] == []
    assert es.index(index=second.feeds, id="x", document={}).body["_seq_no"] == 0
    own.clean()


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_furnished_is_there_for_the_next_one(es: Elasticsearch, furnished: Pristine, deed: str) -> None:
    first = furnished.names()
    made = _kinds(es, first)
    DEEDS[deed](es, first)
    es.index(index=first.batches, id="beside it", document={})
    furnished.clean()
    second = furnished.names()
    assert _kinds(es, second) == made
    es.indices.refresh(index=f"{second.prefix}*")
    (hit,) = es.search(index=f"{second.prefix}*", version=True)["hits"]["hits"]
    assert (hit["_index"], hit["_id"], hit["_version"]) == (second.feeds, "furnished", 1)
    assert (second.prefix == first.prefix) is (deed in ("nothing", "makes a slice"))
    furnished.clean()


def _kinds(es: Elasticsearch, names: Names) -> object:
    """What there is of a prefix, whatever the prefix and whenever it was made."""
    made = {
        index.removeprefix(names.prefix): (
            sorted(state["aliases"]),
            state["mappings"],
            sorted(state["settings"]["index"].keys() - {"uuid", "creation_date", "provided_name", "version"}),
        )
        for index, state in indices(es, names.prefix).items()
    }
    return made, [template["name"].removeprefix(names.prefix) for template in templates(es, names.prefix)]
