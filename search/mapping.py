"""The one mapping of every index: used by the embedded node, by the tests and by a cluster alike.

Every index is `dynamic: strict`: a field that nobody declared would match nothing in silence, so writing it must fail.
"""

from __future__ import annotations

from typing import Any

from newswatch.settings import Settings
from search.names import Names

VERSION = 1
"""Raised with every change of an index's mapping or settings."""

ANALYZERS = {
    "ar": "arabic",
    "bg": "bulgarian",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "ja": "cjk",
    "ko": "cjk",
    "lt": "lithuanian",
    "lv": "latvian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
    "zh": "cjk",
}
"""Language → Elasticsearch's own analyzer for it. Other languages are searched by the word forms as written."""

STEMMED = sorted(set(ANALYZERS.values()))

DEFAULT_FIELDS = [
    "title^3",
    "summary^1.5",
    "text",
    *(f"stemmed.{name}.title^2" for name in STEMMED),
    *(f"stemmed.{name}.text" for name in STEMMED),
]
"""Where a bare word of a query is looked for, in Kibana, in `newswatch search` and in saved searches alike."""

Json = dict[str, Any]

KEYWORD: Json = {"type": "keyword", "ignore_above": 8191}
DATE: Json = {"type": "date"}
INTEGER: Json = {"type": "integer"}
UNINDEXED: Json = {"type": "object", "enabled": False}
"""Kept and given back, not searchable."""


def _text(**more: Any) -> Json:
    return {"type": "text", "analyzer": "folded", **more}


def _stemmed(analyzer: str) -> Json:
    return {"properties": {name: {"type": "text", "analyzer": analyzer} for name in ("title", "text")}}


SOURCE: Json = {
    "properties": {
        "feed_id": KEYWORD,
        "name": KEYWORD,
        "domain": KEYWORD,
        "country": KEYWORD,
        "kind": KEYWORD,
        "owner": KEYWORD,
    }
}

PROVENANCE: Json = {
    "properties": {
        "fetched_at": DATE,
        "page_fetched": {"type": "boolean"},
        "extractor": KEYWORD,
        "taxonomy": KEYWORD,
    }
}

ARTICLE: Json = {
    "url": KEYWORD,
    "title": _text(fields={"exact": {"type": "text", "analyzer": "exact"}}),
    "summary": _text(),
    "text": _text(fields={"exact": {"type": "text", "analyzer": "exact"}}),
    "text_status": KEYWORD,
    "stemmed": {"properties": {name: _stemmed(name) for name in STEMMED}},
    "authors": _text(fields={"keyword": KEYWORD}),
    "source": SOURCE,
    "feeds": KEYWORD,
    "language": KEYWORD,
    "image": {"type": "keyword", "index": False, "doc_values": False},
    "published": DATE,
    "updated": DATE,
    "first_seen": DATE,
    "indexed_at": DATE,
    "time": DATE,
    "tags": KEYWORD,
    "tags_main": KEYWORD,
    "scores": {"type": "object", "dynamic": True},
    "tag_details": UNINDEXED,
    "entities": KEYWORD,
    "entity_ids": KEYWORD,
    "entity_details": UNINDEXED,
    "story_id": KEYWORD,
    "duplicate_of": KEYWORD,
    "agency": KEYWORD,
    "bands": {"type": "keyword", "doc_values": False},
    "text_hash": {"type": "keyword", "index": False, "doc_values": False},
    "version": INTEGER,
    "versions": UNINDEXED,
    "problems": KEYWORD,
    "provenance": PROVENANCE,
    "batch": KEYWORD,
    "seq": {"type": "long"},
}
"""`time` is when the story happened as far as we know: `published`, or `first_seen` where there is no plausible date.
`seq` is the ingest number: `Batch.seq_from + n`; matching goes by it, never by a date."""

ENTRY: Json = {
    "feed_id": KEYWORD,
    "entry_id": KEYWORD,
    "url": KEYWORD,
    "article_id": KEYWORD,
    "content_hash": {"type": "keyword", "index": False, "doc_values": False},
    "first_seen": DATE,
    "last_changed": DATE,
}

FEED: Json = {
    "id": KEYWORD,
    "url": KEYWORD,
    "title": KEYWORD,
    "site": KEYWORD,
    "country": KEYWORD,
    "language": KEYWORD,
    "topics": KEYWORD,
    "kind": KEYWORD,
    "owner": KEYWORD,
    "full_text": KEYWORD,
    "enabled": {"type": "boolean"},
    "next_poll_at": DATE,
    "health": KEYWORD,
    "health_since": DATE,
    "health_why": KEYWORD,
    "failures": INTEGER,
    "last_poll_at": DATE,
    "last_success_at": DATE,
    "last_new_at": DATE,
    "last_status": INTEGER,
    "last_error": KEYWORD,
    "interval_s": INTEGER,
    "new_articles": {"type": "long"},
    "state": UNINDEXED,
    "lease_batch": {"type": "long"},
    "lease_until": DATE,
}
"""The fields between `enabled` and `state` repeat what the state holds, for Kibana and for finding what is due."""

BATCH: Json = {
    "number": {"type": "long"},
    "feed_ids": KEYWORD,
    "state": KEYWORD,
    "created_at": DATE,
    "lease_until": DATE,
    "indexed_at": DATE,
    "matched_at": DATE,
    "counts": {"type": "object", "dynamic": True},
    "abandoned": {"type": "boolean"},
}

QUARANTINE: Json = {
    "at": DATE,
    "what": KEYWORD,
    "id": KEYWORD,
    "url": KEYWORD,
    "feed_id": KEYWORD,
    "reason": _text(),
    "document": UNINDEXED,
}

ANALYSIS: Json = {
    "analyzer": {
        "folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]},
        "exact": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase"]},
    }
}


def index_settings(settings: Settings) -> Json:
    """Settings that every index shares."""
    return {
        "number_of_shards": settings.number_of_shards,
        "number_of_replicas": settings.number_of_replicas,
        "analysis": ANALYSIS,
    }


def _mappings(properties: Json, **more: Any) -> Json:
    return {"dynamic": "strict", "_meta": {"newswatch_version": VERSION}, "properties": properties, **more}


def article_template(names: Names, settings: Settings) -> Json:
    """The composable index template of the monthly slices."""
    return {
        "index_patterns": [names.slices],
        "priority": 500,
        "version": VERSION,
        "template": {
            "settings": {
                **index_settings(settings),
                "query.default_field": DEFAULT_FIELDS,
                "codec": "best_compression",
                # Slices are small and many shards are searched at once: refresh is asked for where it matters (`match`).
                "refresh_interval": "1s",
            },
            # The stemmed copies are made anew from the stored text whenever an article is written.
            "mappings": _mappings(ARTICLE, _source={"excludes": ["stemmed"]}),
            "aliases": {names.articles: {}},
        },
    }


def plain_indices(names: Names) -> dict[str, Json]:
    """Index name → mapping properties, for every index that is not sliced by month."""
    return {
        names.entries: ENTRY,
        names.feeds: FEED,
        names.batches: BATCH,
        names.quarantine: QUARANTINE,
    }


def plain_index(properties: Json, settings: Settings) -> Json:
    """The body that creates a plain index."""
    return {"settings": index_settings(settings), "mappings": _mappings(properties)}
