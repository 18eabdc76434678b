"""All transforms together, as `pull` calls them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from newswatch.article import Article, Provenance, Source
from transforms.enrich import enrich
from transforms.tag import Tagger

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
RAW = Article(
    id="a1",
    url="https://example.org/a",
    title=" NATO  summit\nopens ",
    summary="Leaders met.",
    text="BRUSSELS (Reuters) - NATO leaders met on Sunday.\r\n\r\nNATO will spend more on defence, it said.",
    text_status="full",
    source=Source("f", "Example", "example.org"),
    first_seen=NOON,
    provenance=Provenance(NOON, page_fetched=True, extractor="test"),
)


def test_an_article_is_cleaned_tagged_and_fingerprinted(tagger: Tagger) -> None:
    article = enrich(RAW, tagger)
    assert article.title == "NATO summit opens"
    assert article.text.count("\n") == 1
    assert article.language == "en"
    assert ("nato", "main") in [(t.tag, t.level) for t in article.tags]
    assert "nato" in [e.id for e in article.entities]
    assert article.agency == "Reuters"
    assert article.provenance.taxonomy == tagger.taxonomy.version
    assert (article.story_id, len(article.text_hash)) == ("a1", 32)
    for evidence in (e for t in article.tags for e in t.evidence):
        assert getattr(article, evidence.field)[evidence.start : evidence.end] == evidence.text


def test_the_same_words_have_the_same_hash_and_enriching_twice_changes_nothing(tagger: Tagger) -> None:
    article = enrich(RAW, tagger)
    assert enrich(article, tagger) == article


def test_its_entities_are_those_of_the_day_it_was_published(tagger: Tagger) -> None:
    crowd = replace(RAW, title="Dozens flee", summary="", text="Crocus City Hall near Moscow was evacuated.")
    before, after = datetime(2024, 3, 20, tzinfo=UTC), datetime(2024, 3, 23, tzinfo=UTC)
    named = [[e.id for e in enrich(replace(crowd, published=day), tagger).entities] for day in (before, after, None)]
    assert named == [[], ["crocus-city-hall"], ["crocus-city-hall"]]
