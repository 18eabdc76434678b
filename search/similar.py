"""Finds articles by their meaning: those like a given one, and what `similar:` adds to the words of a query.

Only tagged articles have a vector, so nothing else is found this way. What is added are articles that the words don't
find, at most `_ADDED`. They are merged by reciprocal rank fusion (Cormack et al., 2009), which needs no common scale of
the scores; counts and facets remain those of the words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from search.asked import most_words, required, to_query, within_budget, wording_of
from search.asking import ask
from search.by_meaning import neighbours
from search.filter_clauses import Own
from search.filters import ANY
from search.meant import NotEncodedError, meant
from search.missing import Missing, whole, worst
from search.picks import UNSHOWN
from search.results import Hit, Results
from search.story_view import StoryFacts, story_facts
from search.syntax import Parsed
from search.syntax_error import QuerySyntaxError
from store.article_documents import from_document
from store.elastic.documents import Hit as StoredHit
from store.elastic.documents import readable
from store.indices.mapping import DEFAULT_FIELDS
from store.names import Names
from transforms import encoder as encoders
from transforms.encoder import packed

Json = dict[str, Any]

_ADDED: Final = 10
_HEAD: Final = 40
"""First rows that are merged: with ten added ones, all of these come within the first twenty."""
_RANK: Final = 60
"""The constant of reciprocal rank fusion, as its authors chose it."""
_ALIKE: Final = 0.35
"""Minimum cosine of an article to be "like" another."""
_MEANT: Final = 0.22
"""The same to the words of a query, which are few: an article on something else has less than 0.1."""


def like(es: Elasticsearch, names: Names, article: Article, *, size: int = 6) -> tuple[Article, ...]:
    """The articles of other stories that say the most similar, in any language: one of each story, best first.

    None if the article has no vector.

    Raises:
        IncompleteError: a slice could not be searched.
    """
    if article.meaning is None:
        return ()
    filters = [{"term": {"meaning.by": article.meaning.by}}]
    own = {"term": {"story_id": article.story_id}}
    knn = neighbours(article.meaning.vector, 5 * size, _ALIKE, [*filters, {"bool": {"must_not": [own]}}])
    try:
        answer = whole(es.search(index=names.articles, knn=knn, size=5 * size, source=UNSHOWN).body)
    except NotFoundError:
        return ()
    found = (one for _, one in readable(answer["hits"]["hits"], from_document))
    return tuple({one.story_id: one for one in reversed([*found])}.values())[::-1][:size]


# ── similar: ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def refuse_similar(parsed: Parsed, why: str) -> None:
    """Raise a QuerySyntaxError if the query has a `similar:`, which has no meaning here."""
    for filter_ in parsed.of("similar"):
        raise QuerySyntaxError(parsed.query, filter_.start, filter_.end, why)


def with_similar(
    es: Elasticsearch,
    names: Names,
    parsed: Parsed,
    find_words: Callable[[int, int], Results],
    *,
    size: int,
    offset: int,
    by_story: bool,
    with_story: bool,
    vectors: bool,
    now: datetime | None,
    own: Own,
    lacking: list[Missing],
    but: Sequence[Json] = (),
) -> Results:
    """The page of a query with `similar:`. `find_words` gives a number of rows from an offset without it; what a clause
    of `but` finds is left out.

    Raises:
        QueryError: there are no plain words to go by, or there is no encoder.
    """
    if not parsed.words:
        refuse_similar(parsed, "similar: goes by the meaning of plain words: write some, without operators or fields.")
    vector = _vector(parsed, vectors)
    head = find_words(_HEAD, 0)
    now = now or datetime.now(UTC)
    added = _added(es, names, parsed, vector, head, by_story, now, own, but, lacking) if vector else []
    if with_story and added:
        facts = story_facts(es, names.articles, [hit.article.story_id for hit in added], lacking=lacking)
        added = [replace(hit, story=facts.get(hit.article.story_id, StoryFacts())) for hit in added]
    head = replace(head, missing=worst(lacking))
    end = offset + size
    if offset >= _HEAD:
        return replace(find_words(size, offset - len(added)), similar=len(added))
    asked = head if end <= _HEAD else find_words(end, 0)
    filled = len(asked.hits) if asked.filled is None else asked.filled
    merged = fused(asked.hits[:filled], added)
    shown = (*merged, *asked.hits[filled:])[offset:end]
    place = None if asked.filled is None else max(0, len(merged) - offset)
    return replace(asked, hits=shown, filled=place, similar=len(added))


def fused(words: Sequence[Hit], meanings: Sequence[Hit]) -> tuple[Hit, ...]:
    """Two lists without a common hit, merged by reciprocal rank; of equals that of the words first. Pure."""
    ranked = [
        (1 / (_RANK + rank), -n, hit) for n, hits in enumerate((words, meanings)) for rank, hit in enumerate(hits)
    ]
    return tuple(hit for _, _, hit in sorted(ranked, key=lambda one: one[:2], reverse=True))


def _vector(parsed: Parsed, vectors: bool) -> str | None:
    encoder = encoders.load() if vectors else None
    if encoder is None:
        reason = encoders.why_none() if vectors else "NEWSWATCH_VECTORS is false"
        refuse_similar(parsed, f"similar: needs the encoder, which this server lacks: {reason}.")
        return None
    try:
        found = meant(parsed.words)
    except NotEncodedError as error:
        refuse_similar(parsed, f"similar: can't go by these words now: {error}. The server's log has the reason.")
        return None
    return packed(found.vector) if found else None


def _added(
    es: Elasticsearch,
    names: Names,
    parsed: Parsed,
    vector: str,
    head: Results,
    by_story: bool,
    now: datetime,
    own: Own,
    but: Sequence[Json],
    lacking: list[Missing],
) -> list[Hit]:
    """What means the same as the words, and is not found by them."""
    encoder = encoders.load()
    assert encoder is not None
    others = to_query(parsed, now, {"match_all": {}}, own)["bool"]
    # What is found is on a page, perhaps on one after the head.
    asked = wording_of(parsed, names)
    most = most_words(asked, within_budget(asked, DEFAULT_FIELDS))
    found_by_words = most if head.relaxed else required(parsed, names)
    excluded = [*others["must_not"], found_by_words, *but]
    shown = sorted({hit.article.story_id if by_story else hit.article.id for hit in head.hits})
    excluded.append({"terms": {"story_id": shown}} if by_story else {"ids": {"values": shown}})
    filters: list[Json] = [{"term": {"meaning.by": encoder.name}}, *others["filter"]]
    languages = parsed.values("similar")
    if ANY not in languages:
        filters.append({"terms": {"language": [language.lower() for language in languages]}})
    k = 5 * _ADDED if by_story else _ADDED
    knn = neighbours(vector, k, _MEANT, [{"bool": {"filter": filters, "must_not": excluded}}])
    answer = ask(es, names.articles, parsed.query, knn=knn, size=k, source=UNSHOWN, lacking=lacking)
    hits = [_hit(found, article) for found, article in readable(answer["hits"]["hits"], from_document)]
    if by_story:
        hits = [*{hit.article.story_id: hit for hit in reversed(hits)}.values()][::-1]
        if head.rows > len(head.hits):
            stories = {hit.article.story_id for hit in hits}
            later = _among(es, names, parsed, stories, to_query(parsed, now, found_by_words, own))
            hits = [hit for hit in hits if hit.article.story_id not in later]
    return hits[:_ADDED]


def _among(es: Elasticsearch, names: Names, parsed: Parsed, stories: Collection[str], query: Json) -> Collection[str]:
    """Those of the stories of which `query` finds an article."""
    if not stories:
        return ()
    these = {"bool": {"filter": [{"terms": {"story_id": sorted(stories)}}, query]}}
    aggs = {"found": {"terms": {"field": "story_id", "include": sorted(stories), "size": len(stories)}}}
    answer = ask(es, names.articles, parsed.query, query=these, size=0, track_total_hits=False, aggs=aggs)
    return {bucket["key"] for bucket in answer["aggregations"]["found"]["buckets"]}


def _hit(found: StoredHit, article: Article) -> Hit:
    source: Mapping[str, Any] = found["_source"]
    return Hit(article, float(found["_score"]), {}, int(source.get("seq", 0)), by_meaning=True)
