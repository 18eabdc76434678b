"""The mapping of every index, the same for the embedded node, the tests and a cluster.

Every index is `dynamic: strict`: an undeclared field would silently match nothing, so writing one must fail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from functools import lru_cache
from typing import Any

from newswatch.languages import analyzer_of, languages
from newswatch.settings import Settings
from store.indices.analysis import analysis, in_few_values, indexing, searching
from store.names import Names
from transforms.encoder import DIMENSIONS

VERSION = 3
"""Version of the articles' mapping. A new field needs no new version, because `set_up` adds it to the existing indices.
Raise it to index a field differently, or to fill one in stored articles: `newswatch index upgrade` then re-indexes
every slice."""

ANALYZERS = {code: its.name for code in languages() if (its := analyzer_of(code))}
"""Language → Elasticsearch's name of its analyzer, by the language's file (see `store.indices.analysis`).

Texts in other languages match by their word forms as written."""

STEMMED = sorted(set(ANALYZERS.values()))

UNSTEMMED = "plain"
"""The sub-field of `stemmed` for articles in a language without an analyzer."""

DEFAULT_FIELDS = ["title^3", "summary^1.5", "text", *(f"stemmed.{name}" for name in (*STEMMED, UNSTEMMED))]
"""The fields that a bare word of a query searches: in Kibana, in `newswatch search` and in saved searches alike.

`stemmed.<analyzer>` holds all texts of an article and all names of its entities in one field. A query whose words are
partly in the title and partly in the text matches only because one field has them all."""


@lru_cache(maxsize=100)
def fields_of(analyzers: frozenset[str]) -> tuple[str, ...]:
    """The default fields without the stemmed fields of other analyzers.

    The others match no article in these languages, yet Elasticsearch analyzes every word for each of them.
    """
    unwanted = {f"stemmed.{name}" for name in (*STEMMED, UNSTEMMED)} - {f"stemmed.{name}" for name in analyzers}
    return tuple(field for field in DEFAULT_FIELDS if field not in unwanted)


Json = dict[str, Any]

KEYWORD: Json = {"type": "keyword", "ignore_above": 8191}
DATE: Json = {"type": "date"}
INTEGER: Json = {"type": "integer"}
UNINDEXED: Json = {"type": "object", "enabled": False}
"""Stored and returned, not searchable."""


def _text(**more: Any) -> Json:
    return {"type": "text", "analyzer": indexing("folded"), "search_analyzer": searching("folded"), **more}


def _plain_text() -> Json:
    """Text of an index that is not rebuilt when the analysis changes, so its analyzer never does."""
    return {"type": "text", "analyzer": "folded"}


PLAIN_ANALYSIS: Json = {"analyzer": {"folded": {"tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}}
"""Analysis of the indices without articles, which hold few texts."""


def _stemmed() -> Json:
    fields: Json = {
        name: {"type": "text", "analyzer": indexing(name), "search_analyzer": searching(name)} for name in STEMMED
    }
    return {"properties": fields | {UNSTEMMED: _text()}}


def query_analyzer(field: str) -> str:
    """The analyzer for a query's words in a text field of an article."""
    name = field.removeprefix("stemmed.")
    return searching(name if name in STEMMED else "folded")


SOURCE: Json = {
    "properties": {
        "feed_id": KEYWORD,
        "name": KEYWORD,
        "domain": KEYWORD,
        "country": KEYWORD,
        "kind": KEYWORD,
        "owner": KEYWORD,
        "reliability": KEYWORD,
        "state_media": {"type": "boolean"},
    }
}

PROVENANCE: Json = {
    "properties": {
        "fetched_at": DATE,
        "page_fetched": {"type": "boolean"},
        "extractor": KEYWORD,
        "taxonomy": KEYWORD,
        "body_hash": {"type": "keyword", "index": False, "doc_values": False},
    }
}

MEANING: Json = {
    "properties": {
        "by": KEYWORD,
        "of": {"type": "keyword", "index": False, "doc_values": False},
        "vector": {"type": "keyword", "index": False, "doc_values": False},
    }
}

ARTICLE: Json = {
    "url": KEYWORD,
    "link": {"type": "keyword", "index": False, "doc_values": False},
    "title": _text(),
    "summary": _text(),
    "text": _text(),
    "text_status": KEYWORD,
    "stemmed": _stemmed(),
    "authors": _text(fields={"keyword": KEYWORD}),
    "source": SOURCE,
    "feeds": KEYWORD,
    "language": KEYWORD,
    "image": {"type": "keyword", "index": False, "doc_values": False},
    "published": DATE,
    "updated": DATE,
    "first_seen": DATE,
    "indexed_at": DATE,
    "lag_s": {"type": "long"},
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
    "placed_at": DATE,
    "placed_by": KEYWORD,
    "bands": {"type": "keyword", "doc_values": False},
    "story_terms": KEYWORD,
    "meaning": MEANING,
    "vector": {
        "type": "dense_vector",
        "dims": DIMENSIONS,
        "element_type": "byte",
        "index": True,
        "similarity": "cosine",
        "index_options": {"type": "hnsw"},
    },
    "lines": {"type": "keyword", "index": False},
    "gist": UNINDEXED,
    "repeated": {"type": "keyword", "index": False, "doc_values": False},
    "text_hash": {"type": "keyword", "index": False, "doc_values": False},
    "version": INTEGER,
    "versions": UNINDEXED,
    "problems": KEYWORD,
    "provenance": PROVENANCE,
    "batch": KEYWORD,
    "seq": {"type": "long"},
}
"""`time` is our best date for the article: `published`, or `first_seen` without a plausible date.
`seq` is the ingest number, `Batch.seq_from + n`. Matching selects articles by it, never by a date.
`vector` repeats `meaning.vector` for the search for neighbours: Elasticsearch leaves it out of what it returns, and a
document that is written again must have it.
`lines` are hashes of the text's lines; those in `repeated` stand in several of the outlet's stories.
`gist` holds the words by which the article is compared with others, so that its text need not be read again."""

ENTRY: Json = {
    "feed_id": KEYWORD,
    "entry_id": KEYWORD,
    "url": KEYWORD,
    "article_id": KEYWORD,
    "content_hash": {"type": "keyword", "index": False, "doc_values": False},
    "first_seen": DATE,
    "last_changed": DATE,
    "page_tries": INTEGER,
    "retry_page_at": DATE,
    "page_asked_at": DATE,
    "page_changes": INTEGER,
    "reread": {"type": "boolean"},
    "backlog": {"type": "boolean"},
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
    "read": KEYWORD,
    "rule": UNINDEXED,
    "fallback": UNINDEXED,
    "reliability": {"properties": {"grade": KEYWORD, "rated": DATE, "why": KEYWORD}},
    "state_media": {"type": "boolean"},
    "fast": {"type": "boolean"},
    "origin": KEYWORD,
    "next_poll_at": DATE,
    "paused_until": DATE,
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
    "hub": KEYWORD,
    "state": UNINDEXED,
    "lease_batch": {"type": "long"},
    "lease_until": DATE,
}
"""The fields between `origin` and `state` repeat parts of the state, for Kibana and for the search for due feeds."""

BATCH: Json = {
    "number": {"type": "long"},
    "feed_ids": KEYWORD,
    "state": KEYWORD,
    "created_at": DATE,
    "lease_until": DATE,
    "indexed_at": DATE,
    "matched_at": DATE,
    "counts": {"type": "object", "dynamic": True},
    "attempts": INTEGER,
    "abandoned": {"type": "boolean"},
    "imported": {"type": "boolean"},
    "unmatched": KEYWORD,
    "planned_by": KEYWORD,
    "joined": KEYWORD,
    "months": KEYWORD,
}

RECHECK: Json = {
    "article_id": KEYWORD,
    "mailed_at": DATE,
    "due_at": DATE,
    "done": INTEGER,
}

QUARANTINE: Json = {
    "at": DATE,
    "first_at": DATE,
    "count": INTEGER,
    "stage": KEYWORD,
    "what": KEYWORD,
    "id": KEYWORD,
    "url": KEYWORD,
    "feed_id": KEYWORD,
    "reason": _plain_text(),
    "document": UNINDEXED,
}

SAVED_SEARCH: Json = {
    "id": KEYWORD,
    "name": KEYWORD,
    "kind": KEYWORD,
    "query": _plain_text(),
    "tags": KEYWORD,
    "recipients": KEYWORD,
    "owner": KEYWORD,
    "schedule": KEYWORD,
    "enabled": {"type": "boolean"},
    "mute_until": DATE,
    "expires_at": DATE,
    "version": INTEGER,
    "changed_at": DATE,
    "changed_by": KEYWORD,
    "seed": KEYWORD,
    "problem": KEYWORD,
    "definition": UNINDEXED,
    "history": UNINDEXED,
}
"""`definition` is the whole saved search in force; `history` has every earlier version, with who changed what and when.
`seed` is the hash of its last definition in `config/alerts.yaml`, empty once a user has changed it."""

DELIVERY: Json = {
    "alert_id": KEYWORD,
    "alert_name": KEYWORD,
    "story_id": KEYWORD,
    "article_id": KEYWORD,
    "kind": KEYWORD,
    "schedule": KEYWORD,
    "recipients": KEYWORD,
    "waiting": KEYWORD,
    "state": KEYWORD,
    "suppressed_by": KEYWORD,
    "refused": KEYWORD,
    "last_error": KEYWORD,
    "references": KEYWORD,  # of documents from before the outcomes had an index
    "message_ids": KEYWORD,  # of documents from before there were channels
    "spread": {"type": "boolean"},
    "published": DATE,
    "fetched_at": DATE,
    "indexed_at": DATE,
    "created_at": DATE,
    "not_before": DATE,
    "sent_at": DATE,
    # Seconds until an instant mail was sent: since publication, and since we had read the article.
    "lag_s": {"type": "long"},
    "own_lag_s": {"type": "long"},
    "detail": UNINDEXED,
}
"""`spread` is true once each recipient has a document in `outcomes`; until then `waiting` are the recipients. `state`
is that of all recipients together, and follows when no one waits any more. `detail` has the passages."""

OUTCOME: Json = {
    "delivery_id": KEYWORD,
    "alert_id": KEYWORD,
    "alert_name": KEYWORD,
    "story_id": KEYWORD,
    "article_id": KEYWORD,
    "kind": KEYWORD,
    "schedule": KEYWORD,
    "recipient": KEYWORD,
    "channel": KEYWORD,
    "waiting": KEYWORD,
    "state": KEYWORD,
    "key": KEYWORD,
    "reference": KEYWORD,
    "subject": KEYWORD,
    "attempts": INTEGER,
    "error": KEYWORD,
    "notice": KEYWORD,
    "published": DATE,
    "fetched_at": DATE,
    "indexed_at": DATE,
    "created_at": DATE,
    "not_before": DATE,
    "at": DATE,
    "sent_at": DATE,
    # Seconds until an instant mail was sent: since publication, and since we had read the article.
    "lag_s": {"type": "long"},
    "own_lag_s": {"type": "long"},
}
"""`waiting` is the recipient while the delivery is still to be sent to it, `key` the idempotency key of the message
that carries it, `reference` the channel's name for that message, `at` when it entered its state."""

MAILBOX: Json = {
    "address": KEYWORD,
    "claimed_by": KEYWORD,
    "claimed_until": DATE,
    "last_sent_at": DATE,
    "failures": INTEGER,
    "failing_since": DATE,
    "refused_until": DATE,
    "retry_at": DATE,
    "last_error": KEYWORD,
    "unsubscribed": KEYWORD,
    "last_by_alert": UNINDEXED,
    "last_digests": UNINDEXED,
    "muted": UNINDEXED,
    "acknowledged": UNINDEXED,
    "unverified_since": DATE,
    "bounced_at": DATE,
    "bounced_why": KEYWORD,
}
"""One document per recipient: which worker holds it, and the mail server's last error."""

SUBSCRIBER: Json = {
    "id": KEYWORD,
    "kind": KEYWORD,
    "owner": KEYWORD,
    "name": KEYWORD,
    "shown": KEYWORD,
    "zone": KEYWORD,
    "shared": {"type": "boolean"},
    "created_at": DATE,
    "updated_at": DATE,
    "verified_at": DATE,
    "challenge_until": DATE,
    "disabled_at": DATE,
    "disabled_why": KEYWORD,
    "tries": INTEGER,
    "secret": UNINDEXED,
    "routes": UNINDEXED,
}
"""One document per person, group or address. What is sealed, and hashes of codes, are in `secret`."""

LABEL: Json = {
    "alert_id": KEYWORD,
    "story_id": KEYWORD,
    "article_id": KEYWORD,
    "recipient": KEYWORD,
    "relevant": {"type": "boolean"},
    "tags": KEYWORD,
    "at": DATE,
}
"""A reader's feedback on a mail: one document per (saved search, story, recipient); the latest one counts. `tags` are
the article's, so that Kibana can tell the quality by topic."""

NOTICE: Json = {
    "kind": KEYWORD,
    "at": DATE,
    "key": KEYWORD,
    "message_id": KEYWORD,  # of documents from before there were channels
    "told": UNINDEXED,
    "pending": UNINDEXED,
}
"""`told` are the feeds' states that the operator was mailed, `pending` a mail that may or may not have been sent."""

PULSE: Json = {
    "job": KEYWORD,
    "started_at": DATE,
    "beat_at": DATE,
    "ended_at": DATE,
    "failed_at": DATE,
    "failing_since": DATE,
    "why": {"type": "text", "index": False},
    "failures": INTEGER,
    "host": KEYWORD,
    "runner": KEYWORD,
    "last": UNINDEXED,
    "totals": UNINDEXED,
    "moments": UNINDEXED,
    "reasons": UNINDEXED,
}
"""How a job has fared: one document per job."""

CONFIGURATION: Json = {
    "name": KEYWORD,
    "hash": KEYWORD,
    "changed_at": DATE,
    "since": DATE,
    "host": KEYWORD,
    "path": KEYWORD,
    "superseded": KEYWORD,
    "wrong": UNINDEXED,
    "text": {"type": "text", "index": False},
    "index": KEYWORD,
}
"""One document per configuration file, which says which version is in force and what is wrong with the file on which
machine; one per version, which has its text; and one per file that is applied to an index, which says which version the
index with the UUID `index` follows."""

OUTAGES: Json = {
    "cause": KEYWORD,
    "since": DATE,
    "until": DATE,
    "outages": UNINDEXED,
    "looked_at": DATE,
}
"""When newswatch itself stood still, one document per cause: `since` and `until` are those of its last outage.
`looked_at` is in the document `digests`: up to when it was decided which digests without stories are due."""

READER: Json = {
    "kind": KEYWORD,
    "user": KEYWORD,
    "article_id": KEYWORD,
    "changed_at": DATE,
    "looked_at": DATE,
    "since": DATE,
    "read_at": DATE,
    "starred_at": DATE,
    "note": {"type": "text", "index": False},
    "noted_at": DATE,
    "has_note": {"type": "boolean"},
    "holder": KEYWORD,
    "steps": UNINDEXED,
}
"""Readers' desks. `kind` "look": when a reader looked; "mark": what he read, starred and noted, one document per reader
and article; "handover": who has an article, `holder` has it now, `steps` are all hands it went through."""

LANE: Json = {
    "kind": KEYWORD,
    "holder": KEYWORD,
    "beats": {"type": "long"},
    "feed_id": KEYWORD,
    "url": KEYWORD,
    "hub": KEYWORD,
    "topic": KEYWORD,
    "state": KEYWORD,
    "why": {"type": "text", "index": False},
    "round": INTEGER,
    "at": DATE,
    "until": DATE,
    "pushed_at": DATE,
    "missed": INTEGER,
    "refused": INTEGER,
    "content_type": KEYWORD,
    "body": {"type": "binary"},
    "bytes": {"type": "long"},
}
"""`kind` "turn": whose turn it is to match, which `holder` renews. "subscription": a feed's subscription to its hub.
"push": a document that a hub has pushed and that has not been read yet; "bell" changes with each. "beat": the worker
`holder` is alive until then."""

MILESTONE: Json = {
    "seq": {"type": "long"},
    "at_us": {"type": "long"},
}
"""At `at_us`, in microseconds since 1970, all articles with ingest numbers below `seq` could be found; the document
`head` is a copy of the last one (see `store.milestones`)."""

MONTH: Json = {
    "uuid": KEYWORD,
    "at": DATE,
    "ids": {"type": "binary"},
}
"""One document per slice of a past month: hashes of its articles' ids, as of the index with this UUID; without a UUID,
something was written to it at that time (see `store.past_months`)."""

IMPORT: Json = {
    "id": KEYWORD,
    "kind": KEYWORD,
    "name": KEYWORD,
    "hash": KEYWORD,
    "size": {"type": "long"},
    "place": {"type": "long"},
    "number": {"type": "long"},
    "done": {"type": "boolean"},
    "started_at": DATE,
    "changed_at": DATE,
    "counts": UNINDEXED,
    "faults": UNINDEXED,
}
"""One document per source that was imported, by its content: `place` is where the import goes on."""

KEY: Json = {
    "kind": KEYWORD,
    "id": KEYWORD,
    "name": KEYWORD,
    "owner": KEYWORD,
    "scopes": KEYWORD,
    "hash": {"type": "keyword", "index": False, "doc_values": False},
    "created_at": DATE,
    "created_by": KEYWORD,
    "expires_at": DATE,
    "per_minute": INTEGER,
    "last_used_at": DATE,
    "used_from": UNINDEXED,
    "refused_at": DATE,
    "revoked_at": DATE,
    "revoked_by": KEYWORD,
    "target": UNINDEXED,
    "number": INTEGER,
    "announced": {"type": "long"},
}
"""`kind` "api": a key of the API, by the SHA-256 of its secret part. "feed": a reader's address of a feed; `target` is
what it shows. Its secret is a signature, which is not stored."""

AUDIT: Json = {
    "n": {"type": "long"},
    "at": DATE,
    "who": KEYWORD,
    "where": KEYWORD,
    "what": KEYWORD,
    "subject": KEYWORD,
    "before": KEYWORD,
    "after": KEYWORD,
    "details": {"type": "text", "index": False},
    "previous": {"type": "keyword", "index": False, "doc_values": False},
    "hash": KEYWORD,
}
"""The audit log: `n` numbers the records without a gap, `before` and `after` are digests of what was changed,
`previous` is the hash of the record before (see `store.audit`)."""

CODEC = "legacy_best_compression"
"""DEFLATE. `best_compression` is Zstandard by a native library that is not among the published artefacts: the embedded
node accepts the setting, and fails the shard as soon as it writes a segment."""


def index_settings(settings: Settings, analysis: Json) -> Json:
    """The settings common to all indices, with the given analysis."""
    # Serverless decides by itself, and refuses an index with these settings.
    shared = {"number_of_shards": settings.number_of_shards, "number_of_replicas": settings.number_of_replicas}
    return {**({} if settings.elasticsearch_serverless else shared), "analysis": analysis}


def _mappings(properties: Json, **more: Any) -> Json:
    meta = {"newswatch_version": VERSION, "fingerprint": fingerprint(properties)}
    return {"dynamic": "strict", "_meta": meta, "properties": properties, **more}


def fingerprint(body: Json) -> str:
    """A hash that changes when anything in `body` changes."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def missing(wanted: Json, present: Json) -> Json:
    """The properties of `wanted` that `present` lacks, at any depth."""
    lacking: Json = {}
    for name, field in wanted.items():
        if name not in present:
            lacking[name] = field
        elif deeper := missing(field.get("properties", {}), present[name].get("properties", {})):
            lacking[name] = {"properties": deeper}
    return lacking


def analyzed_by(analyzers: Container[str], properties: Json) -> Json:
    """`properties` for an index that has only these analyzers: other text is analyzed as text without a language."""
    fields: Json = {}
    for name, field in properties.items():
        if "properties" in field:
            fields[name] = field | {"properties": analyzed_by(analyzers, field["properties"])}
        else:
            is_known = "analyzer" not in field or field["analyzer"] in analyzers
            fields[name] = field if is_known else field | _text()
    return fields


def article_template(names: Names, settings: Settings) -> Json:
    """The composable index template of the monthly slices, as the arguments of `put_index_template`.

    It names no alias, so that a generation that is still being filled is not searched. It forbids creation by a write,
    so that a late write can't recreate a slice that an upgrade has replaced.
    """
    template = {
        "settings": {
            **index_settings(settings, in_few_values(analysis())),
            "query.default_field": DEFAULT_FIELDS,
            "codec": CODEC,
        },
        # Every write of an article derives the excluded fields from its stored text.
        "mappings": _mappings(ARTICLE, _source={"excludes": ["stemmed", "bands", "story_terms"]}),
    }
    return {
        "index_patterns": [names.slices],
        "priority": 500,
        "version": VERSION,
        "allow_auto_create": False,
        "meta": {"fingerprint": fingerprint(template)},
        "template": template,
    }


def plain_template(names: Names, settings: Settings) -> Json:
    """The template of all other indices, as the arguments of `put_index_template`.

    A write must never recreate a deleted index, because Elasticsearch would guess its mapping. Only `set_up` creates
    them, each with its mapping. An index with this template alone accepts no document.
    """
    template = {"settings": index_settings(settings, PLAIN_ANALYSIS), "mappings": {"dynamic": "strict"}}
    return {
        "index_patterns": sorted([*plain_indices(names), names.audit_months]),
        # Above the slices' template, whose pattern may match the indices of another installation's prefix.
        "priority": 501,
        "version": VERSION,
        "allow_auto_create": False,
        "meta": {"fingerprint": fingerprint({**template, "indices": sorted(plain_indices(names))})},
        "template": template,
    }


def plain_indices(names: Names) -> dict[str, Json]:
    """Index name → mapping properties, for every index that is not sliced by month."""
    return {
        names.entries: ENTRY,
        names.feeds: FEED,
        names.batches: BATCH,
        names.rechecks: RECHECK,
        names.quarantine: QUARANTINE,
        names.searches: SAVED_SEARCH,
        names.deliveries: DELIVERY,
        names.outcomes: OUTCOME,
        names.mailboxes: MAILBOX,
        names.subscribers: SUBSCRIBER,
        names.labels: LABEL,
        names.notices: NOTICE,
        names.pulse: PULSE,
        names.configuration: CONFIGURATION,
        names.outages: OUTAGES,
        names.readers: READER,
        names.lane: LANE,
        names.keys: KEY,
        names.audit: AUDIT,
        names.imports: IMPORT,
        names.milestones: MILESTONE,
        names.months: MONTH,
    }


def plain_mappings(properties: Json) -> Json:
    """The mappings of a plain index."""
    return _mappings(properties)


def plain_index(properties: Json, settings: Settings) -> Json:
    """The body that creates a plain index."""
    return {"settings": index_settings(settings, PLAIN_ANALYSIS), "mappings": plain_mappings(properties)}
