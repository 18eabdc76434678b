"""An index as version 1 of the mapping made it, before the analyzers folded."""

from __future__ import annotations

from typing import Any

from elasticsearch import Elasticsearch

from newswatch.settings import Settings
from store.indices.mapping import ARTICLE, article_template
from store.names import Names

ANALYSIS = {
    "analyzer": {"folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}
}


def a_month_of_the_version_before(es: Elasticsearch, names: Names, month: str) -> str:
    """The slice of a month, in the alias; its name."""
    index = names.slice_of_month(month)
    es.indices.delete_index_template(name=names.articles)  # its analyzers would be laid over ours
    mappings = {"dynamic": "strict", "_meta": {"newswatch_version": 1}, "properties": _older(ARTICLE)}
    mappings["_source"] = {"excludes": ["stemmed", "bands", "story_terms"]}
    es.indices.create(
        index=index,
        aliases={names.articles: {}},
        settings={"analysis": ANALYSIS, "number_of_replicas": 0},
        mappings=mappings,
    )
    es.indices.put_index_template(name=names.articles, **article_template(names, Settings()))
    return index


def _older(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    older = {name: _older(value) for name, value in part.items() if name != "search_analyzer"}
    if "search_analyzer" in part:
        older["analyzer"] = str(part["search_analyzer"]).removesuffix("_folded")
    return older
