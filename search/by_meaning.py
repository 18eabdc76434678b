"""Orders the first page of a search by meaning and by what articles say first, and adds what means the same where no
article has all words. Pure.

First come articles that have all of the words, say all of them in their head in some form, or are near in meaning. They
go by the sum of their score, their nearness, and how much of the words they say first (`marking.Opening`): an article
that has all words here and there in a long text is rarely what was asked for. The others follow, in the same order.
Without an encoder nothing is near, and the rest holds.

Where no article has all words, what is near includes the nearest ones that have most of them, which may come from a
later page, and up to `MOST_ADDED` that do not. Later pages know which rows were moved (`search.first_page`): none is
lost or stands twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from search.meant import Meant, Unmeant
from search.results import Hit, Results
from transforms.encoder import cosine, packed

Json = dict[str, Any]

_REORDERED: Final = 20
"""Rows of the first page that are ordered by meaning too."""
_NEAR: Final = 0.3
"""Minimum cosine of what is added to the words; chosen on one half of the judged queries."""
_OWN_LANGUAGE: Final = 0.1
"""Taken off an article in the language of the words: their score prefers it, and their cosine, too, as of so few words
only what all languages have in common is taken off."""
_MAIN: Final = 0.1
"""For an article whose main subject is a topic."""
_SAID_FIRST: Final = 0.2
"""For the share of the words that the title says, and again for the share that title, summary and lead say."""
FIRST: Final = 1_000.0
"""Weight of a clause that comes before all words: these give scores of some tens."""
_RAISED: Final = FIRST / 2
"""Minimum score of what such a clause has found: Elasticsearch gives (1 + cosine) / 2 for a neighbour."""
_LOOKED: Final = 200
"""Articles that the search for neighbours looks at in each segment."""

OF_ANOTHER: Final = Unmeant("most of these have vectors of another encoder; `newswatch encode` renews them")


def neighbours(vector: str, k: int, least: float, filters: Sequence[Json]) -> Json:
    """What Elasticsearch is asked for the `k` nearest neighbours of a packed vector."""
    return {
        "field": "vector",
        "query_vector": vector,
        "k": k,
        "num_candidates": max(_LOOKED, k),
        "similarity": least,
        "filter": [*filters],
    }


def near(meant: Meant, k: int, query: Json, boost: float = 1.0) -> Json:
    """The clause for the `k` articles that `query` finds and that are nearest to the words, if near enough."""
    nearest = neighbours(packed(meant.vector), k, _NEAR, [{"term": {"meaning.by": meant.by}}, query])
    return {"knn": {**nearest, "boost": boost}}


def nearer_first(
    results: Results, meant: Meant | None, size: int, added: Sequence[Hit] = (), language: str | None = None
) -> Results:
    """A first page of `size` rows in the order of words and meaning, with those of `added` that it does not have.

    `meant` is None if the meaning can't be had; `language` is the words', if it is known.

    With a row for each story, none gets a second one. Of the rows that fill the page up, which no later page has, those
    in `added` are counted as added.
    """
    by_story = results.stories is not None
    found, filling = results.hits[: results.rows], results.hits[results.rows :]
    shown = {_row(hit, by_story) for hit in found}
    new = {row: _marked(hit) for hit in added if (row := _row(hit, by_story)) not in shown}
    others = [hit for hit in filling if _row(hit, by_story) not in new]
    full = len(found) if results.filled is None else results.filled
    rows = (*found[:full], *new.values(), *found[full:], *others)[:size]
    head = rows[:_REORDERED]
    cosines, is_mostly_of_another = _cosines(head, meant) if meant else ({}, False)
    first = _first(head, cosines, {hit.article.id for hit in found[:full]})
    head = nearest_first(head, cosines, first, language)
    place = len(first) if 0 < full < len(head) else full
    filled = place if place < len(rows) else None
    unmeant = results.unmeant or (OF_ANOTHER if is_mostly_of_another else None)
    raised = tuple(row for hit in rows if hit.score >= _RAISED and (row := _row(hit, by_story)) in shown)
    ordered = (*head, *rows[_REORDERED:])
    return replace(results, hits=ordered, filled=filled, similar=len(new), raised=raised, unmeant=unmeant)


def _row(hit: Hit, by_story: bool) -> str:
    return (hit.article.story_id if by_story else None) or hit.article.id


def _marked(hit: Hit) -> Hit:
    """The hit, said to be found by meaning if none of the words is marked in it."""
    return replace(hit, by_meaning=not (hit.highlights or hit.stand_ins))


def _cosines(hits: Sequence[Hit], meant: Meant) -> tuple[Mapping[str, float], bool]:
    """Article → the cosine of its vector to the words; and whether most that have a vector have it by another encoder.

    Then there are no cosines: after an update, the few articles that came since would stand above all others.
    """
    by_id = {hit.article.id: hit.meant for hit in hits}
    found = {id_: one for id_, one in by_id.items() if one}
    ours = {id_: cosine(meant.vector, one.vector) for id_, one in found.items() if one.by == meant.by}
    is_mostly_of_another = len(found) > 2 * len(ours)
    return ({} if is_mostly_of_another else ours), is_mostly_of_another


def _first(hits: Sequence[Hit], cosines: Mapping[str, float], whole: Collection[str]) -> Collection[str]:
    """The articles that stand first: those of `whole`, which have all words, say all in their head, or are near."""
    # Elasticsearch rounds at the limit, and a copy's original, in its place, may be farther away.
    near = {id_ for id_, cosine in cosines.items() if cosine >= _NEAR}
    told = {hit.article.id for hit in hits if hit.score >= _RAISED or hit.opening.head == 1}
    return {hit.article.id for hit in hits}.intersection({*near, *told, *whole})


def nearest_first(
    hits: Sequence[Hit], cosines: Mapping[str, float], first: Collection[str], language: str | None = None
) -> tuple[Hit, ...]:
    """The hits, those of `first` above the others, by the sum of the score, as a share of the best one's, the cosine,
    how much they say first, and what corrects it (`_MAIN`, `_OWN_LANGUAGE`).

    `cosines` are by article; one without a vector, which no topic fits, has the lowest of the others. Where
    Elasticsearch has raised some by their meaning, which hides their score, no score of `first` counts.
    """
    least = min(cosines.values(), default=0.0)
    unscored = {*first} if any(hit.score >= _RAISED for hit in hits) else set[str]()
    best = max((hit.score for hit in hits if hit.article.id not in unscored), default=0.0) or 1.0

    def place(hit: Hit) -> tuple[bool, float]:
        words = 0.0 if hit.article.id in unscored else hit.score / best
        said = _SAID_FIRST * (hit.opening.title + hit.opening.head)
        meant = cosines.get(hit.article.id, least)
        return hit.article.id not in first, -(words + meant + said + _correction(hit, language if cosines else None))

    return tuple(sorted(hits, key=place))


def _correction(hit: Hit, language: str | None) -> float:
    main = _MAIN if any(tag.level == "main" for tag in hit.article.tags) else 0.0
    return main - (_OWN_LANGUAGE if language and hit.article.language == language else 0.0)
