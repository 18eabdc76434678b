"""Between our types and Elasticsearch's documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from newswatch.model import Article, Feed, FeedState
from search.mapping import ANALYZERS, UNSTEMMED
from search.topic_words import words_for
from transforms.story import Profile, profile

T = TypeVar("T")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """Something as it was read, with what a compare-and-set needs."""

    value: T
    index: str
    id: str
    seq_no: int
    primary_term: int


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""Building one takes milliseconds, using it microseconds."""


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: object) -> Document:
    """A dataclass as JSON-ready values, without what is empty: less to store, and `exists` means something."""
    plain: Document = _adapter(type(value)).dump_python(value, mode="json")
    return {name: item for name, item in plain.items() if item is not None and item != [] and item != ""}


def load(kind: type[T], document: Mapping[str, Any]) -> T:
    """The inverse of `dump`."""
    value: T = _adapter(kind).validate_python(document)
    return value


def stored(value: T, hit: Mapping[str, Any]) -> Stored[T]:
    """`value` with the tokens of its hit (of a search with `seq_no_primary_term`) or its document (of a get)."""
    return Stored(value, hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"])


# ── articles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_DETAILS = {"tags": "tag_details", "entities": "entity_details"}
_DERIVED = (
    "stemmed",
    "indexed_at",
    "lag_s",
    "time",
    "tags_main",
    "scores",
    "entity_ids",
    "batch",
    "seq",
    "bands",
    "story_terms",
)


def to_document(article: Article, *, batch_id: str, seq: int, indexed_at: datetime) -> Document:
    """The document of an article, stamped with its batch; its id is `article.id`."""
    document, profile = dump(article), profile_of(article)
    del document["id"]
    for name, details in _DETAILS.items():
        if name in document:
            document[details] = document.pop(name)
    document["tags"] = [tag.tag for tag in article.tags]
    return document | {
        "tags_main": [tag.tag for tag in article.tags if tag.level == "main"],
        "scores": {tag.tag: tag.score for tag in article.tags},
        "entities": [entity.name for entity in article.entities],
        "entity_ids": [entity.id for entity in article.entities],
        "stemmed": stemmed(document),
        "time": (article.published or article.first_seen).isoformat(),
        "indexed_at": indexed_at.isoformat(),
        **_lag(article, indexed_at),
        "batch": batch_id,
        "seq": seq,
        "bands": list(profile.fingerprint.bands),
        "story_terms": list(profile.terms),
    }


def profile_of(article: Article) -> Profile:
    """What is compared of an article to find its copies and its story."""
    return profile(
        id=article.id,
        title=article.title,
        text=article.text,
        summary=article.summary,
        published=article.published or article.first_seen,
        source=article.source.domain,
    )


def _lag(article: Article, indexed_at: datetime) -> Document:
    """How many seconds it took from the publisher's clock to the index; nothing where that isn't known."""
    said = article.updated if article.version > 1 else article.published
    return {"lag_s": round((indexed_at - said).total_seconds())} if said and said <= indexed_at else {}


def stemmed(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """The analyzer of a document's language, and all that the document says: its `stemmed` field, which is not stored.

    A list keeps phrases from matching across the seams: Elasticsearch puts a gap of 100 positions between values.
    """
    entities = document.get("entity_details", ())
    names = [alias for entity in entities for alias in (entity["name"], *entity.get("aliases", ()))]
    names += words_for(document.get("tags", ()))
    parts = [document.get("title"), document.get("summary"), document.get("text"), *names]
    return {ANALYZERS.get(document.get("language") or "", UNSTEMMED): [part for part in parts if part]}


def from_document(article_id: str, document: Mapping[str, Any]) -> Article:
    """The article of a document."""
    fields = {name: value for name, value in document.items() if name not in _DERIVED}
    for name, details in _DETAILS.items():
        fields[name] = fields.pop(details, [])
    return load(Article, {"summary": "", "text": "", "title": ""} | fields | {"id": article_id})


def renewed(article_id: str, document: Mapping[str, Any], article: Article | None = None) -> Document:
    """A stored document made anew by today's code, or for `article` in its place, in its place in the ingest order."""
    stamp: dict[str, Any] = {
        "batch_id": document["batch"],
        "seq": document["seq"],
        "indexed_at": datetime.fromisoformat(document["indexed_at"]),
    }
    kept = {name: value for name, value in document.items() if name in _DERIVED}
    return kept | to_document(article or from_document(article_id, document), **stamp)


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_SHOWN = (
    "next_poll_at",
    "paused_until",
    "health",
    "health_since",
    "health_why",
    "failures",
    "last_poll_at",
    "last_success_at",
    "last_new_at",
    "last_status",
    "last_error",
    "interval_s",
    "new_articles",
)


def feed_document(feed: Feed, state: FeedState) -> Document:
    """A feed's document without a lease: writing it gives the feed back."""
    remembered = dump(state)
    return dump(feed) | {name: remembered[name] for name in _SHOWN if name in remembered} | {"state": remembered}


def feed_from_document(document: Mapping[str, Any]) -> tuple[Feed, FeedState]:
    """The feed and its state."""
    names = Feed.__dataclass_fields__
    return load(Feed, {k: v for k, v in document.items() if k in names}), load(FeedState, document["state"])
