"""The independent-source check of saved searches with `min_sources`, which watch stories, not articles.

"Attacks, from two independent sources" must fire when a second outlet reports the attack, in any words: the second
article need not match the query. The check therefore looks at the stories of a batch's articles. A story that enough
sources report, and that has a matching article, is mailed with its first matching article.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from alerts.hits import SOURCE, MatchedArticle, matched_articles
from alerts.query import Query, to_query
from newswatch.alert import Match, SavedSearch
from newswatch.batch import Batch
from newswatch.errors import NewswatchError, StoreError
from search.asking import ANSWER_S, TIMEOUT, impatient, too_slow, verdict
from search.missing import Missing, missing_in, worst
from search.story_view import story_facts
from store.elastic.reading import every
from store.names import Names

_STORIES = 500
"""Stories in one search."""
_SEARCHES = 50
"""Searches in one request."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The matches of the searches with `min_sources`."""

    matches: tuple[Match, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """Id of a saved search that could not be run → why."""


def confirmed(
    es: Elasticsearch, names: Names, batch: Batch, searches: Sequence[SavedSearch], own: Sequence[Match]
) -> Confirmed:
    """For each of the batch's stories with enough sources: its first matching article, then those of the batch.

    `own` are the searches' matches in the batch. A first article that came in earlier gets the times of the batch's
    article on its story, because no mail was due before that one came in.

    Raises:
        StoreError: Elasticsearch is unavailable: match the batch again later.
    """
    if not searches:
        return Confirmed()
    try:
        by_story = {article.story_id: article for article in _articles(es, names, batch)}
        lacking: list[Missing] = []
        facts = story_facts(es, names.alias, sorted(by_story), lacking=lacking)
        counts = {story_id: one.independent for story_id, one in facts.items()}
        firsts, failed = _firsts(es, names, searches, counts)
        failed |= _unsure(es, names, searches, counts, worst(lacking))
    except (ApiError, TransportError) as error:
        raise StoreError(f"Elasticsearch can't search now: {error}") from error
    matches = [
        by_story[story_id]._replace(article_id=article_id).match(search_id)
        for search_id, story_id, article_id in firsts
    ]
    known = {(match.saved_search_id, match.article_id) for match in matches}
    least = {search.id: search.min_sources for search in searches}
    for match in own:
        enough = counts.get(match.story_id, 0) >= least[match.saved_search_id]
        if enough and (match.saved_search_id, match.article_id) not in known:
            matches.append(match)
    return Confirmed(tuple(matches), failed)


def _unsure(
    es: Elasticsearch,
    names: Names,
    searches: Sequence[SavedSearch],
    counts: Mapping[str, int],
    missing: Missing | None,
) -> dict[str, str]:
    """Id of each search that matches a story which may have enough sources in what is `missing` → why it must wait.

    Counts are then the least that they can be: what is enough by them is enough. A search of which it can't be told
    either whether it matches waits, too.
    """
    if missing is None:
        return {}
    asked = []
    for search in searches:
        few = sorted(story_id for story_id, count in counts.items() if count < search.min_sources)
        asked += [(search.id, _first_of_each(search, page) | {"size": 1}) for page in _in_pages(few)]
    unsure: dict[str, str] = {}
    for start in range(0, len(asked), _SEARCHES):
        for search_id, answer in _answers(es, names.alias, asked[start : start + _SEARCHES]):
            if isinstance(answer, str) or answer["hits"]["hits"]:
                unsure[search_id] = str(missing)
    return unsure


def _articles(es: Elasticsearch, names: Names, batch: Batch) -> Iterator[MatchedArticle]:
    numbers = {"range": {"seq": {"gte": batch.seq_from, "lt": batch.seq_to}}}
    for _, article in matched_articles(every(es, names.articles, numbers, source=SOURCE)):
        yield article


def _firsts(
    es: Elasticsearch, names: Names, searches: Sequence[SavedSearch], counts: Mapping[str, int]
) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """(saved search, story, first matching article) for each story with enough sources; failed search → reason."""
    asked = [
        (search.id, _first_of_each(search, page)) for search in searches for page in _pages(search.min_sources, counts)
    ]
    firsts: list[tuple[str, str, str]] = []
    failed: dict[str, str] = {}
    for start in range(0, len(asked), _SEARCHES):
        for search_id, answer in _answers(es, names.alias, asked[start : start + _SEARCHES]):
            if isinstance(answer, str):
                failed[search_id] = answer
            else:
                firsts += [(search_id, hit["fields"]["story_id"][0], hit["_id"]) for hit in answer["hits"]["hits"]]
    return firsts, failed


def _answers(
    es: Elasticsearch, index: str, asked: Sequence[tuple[str, Query]]
) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
    """Each search with its answer, or the reason for its failure. A failed request is halved to isolate the failure.

    Raises:
        StoreError: Elasticsearch does not answer a trivial search either.
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
        elif missing := missing_in(answer):
            yield search_id, str(missing)
        else:
            yield search_id, answer


def _refusal(es: Elasticsearch, index: str, search_id: str, answer: Mapping[str, Any]) -> str:
    """Why a search was refused; raises a StoreError if the cause is not the search but Elasticsearch's health."""
    reason = str(answer["error"].get("reason") or answer["error"].get("type"))
    if answer.get("status") != HTTPStatus.BAD_REQUEST:
        _own(verdict(es, index, search_id, StoreError(reason)))
    return reason


def _own(error: NewswatchError) -> NewswatchError:
    """The error, if the search caused it; otherwise raises it."""
    if isinstance(error, StoreError):
        raise error
    return error


def _pages(least: int, counts: Mapping[str, int]) -> Iterator[Sequence[str]]:
    return _in_pages(sorted(story_id for story_id, count in counts.items() if count >= least))


def _in_pages(story_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (story_ids[start : start + _STORIES] for start in range(0, len(story_ids), _STORIES))


def _first_of_each(search: SavedSearch, story_ids: Sequence[str]) -> Query:
    """The search for each story's first article. First by first_seen, because an edit raises the ingest number."""
    body: dict[str, Any] = {
        "query": {"bool": {"filter": [{"terms": {"story_id": list(story_ids)}}, to_query(search)]}},
        "collapse": {"field": "story_id"},
        "sort": [{"first_seen": "asc"}, {"seq": "asc"}],
        "size": len(story_ids),
        "_source": False,
        "track_total_hits": False,
    }
    return body
