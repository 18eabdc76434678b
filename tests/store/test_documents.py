"""Documents and types say the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.article import Article, Meaning, Provenance
from newswatch.feed import Feed, FeedState
from store.article_documents import (
    article_gist,
    from_document,
    placed_document,
    profile_of,
    renewed,
    stored_gist,
    to_document,
)
from store.elastic.documents import dump
from store.feed_documents import feed_document, feed_from_document
from store.indices.mapping import ARTICLE, BATCH, ENTRY, FEED, QUARANTINE
from store.names import Names
from tests.factories import NOW, a_batch, a_feed, a_source, stored_article
from transforms.encoder import DIMENSIONS
from transforms.repeated_lines import line_hashes

TOPICS = Names().topics()
STAMP: dict[str, Any] = {"batch_id": a_batch().id, "seq": 7, "indexed_at": NOW}


def test_an_article_comes_back_as_it_went() -> None:
    article = stored_article(agency="Reuters", problems=("page not read: 404",), duplicate_of="x")
    assert from_document(article.id, to_document(article, TOPICS, **STAMP)) == article


@given(title=st.text(), text=st.text(), summary=st.text())
def test_whatever_the_words(title: str, text: str, summary: str) -> None:
    article = stored_article(title=title, text=text, summary=summary, tags=(), entities=())
    assert from_document(article.id, to_document(article, TOPICS, **STAMP)) == article


def test_a_page_of_nothing_but_what_its_outlet_repeats_is_known_by_its_summary() -> None:
    wall = "Subscribe now to read on, for as little as one pound a week."
    article = stored_article(text=wall, summary="Half of Kettleby is under water.", repeated=line_hashes(wall))
    assert "kettle" in article_gist(article).body


def undeclared(document: dict[str, Any], properties: dict[str, Any], at: str = "") -> list[str]:
    found = []
    for name, value in document.items():
        declared = properties.get(name)
        if declared is None:
            found.append(at + name)
        elif "properties" in declared and isinstance(value, dict):
            found += undeclared(value, declared["properties"], f"{at}{name}.")
    return found


def whole_article() -> Article:
    """An article with nothing left out, so that every field of the type has its place in the document."""
    article = stored_article(
        agency="AP",
        link="https://e.example/%2Ca",
        problems=("p",),
        repeated=("0123456789abcdef",),
        duplicate_of="x",
        image="https://e.example/i.jpg",
        authors=("A B",),
        updated=NOW,
        placed_at=NOW,
        placed_by="ann",
        source=a_source(reliability="B"),
        meaning=Meaning("e 1", "h", "7f" * DIMENSIONS),
        provenance=Provenance(NOW, page_fetched=True, extractor="e 1", taxonomy="t 1", body_hash="h"),
    )
    return replace(article, version=2)


def test_the_whole_article_is_whole() -> None:
    whole = whole_article()
    for part in (whole, whole.source, whole.provenance, whole.meaning):
        assert part is not None
        empty = [name for name in part.__dataclass_fields__ if getattr(part, name) in (None, "", ())]
        assert empty == [], f"give {type(part).__name__} a value for each field, or the tests below show nothing"


def test_type_and_mapping_are_of_one_mind() -> None:
    document = to_document(whole_article(), TOPICS, **STAMP)
    assert undeclared(document, ARTICLE) == []
    assert set(Article.__dataclass_fields__) - set(document) == {"id"}
    assert set(ARTICLE) - set(document) == set(), "mapped, but written by nobody"
    for name in ("source", "provenance", "meaning"):
        assert set(ARTICLE[name]["properties"]) == set(document[name])


def test_a_document_made_anew_is_the_same() -> None:
    document = to_document(whole_article(), TOPICS, **STAMP)
    kept = {name: value for name, value in document.items() if name != "stemmed"}  # which Elasticsearch does not keep
    assert renewed(whole_article().id, kept, TOPICS) == document


@pytest.mark.parametrize("original", [None, "another"])
@pytest.mark.parametrize("meaning", [None, Meaning("e 1", "h", "7f" * DIMENSIONS)])
def test_a_placed_document_is_the_one_that_would_be_made_anew(original: str | None, meaning: Meaning | None) -> None:
    was = replace(whole_article(), meaning=meaning, text=" ".join(f"word{n}" for n in range(50)))
    document = to_document(was, TOPICS, **STAMP)
    assert document["bands"]
    read = {name: document[name] for name in document.keys() - {"stemmed", "bands", "story_terms", "vector"}}
    placed = replace(was, story_id="elsewhere", duplicate_of=original, placed_at=NOW)
    found = placed_document(placed, read, profile_of(was, stored_gist(read)), TOPICS)
    assert found == renewed(was.id, read, TOPICS, placed)


def test_a_feed_comes_back_as_it_went() -> None:
    feed, state = a_feed(topics=("nato",)), FeedState("herald", "https://moved.example/rss", entry_ids=("1", "2"))
    document = feed_document(feed, state)
    assert feed_from_document(document) == (feed, state)
    assert undeclared(document, FEED) == []


def test_a_batch_is_in_the_mapping() -> None:
    assert undeclared(dump(a_batch(counts={"new": 1})), BATCH) == []


def test_mappings_name_no_field_twice_in_another_type() -> None:
    times = {name for fields in (ARTICLE, ENTRY, FEED, BATCH, QUARANTINE) for name in fields if name.endswith("_at")}
    assert all(
        fields[name] == {"type": "date"}
        for fields in (ARTICLE, ENTRY, FEED, BATCH, QUARANTINE)
        for name in times & set(fields)
    )


def test_the_feed_type_and_its_mapping_agree() -> None:
    assert set(Feed.__dataclass_fields__) <= set(FEED)
