"""Converts between our types and Elasticsearch's documents: the one place where documents become types.

A stored document may have been edited by hand, or written by another version. An unreadable one costs only itself:
`values` and `all_stored` skip it and quarantine it with its reason; `read` raises a DocumentError, which a loop's
`Bulkhead.attempt` quarantines. Each kind of document has a function that reads one (`Reads`). Pure, except for the
quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, to_jsonable_python

from newswatch.article import Article
from newswatch.errors import DocumentError
from newswatch.feed import Feed, FeedState
from newswatch.problems import Problem, reason_of, report_problem
from newswatch.topics import Topics
from newswatch.wording import worded
from store.mapping import ANALYZERS, UNSTEMMED
from transforms.profile import Gist, Profile, gist_of, profile_from
from transforms.repeated_lines import line_hashes, without_lines

T = TypeVar("T")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value as it was read, with the tokens for a compare-and-set."""

    value: T
    index: str
    id: str
    seq_no: int
    primary_term: int


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
"""Cached: building one takes milliseconds, using it microseconds."""


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: object) -> Document:
    """A dataclass as JSON-ready values without empty ones, which saves space and makes `exists` queries meaningful."""
    plain: Document = _adapter(type(value)).dump_python(value, mode="json")
    return {name: item for name, item in plain.items() if item is not None and item != [] and item != ""}


def load(kind: type[T], document: Mapping[str, Any]) -> T:
    """The inverse of `dump`.

    Raises:
        ValueError: the document does not fit `kind`, or a time lacks its zone.
    """
    value: T = _validator(kind).validate_python(document)
    return value


_VALIDATORS: dict[type[Any], SchemaValidator] = {}


def _validator(kind: type[Any]) -> SchemaValidator:
    if kind not in _VALIDATORS:
        _VALIDATORS[kind] = SchemaValidator(_aware(_adapter(kind).core_schema))
    return _VALIDATORS[kind]


def _aware(schema: Any) -> Any:
    """The schema, with a zone required for every time: comparing one without raises an error."""
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
"""Builds a value from a document's id and source; any exception means that the document is unreadable."""


def read(hit: Hit, reads: Reads[T]) -> T:
    """The value of a document.

    Raises:
        DocumentError: the document can't be read.
    """
    try:
        return reads(hit["_id"], hit["_source"])
    except ValidationError as error:
        raise DocumentError(hit["_index"], hit["_id"], _faults(error)) from error
    except Exception as error:  # anything can be wrong: a string for a list, a null, a date in the year 0
        raise DocumentError(hit["_index"], hit["_id"], reason_of(error)) from error


def _faults(error: ValidationError, most: int = 3) -> str:
    """The first `most` of pydantic's errors, each with its place."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'the document'}: {worded(fault)}"
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f"; {len(faults) - most} more" if len(faults) > most else ""
    return "; ".join(faults[:most]) + more


def readable(hits: Iterable[Hit], reads: Reads[T]) -> Iterator[tuple[Hit, T]]:
    """The readable documents, each with its value; the others are quarantined."""
    for hit in hits:
        try:
            value = read(hit, reads)
        except DocumentError as error:
            report_problem(problem_of(error))
        else:
            yield hit, value


def values(hits: Iterable[Hit], reads: Reads[T]) -> list[T]:
    """The values of the readable documents; the others are quarantined."""
    return [value for _, value in readable(hits, reads)]


def all_stored(hits: Iterable[Hit], reads: Reads[T]) -> list[Stored[T]]:
    """`values`, with the tokens for a compare-and-set."""
    return [stored(value, hit) for hit, value in readable(hits, reads)]


def problem_of(error: DocumentError) -> Problem:
    """The problem to report for an unreadable document."""
    return Problem("document", f"{error.index}/{error.id}", error.reason)


def require_id(document_id: str, said: str) -> None:
    """Raise a ValueError if the id that a document holds (`said`) differs from its document id."""
    if document_id != said:
        raise ValueError(f"it says that it is {said!r}")


def stored(value: T, hit: Mapping[str, Any]) -> Stored[T]:
    """`value` with the tokens of its hit (from a search with `seq_no_primary_term`, or from a get)."""
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
    "vector",
    "lines",
    "gist",
)


def to_document(article: Article, topics: Topics, *, batch_id: str, seq: int, indexed_at: datetime) -> Document:
    """The document of an article, with its place in the ingest order; its id is `article.id`."""
    document, gist = dump(article), article_gist(article)
    profile = profile_of(article, gist)
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
        "stemmed": stemmed(document, topics),
        "time": (article.published or article.first_seen).isoformat(),
        "indexed_at": indexed_at.isoformat(),
        **_lag(article, indexed_at),
        "batch": batch_id,
        "seq": seq,
        "bands": list(profile.fingerprint.bands),
        "story_terms": list(profile.terms),
        **_vector(article),
        "lines": list(line_hashes(article.text or article.summary)),
        "gist": dump(gist),
    }


def profile_of(article: Article, gist: Gist | None = None) -> Profile:
    """The features of an article that finding its copies and its story compares; `gist` if it is known already.

    An article without text has no fingerprint, but with its gist all else.
    """
    return profile_from(
        gist or article_gist(article),
        id=article.id,
        published=article.published or article.first_seen,
        source=article.source.domain,
        language=article.language,
        text=_own_text(article),
    )


def article_gist(article: Article) -> Gist:
    """What is kept of the article's words, without the lines that its outlet repeats."""
    return gist_of(article.title, _own_text(article), article.published or article.first_seen)


def stored_gist(document: Mapping[str, Any]) -> Gist | None:
    """The gist of a stored document; None if it was stored before there were any."""
    return load(Gist, document["gist"]) if document.get("gist") else None


def _own_text(article: Article) -> str:
    """The text, or else the summary, without repeated lines; a page may have nothing but "Subscribe to read on"."""
    text = without_lines(article.text, article.repeated)
    return text if text.strip() else without_lines(article.summary, article.repeated)


def _lag(article: Article, indexed_at: datetime) -> Document:
    """Seconds from publication (or the last update) to the index; empty if the publisher gives no plausible time."""
    published = article.updated if article.version > 1 else article.published
    if published is None or published > indexed_at:
        return {}
    return {"lag_s": round((indexed_at - published).total_seconds())}


def stemmed(document: Mapping[str, Any], topics: Topics) -> dict[str, list[str]]:
    """The `stemmed` field, which is not stored: the analyzer of the document's language → all texts and names of it.

    A list keeps phrases from matching across two values: Elasticsearch puts a gap of 100 positions between them.
    """
    entities = document.get("entity_details", ())
    names = [alias for entity in entities for alias in (entity["name"], *entity.get("aliases", ()))]
    names += topics.words(document.get("tags", ()))
    parts = [document.get("title"), document.get("summary"), document.get("text"), *names]
    return {ANALYZERS.get(document.get("language") or "", UNSTEMMED): [part for part in parts if part]}


def from_document(article_id: str, document: Mapping[str, Any]) -> Article:
    """The article of a document."""
    fields = {name: value for name, value in document.items() if name not in _DERIVED}
    for name, details in _DETAILS.items():
        fields[name] = fields.pop(details, [])
    return load(Article, {"summary": "", "text": "", "title": ""} | fields | {"id": article_id})


def with_document(article_id: str, document: Mapping[str, Any]) -> tuple[Article, Document]:
    """The article of a document, and the document itself, for writing it again; checks that `renewed` can read it."""
    _stamp(document)
    return from_document(article_id, document), dict(document)


def renewed(article_id: str, document: Mapping[str, Any], topics: Topics, article: Article | None = None) -> Document:
    """Re-serialise a stored document with the current code (or `article` instead); batch, seq and indexed_at stay."""
    kept = {name: value for name, value in document.items() if name in _DERIVED and name != "vector"}
    return kept | to_document(article or from_document(article_id, document), topics, **_stamp(document))


def placed_document(article: Article, document: Mapping[str, Any], profile: Profile, topics: Topics) -> Document:
    """`renewed` of a document with a gist, for an article that differs from it by its place in a story alone.

    `profile` is the article's. Nothing that the document has is made again, which takes most of the time.
    """
    kept = {name: value for name, value in document.items() if name not in _OF_PLACE}
    place = {"story_id": article.story_id, "duplicate_of": article.duplicate_of, "placed_at": article.placed_at}
    return (
        kept
        | {name: value for name, value in to_jsonable_python(place).items() if value}
        | {
            "stemmed": stemmed(document, topics),
            "bands": list(profile.fingerprint.bands),
            "story_terms": list(profile.terms),
        }
        | _vector(article)
    )


_OF_PLACE = ("story_id", "duplicate_of", "placed_at", "vector")


def _vector(article: Article) -> Document:
    return {"vector": article.meaning.vector} if article.meaning else {}


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
    "hub",
)


def feed_document(feed: Feed, state: FeedState) -> Document:
    """A feed's document without a lease: writing it gives the feed back."""
    remembered = dump(state)
    return dump(feed) | {name: remembered[name] for name in _SHOWN if name in remembered} | {"state": remembered}


def feed_from_document(document: Mapping[str, Any]) -> tuple[Feed, FeedState]:
    """The feed and its state."""
    names = Feed.__dataclass_fields__
    return load(Feed, {k: v for k, v in document.items() if k in names}), load(FeedState, document["state"])
