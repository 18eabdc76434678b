"""Retagging the archive on a real Elasticsearch."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from elastic_transport import Transport
from elasticsearch import Elasticsearch

from jobs.context import Context
from jobs.retag import retag, slices, tag_again
from jobs.tagger import tagger_of
from newswatch.article import Provenance
from newswatch.settings import Settings, default_config_dir
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW, a_batch, an_article
from tests.taxonomies import shipped_tagger

pytestmark = pytest.mark.slow

URLS = [f"https://herald.example/{n}" for n in range(5)]
OLD = Provenance(NOW, page_fetched=True, extractor="test", taxonomy="an older one")


@pytest.fixture
def context(es: Elasticsearch, names: Names, elasticsearch_url: str) -> Context:
    """An archive of two months, tagged by an older taxonomy that knew nothing."""
    store, batch = ArticleStore(es, names), a_batch()
    articles = [an_article(url, tags=(), entities=(), provenance=OLD) for url in URLS]
    store.write(articles[:3], batch, batch.seq_of_attempt, now=NOW)
    april = NOW.replace(month=4)
    store.write([replace(one, first_seen=april) for one in articles[3:]], batch, batch.seq_of_attempt + 3, now=april)
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    return Context(settings, es, names, clock=lambda: NOW)


def documents(context: Context) -> dict[str, dict[str, object]]:
    context.es.indices.refresh(index=context.names.articles)
    hits = context.es.search(index=context.names.articles, size=100)["hits"]["hits"]
    return {hit["_source"]["url"]: hit["_source"] for hit in hits}


def test_every_article_is_tagged_anew_in_its_place(context: Context) -> None:
    before = documents(context)
    seen: list[tuple[int, int]] = []
    report = retag(context, progress=lambda done, total: seen.append((done, total)))
    after = documents(context)
    assert (report.articles, report.changed, len(slices(context))) == (5, 5, 2)
    assert report.gained["nato (main)"] == 5
    assert report.examples["+nato (main)"][0].url in URLS
    assert seen[-1][0] == seen[-1][1]
    for url, document in after.items():
        assert "nato" in document["tags"]  # type: ignore[operator]
        assert all(document[name] == before[url][name] for name in ("seq", "batch", "indexed_at", "version", "text"))


def test_done_is_done(context: Context) -> None:
    retag(context)
    assert retag(context).articles == 0


def test_a_dry_run_tells_the_same_and_writes_nothing(context: Context) -> None:
    before = documents(context)
    report = retag(context, dry_run=True)
    assert (report.articles, report.gained["nato (main)"]) == (5, 5)
    assert documents(context) == before


def test_one_slice_alone(context: Context) -> None:
    assert retag(context, slices(context)[:1]).articles == 2


def test_whoever_dies_is_followed_by_one_who_goes_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.retag._PAGE", 1)
    tagger_of(context)  # which puts the taxonomy in force
    whole, calls = Transport.perform_request, iter(range(100))

    def failing(*args: object, **kwargs: object) -> object:
        if "_bulk" in str(args[2]) and next(calls) == 2:  # after two articles
            raise KeyboardInterrupt
        return whole(*args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr(Transport, "perform_request", failing)
        with pytest.raises(KeyboardInterrupt):
            retag(context)
    left = retag(context).articles
    assert 0 < left < 5
    assert all("nato" in document["tags"] for document in documents(context).values())  # type: ignore[operator]


def test_the_taxonomy_is_read_from_the_configuration(context: Context, tmp_path: Path) -> None:
    text = (default_config_dir() / "taxonomy.yaml").read_text(encoding="utf-8")
    other_version = re.sub(r"^edition:.*$", 'edition: "another"', text, flags=re.MULTILINE)
    (tmp_path / "taxonomy.yaml").write_text(other_version, encoding="utf-8")
    other = replace(context, settings=context.settings.model_copy(update={"config_dir": tmp_path}))
    assert retag(other, dry_run=True).articles == 5
    retag(context)
    assert retag(context, dry_run=True, taxonomy=tmp_path / "taxonomy.yaml").articles == 5
    assert retag(context, dry_run=True).articles == 0


def test_an_old_article_is_tagged_by_what_was_true_when_it_appeared() -> None:
    tagger = shipped_tagger()
    crowd = an_article(title="Dozens flee", summary="", text="Crocus City Hall near Moscow was evacuated.")
    days = (datetime(2024, 3, 20, tzinfo=UTC), datetime(2024, 3, 23, tzinfo=UTC))
    assert [len(tag_again(replace(crowd, published=day), tagger).entities) for day in days] == [0, 1]
