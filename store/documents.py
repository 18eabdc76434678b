"""Between our types and Elasticsearch's documents: the one place where documents become types.

What is stored may have been edited by hand, or be of another version. A document that can't be read costs only itself:
`values` and `all_stored` pass it over and set it aside with its reason; `read` raises a DocumentError, which a loop's
`Bulkhead.attempt` sets aside. Each kind of document has a function that reads one (`Reads`). Pure, but for setting
aside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from newswatch.article import Article
from newswatch.errors import DocumentError
from newswatch.feed import Feed, FeedState
from newswatch.problems import Problem, reason_of, report_problem
from store.mapping import ANALYZERS, UNSTEMMED
from store.topic_words import words_for
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
    """The inverse of `dump`.

    Raises:
        ValueError: it is no such thing; a time without a zone is none either.
    """
    value: T = _validator(kind).validate_python(document)
    return value


_VALIDATORS: dict[type[Any], SchemaValidator] = {}


def _validator(kind: type[Any]) -> SchemaValidator:
    if kind not in _VALIDATORS:
        _VALIDATORS[kind] = SchemaValidator(_aware(_adapter(kind).core_schema))
    return _VALIDATORS[kind]


def _aware(schema: Any) -> Any:
    """The schema with times that must have a zone: one without breaks whatever compares it."""
    if isinstance(schema, list | tuple):
        return type(schema)(_aware(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    same = {name: part if name == "default" else _aware(part) for name, part in schema.items()}
    return same | {"tz_constraint": "aware"} if schema.get("type") == "datetime" else same


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Hit = Mapping[str, Any]
"""A hit of a search, or a document of a get or a multi-get."""
Reads = Callable[[str, Mapping[str, Any]], T]
"""Makes a document's id and source what it stands for; any exception means that it stands for nothing."""


def read(hit: Hit, reads: Reads[T]) -> T:
    """What the document stands for.

    Raises:
        DocumentError: it can't be read.
    """
    try:
        return reads(hit["_id"], hit["_source"])
    except ValidationError as error:
        raise DocumentError(hit["_index"], hit["_id"], _faults(error)) from error
    except Exception as error:  # it may be anything: a string for a list, a null, a date of the year 0
        raise DocumentError(hit["_index"], hit["_id"], reason_of(error)) from error


def _faults(error: ValidationError, most: int = 3) -> str:
    """The first faults that pydantic has found, each with its place."""
    told = [
        f"{'.'.join(map(str, fault['loc'])) or 'the document'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f"; {len(told) - most} more" if len(told) > most else ""
    return "; ".join(told[:most]) + more


def readable(hits: Iterable[Hit], reads: Reads[T]) -> Iterator[tuple[Hit, T]]:
    """The documents that can be read, each with what it stands for; the others are set aside."""
    for hit in hits:
        try:
            value = read(hit, reads)
        except DocumentError as error:
            report_problem(problem_of(error))
        else:
            yield hit, value


def values(hits: Iterable[Hit], reads: Reads[T]) -> list[T]:
    """What the readable documents stand for; the others are set aside."""
    return [value for _, value in readable(hits, reads)]


def all_stored(hits: Iterable[Hit], reads: Reads[T]) -> list[Stored[T]]:
    """`values` with what a compare-and-set needs."""
    return [stored(value, hit) for hit, value in readable(hits, reads)]


def problem_of(error: DocumentError) -> Problem:
    """The problem that a document is."""
    return Problem("document", f"{error.index}/{error.id}", error.reason)


def require_id(document_id: str, said: str) -> None:
    """Raise a ValueError if a document says that it is another than its id says."""
    if document_id != said:
        raise ValueError(f"it says that it is {said!r}")


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


def with_document(article_id: str, document: Mapping[str, Any]) -> tuple[Article, Document]:
    """The article of a document, and the document itself, for writing it anew: its stamp can be read too."""
    _stamp(document)
    return from_document(article_id, document), dict(document)


def renewed(article_id: str, document: Mapping[str, Any], article: Article | None = None) -> Document:
    """A stored document made anew by today's code, or for `article` in its place, in its place in the ingest order."""
    kept = {name: value for name, value in document.items() if name in _DERIVED}
    return kept | to_document(article or from_document(article_id, document), **_stamp(document))


def _stamp(document: Mapping[str, Any]) -> dict[str, Any]:
    """The place of a stored document in the ingest order."""
    return {
        "batch_id": document["batch"],
        "seq": int(document["seq"]),
        "indexed_at": datetime.fromisoformat(document["indexed_at"]),
    }


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
