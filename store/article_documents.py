"""Converts between an article and its document. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from newswatch.article import Article
from newswatch.topics import Topics
from store.elastic.documents import Document, dump, load
from store.indices.mapping import ANALYZERS, UNSTEMMED
from transforms.profile import Gist, Profile, gist_of, profile_from
from transforms.repeated_lines import line_hashes, without_lines

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
