"""One page of what a clause finds: first the articles and the counts, then what depends on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from elasticsearch import Elasticsearch

from search import facets
from search.asked import Sort, order, ranked, to_query
from search.asking import WHOLE, Answer, Request, ask_all, reason
from search.facets import Timeline
from search.filter_clauses import Own
from search.first_page import FirstPage
from search.meant import Meant, Unmeant, not_searched
from search.missing import Missing
from search.picks import UNREAD, Pick, Reading, in_place_of, picks, unmarked_request
from search.results import Hit, Results
from search.story_view import StoryFacts, facts_of, facts_search, further_facts, story_facts
from search.syntax import Parsed
from store.names import Names

Json = dict[str, Any]

_PICKED = 500
"""Last row of a page up to which stories are picked from the first articles."""
ARTICLES_A_STORY = 6
"""Articles requested for each row: few stories have more among the first articles."""
_BESIDE = 100
"""Articles among which those beside a page are picked."""


@dataclass(frozen=True, slots=True)
class Page:
    """Reads the page of a query; `read` is given the clause for its words."""

    es: Elasticsearch
    names: Names
    parsed: Parsed
    now: datetime
    size: int
    offset: int
    sort: Sort
    by_story: bool
    with_facets: bool
    with_story: bool
    all_of: str | None
    """The facet of which all values are counted."""
    own: Own
    meant: Callable[[], Meant | Unmeant] | None = None
    """What the words mean, where the page also goes by that."""
    scores: tuple[Json, ...] = ()
    """What gives articles their score, if not the query itself."""
    except_: tuple[Json, ...] = ()
    """What is already on the page."""
    zone: tzinfo = UTC
    """Whose days the time-line counts."""
    first: FirstPage | None = None
    """The first page of this search, where this is a later one that knows of it."""
    moved: FirstPage | None = None
    """The first page, if this one goes on behind the rows that it has moved."""
    lacking: list[Missing] = field(default_factory=list)
    """What answers have lacked so far; the same list in every page made from this one."""

    def shown_stories(self, results: Results) -> list[Json]:
        """The clause for articles of the stories on the page, if it has a row for each; to be excluded."""
        if not self.by_story or not results.hits:
            return []
        return [{"terms": {"story_id": sorted({hit.article.story_id for hit in results.hits})}}]

    def query(self, text: Json) -> Json:
        """The whole query; if plain words give the score, what they require only filters."""
        query = to_query(self.parsed, self.now, text, self.own)
        clauses = query["bool"]
        came_since = [self.first.came_since] if self.first else []
        clauses["must_not"] = [*clauses["must_not"], *self.except_, *came_since]
        if self.scores:
            clauses |= {"must": [], "filter": [*clauses["must"], *clauses["filter"]], "should": [*self.scores]}
        return query

    def read(self, text: Json) -> Results:
        """The page of the articles that `text` finds."""
        return self.read_beside(text, None, 0)[0]

    def read_beside(self, text: Json, other: Json | None, most: int) -> tuple[Results, tuple[Hit, ...] | Unmeant]:
        """The page of the articles that `text` finds; at most `most` beside it, from what the clause `other` finds.

        `other` is searched in the same requests and by itself, so it must exclude what `text` finds. It gives no row to
        a story that has one on this page or on a later one. An error of it costs the page nothing.
        """
        query = self.query(text)
        picking = self.by_story and self._start + self.size <= _PICKED
        requests = [self._first(query) if picking else self._page(query)]
        if aggs := self._aggregations():
            requests.append(self._counts(query, aggs))
        whole = len(requests) - 1
        if self.with_facets:
            requests += self._counts_apart(text)
        apart = [self._beside(other)] if other else []
        answers = self._search([*apart, *requests], optional=len(apart))
        beside, answers = answers[: len(apart)], answers[len(apart) :]
        shown = picks(answers[0])
        if picking:
            shown = self._stories(query, shown)
        if self.by_story:
            shown = self._originals(query, shown)
        counts: Mapping[str, Any] = answers[whole].get("aggregations", {})
        results = Results(
            answers[whole]["hits"]["total"]["value"],
            (),
            max(answer["took"] for answer in answers),
            counts["stories"]["value"] if self.by_story else None,
            facets=self._counting.read([answer["aggregations"] for answer in answers[whole:]])
            if self.with_facets
            else (),
        )
        failed = next((not_searched(reason(answer)) for answer in beside if "error" in answer), None)
        found = [pick for answer in beside if not failed for pick in picks(answer)]
        page, others = self._completed(results, shown, self._picked_beside(found, shown)[:most], query, counts)
        return page, failed or others

    def _beside(self, clause: Json) -> Request:
        """The search for what is not on a page; a slice that fails is an error of it."""
        body = {"query": clause, "size": _BESIDE, "track_total_hits": False, **UNREAD}
        return self.names.articles, body | {WHOLE: True}

    def _picked_beside(self, found: Sequence[Pick], shown: Sequence[Pick]) -> list[Pick]:
        """Those that can stand beside the rows shown: with a row for each story the best one of each other story."""
        if not self.by_story:
            return [*found]
        stories = {pick.story for pick in shown}
        best = {pick.story: pick for pick in reversed(found) if pick.story not in stories}
        originals = [pick for pick in found if not pick.original]
        return in_place_of([*best.values()][::-1], originals)

    @property
    def _counting(self) -> facets.Counting:
        return facets.Counting(self.parsed, self.all_of, self.zone)

    def _counts_apart(self, text: Json) -> list[Request]:
        """The searches that count the values of facets over what is found without their own filters."""
        return [
            self._counts(replace(self, parsed=parsed).query(text), self._counting.aggregations_apart(name))
            for name, parsed in self._counting.apart.items()
        ]

    def _first(self, query: Json) -> Request:
        """The search for the first articles, from which `_stories` picks.

        Elasticsearch's `collapse` would look up the story of every matching article, which takes seven seconds for a
        million, and every article matches the front page.
        """
        return self.names.articles, self._ordered(query) | {"size": self._first_articles}

    def _page(self, query: Json) -> Request:
        """The search for the articles of this page, or for the best article of each of its stories."""
        body = self._ordered(query) | {"size": self.size, "from": self._start}
        if self.by_story:
            body["collapse"] = {"field": "story_id"}
        return self.names.articles, body

    @property
    def _start(self) -> int:
        """Place of the page's first row in the list that `_ordered` gives."""
        return max(0, self.offset - self.moved.moved) if self.moved else self.offset

    def _ordered(self, query: Json) -> Json:
        by_score = self.sort == "relevance"
        if self.moved:
            raised = [*self.moved.raised]
            shown = {"terms": {"story_id": raised}} if self.by_story else {"ids": {"values": raised}}
            query = {"bool": {"must": [query], "must_not": [shown]}}
        return {
            "query": ranked(self.parsed, query, self.now) if by_score else query,
            "sort": order(self.sort),
            "track_total_hits": not (self.with_facets or self.by_story),  # those counts include the total
            "track_scores": by_score,
            WHOLE: any("knn" in clause for clause in self.scores),  # else a slice that can't would lack its rows
            **UNREAD,
        }

    @property
    def _first_articles(self) -> int:
        return ARTICLES_A_STORY * (self._start + self.size)

    def _stories(self, query: Json, first: Sequence[Pick]) -> list[Pick]:
        """The best article of each story on this page, among the `first` articles; among all if those don't suffice."""
        best: dict[str, Pick] = {}
        for pick in first:
            best.setdefault(pick.story, pick)
        end = self._start + self.size
        if len(best) < end and len(first) == self._first_articles:
            return picks(self._search([self._page(query)])[0])
        return list(best.values())[self._start : end]

    def _aggregations(self) -> Json:
        """What to count over all results."""
        aggs = self._counting.aggregations() if self.with_facets else {}
        if self.by_story:
            aggs["stories"] = {"cardinality": {"field": "story_id", "precision_threshold": 3_000}}
        return aggs

    def _counts(self, query: Json, aggs: Json) -> Request:
        """A search without hits: Elasticsearch caches its answer for each month that does not change."""
        unscored = {**query["bool"], "should": []}
        return self.names.articles, {"query": {"bool": unscored}, "size": 0, "track_total_hits": True, "aggs": aggs}

    def _originals(self, query: Json, shown: list[Pick]) -> list[Pick]:
        """The picks with each copy replaced by its original, if the query finds that too.

        A copy has its text from the original and often a title of its own, which may say the words better.
        """
        wanted = sorted({pick.original for pick in shown if pick.original})
        if not wanted:
            return shown
        these = {"bool": {"filter": [{"ids": {"values": wanted}}, query]}}
        request = self.names.articles, {"query": these, "size": len(wanted), "track_total_hits": False, **UNREAD}
        return in_place_of(shown, picks(self._search([request])[0]))

    def _completed(
        self, results: Results, shown: Sequence[Pick], beside: Sequence[Pick], query: Json, counts: Mapping[str, Any]
    ) -> tuple[Results, tuple[Hit, ...]]:
        """The results with marked articles, and with sizes and sources of stories and the timeline, if requested.

        Then the articles beside them, without those whose story `query` finds on a later page.
        """
        stories = sorted({pick.story for pick in (*shown, *beside)})
        range_ = facets.time_range(counts) if self.with_facets else None
        scale = facets.scale(range_, self.parsed, self.now, self.zone) if range_ else None
        extras = self._extras(stories, query, scale)
        by_meaning = self.meant is not None and not self.offset  # later pages have the order of the words
        reading = Reading(self.parsed, self.names, loose=bool(self.except_), with_meaning=by_meaning)
        loose = replace(reading, loose=True)
        requests = [*reading.requests(shown), *loose.requests(beside)]
        answers = self._search([*requests, *extras.values()], optional=len(requests)) if requests or extras else []
        by_name = dict(zip(extras, answers[len(requests) :], strict=True))
        read = self._read_without_marks(requests, answers[: len(requests)])
        sizes, told = self._sizes(by_name), self._facts(stories, by_name)
        return replace(
            results,
            hits=reading.hits(shown, read, sizes, told),
            timeline=self._timeline(scale, by_name, counts, results.total),
        ), loose.hits([pick for pick in beside if pick.story not in sizes], read, sizes, told)

    def _extras(self, stories: Sequence[str], query: Json, scale: facets.Scale | None) -> dict[str, Request]:
        """Name → search, for what can only be requested once the page's stories and the range of time are known."""
        extras: dict[str, Request] = {}
        if self.by_story and stories:
            extras["sizes"] = self._sizes_search(stories, query)
        if self.with_story and stories:
            extras["story"] = self.names.articles, facts_search(stories)
        line = facets.histogram(scale) if scale else None
        if line:
            extras["line"] = self._counts(query, {"timeline": line})
        return extras

    def _timeline(
        self, scale: facets.Scale | None, by_name: Mapping[str, Answer], counts: Mapping[str, Any], total: int
    ) -> Timeline:
        if scale is None:
            return Timeline()
        steps = by_name["line"]["aggregations"]["timeline"] if "line" in by_name else counts["days"]
        return facets.timeline(steps["buckets"], scale, total)

    def _read_without_marks(self, requests: Sequence[Request], answers: Sequence[Answer]) -> list[Answer]:
        """The answers; articles that could not be marked are read again without marks."""
        failed = [request for request, answer in zip(requests, answers, strict=True) if "error" in answer]
        again = self._search([unmarked_request(request) for request in failed]) if failed else []
        return [*(answer for answer in answers if "error" not in answer), *again]

    def _sizes_search(self, stories: Sequence[str], query: Json) -> Request:
        """The search for the number of each story's matching articles; inner hits would cost a search per story."""
        counted = {"matching": {"terms": {"field": "story_id", "include": [*stories], "size": len(stories)}}}
        shown = {"bool": {"filter": [{"terms": {"story_id": [*stories]}}, query]}}
        return self.names.articles, {"query": shown, "size": 0, "track_total_hits": False, "aggs": counted}

    def _sizes(self, by_name: Mapping[str, Answer]) -> Mapping[str, int]:
        """Story → number of matching articles, if requested."""
        if "sizes" not in by_name:
            return {}
        return {b["key"]: b["doc_count"] for b in by_name["sizes"]["aggregations"]["matching"]["buckets"]}

    def _facts(self, stories: Sequence[str], by_name: Mapping[str, Answer]) -> Mapping[str, StoryFacts]:
        """Story → its facts, if requested. An incomplete answer is requested again in pages."""
        if "story" not in by_name:
            return {}
        if further_facts(by_name["story"]):
            return story_facts(self.es, self.names.articles, stories, lacking=self.lacking)
        return facts_of(stories, [by_name["story"]])

    def _search(self, requests: Sequence[Request], *, optional: int = 0) -> list[Answer]:
        """The answers. The first `optional` ones may be errors, as an article that can't be marked is shown anyway."""
        index, typed = self.names.articles, self.parsed.query
        return ask_all(self.es, index, typed, requests, optional=optional, lacking=self.lacking)
