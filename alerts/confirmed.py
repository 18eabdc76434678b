"""Saved searches that wait for independent sources: what they watch is the story, not the article.

"Attacks, from two independent sources" is to fire when a second outlet reports the attack, in whatever words: the
article that makes it two need not match itself. So the stories that a batch's articles belong to are asked: one that
enough sources report, and of which any article matches, is told by its first matching article.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from alerts.hits import SOURCE, Found, all_found
from alerts.query import Query, to_query
from newswatch.alert import Match, SavedSearch
from newswatch.batch import Batch
from newswatch.errors import NewswatchError, StoreError
from search.asking import ANSWER_S, TIMEOUT, impatient, too_slow, verdict
from search.story_view import independent_sources
from store.names import Names
from store.reading import every

_STORIES = 500
"""In one search."""
_SEARCHES = 50
"""In one request."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the searches that wait for sources match."""

    matches: tuple[Match, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


def confirmed(
    es: Elasticsearch, names: Names, batch: Batch, searches: Sequence[SavedSearch], own: Sequence[Match]
) -> Confirmed:
    """For each of the batch's stories that enough sources report: its first matching article, then those of the batch.

    `own` are the searches' matches in the batch. A first article that came in earlier has the times of the batch's
    article on its story: before that came, there was nothing to tell.

    Raises:
        StoreError: Elasticsearch is not there or in trouble of its own: match the batch again later.
    """
    if not searches:
        return Confirmed()
    try:
        brought = {one.story_id: one for one in _articles(es, names, batch)}
        counts = independent_sources(es, names.articles, sorted(brought))
        firsts, failed = _firsts(es, names, searches, counts)
    except (ApiError, TransportError) as error:
        raise StoreError(f"Elasticsearch can't search now: {error}") from error
    told = [
        brought[story_id]._replace(article_id=article_id).matches(search_id)
        for search_id, story_id, article_id in firsts
    ]
    known = {(match.saved_search_id, match.article_id) for match in told}
    least = {search.id: search.min_sources for search in searches}
    later = [m for m in own if counts.get(m.story_id, 0) >= least[m.saved_search_id]]
    return Confirmed((*told, *(m for m in later if (m.saved_search_id, m.article_id) not in known)), failed)


def _articles(es: Elasticsearch, names: Names, batch: Batch) -> Iterator[Found]:
    numbers = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    for _, found in all_found(every(es, names.articles, numbers, source=SOURCE)):
        yield found


def _firsts(
    es: Elasticsearch, names: Names, searches: Sequence[SavedSearch], counts: Mapping[str, int]
) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """(saved search, story, first matching article) for every story with enough sources; and what could not be run."""
    asked = [
        (search.id, _first_of_each(search, page)) for search in searches for page in _pages(search.min_sources, counts)
    ]
    firsts: list[tuple[str, str, str]] = []
    failed: dict[str, str] = {}
    for at in range(0, len(asked), _SEARCHES):
        for search_id, answer in _answers(es, names.articles, asked[at : at + _SEARCHES]):
            if isinstance(answer, str):
                failed[search_id] = answer
            else:
                firsts += [(search_id, hit["fields"]["story_id"][0], hit["_id"]) for hit in answer["hits"]["hits"]]
    return firsts, failed


def _answers(
    es: Elasticsearch, index: str, asked: Sequence[tuple[str, Query]]
) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
    """Each search with its answer, or with why it has none; a request that fails is parted until what fails is alone.

    Raises:
        StoreError: Elasticsearch does not answer the simplest of all searches either.
    """
    lines = [line for _, body in asked for line in ({"index": index}, body | {"timeout": TIMEOUT})]
    try:
        answers = impatient(es, ANSWER_S + len(asked)).msearch(searches=lines)["responses"]
    except (ApiError, TransportError) as error:
        if len(asked) == 1:
            yield asked[0][0], str(_own(verdict(es, index, asked[0][0], error)))
            return
        half = len(asked) // 2
        yield from _answers(es, index, asked[:half])
        yield from _answers(es, index, asked[half:])
        return
    for (search_id, _), answer in zip(asked, answers, strict=True):
        if "error" in answer:
            yield search_id, _refusal(es, index, search_id, answer)
        elif answer["timed_out"]:
            yield search_id, str(too_slow(search_id))
        else:
            yield search_id, answer


def _refusal(es: Elasticsearch, index: str, search_id: str, answer: Mapping[str, Any]) -> str:
    """Why a search was refused; what says nothing of the search itself, only if Elasticsearch is well otherwise."""
    told = str(answer["error"].get("reason") or answer["error"].get("type"))
    if answer.get("status") != HTTPStatus.BAD_REQUEST:
        _own(verdict(es, index, search_id, StoreError(told)))
    return told


def _own(error: NewswatchError) -> NewswatchError:
    """The error, if it is the search's own; else it is raised."""
    if isinstance(error, StoreError):
        raise error
    return error


def _pages(least: int, counts: Mapping[str, int]) -> Iterator[list[str]]:
    enough = sorted(story_id for story_id, count in counts.items() if count >= least)
    yield from (enough[at : at + _STORIES] for at in range(0, len(enough), _STORIES))


def _first_of_each(search: SavedSearch, story_ids: Sequence[str]) -> Query:
    """By when it was first seen: an edit gives an article a later ingest number, but does not make it a later one."""
    body: dict[str, Any] = {
        "query": {"bool": {"filter": [{"terms": {"story_id": list(story_ids)}}, to_query(search)]}},
        "collapse": {"field": "story_id"},
        "sort": [{"first_seen": "asc"}, {"seq": "asc"}],
        "size": len(story_ids),
        "_source": False,
        "track_total_hits": False,
    }
    return body
