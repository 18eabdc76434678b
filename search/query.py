"""Searches the articles, by Lucene's syntax and short filters (see `search.syntax`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from newswatch.article import Article
from search import facets, highlight, marking, personal
from search.asked import (
    Sort,
    filled_fields,
    has_all,
    most_words,
    order,
    ranked,
    text_query,
    to_query,
    understood,
    wording_of,
)
from search.asking import Answer, Request, ask, ask_all, explain_refusal
from search.facets import Timeline
from search.filter_clauses import Own
from search.filters import ADDING
from search.highlight import MARK_END, MARK_START
from search.meant import encoding
from search.picks import UNREAD, Pick, Reading, in_place_of, picks, unmarked_request
from search.ranking import any_word, scores
from search.results import Hit, Results
from search.similar import nearer_first, refuse_similar, with_similar
from search.story_view import StoryFacts, facts_of, facts_search, further_facts, story_facts
from search.syntax import Parsed
from store.names import Names

__all__ = ["MARK_END", "MARK_START", "Hit", "Results", "Sort", "explain_refusal", "find", "text_query"]

Json = dict[str, Any]

MAX_WINDOW = 10_000
"""Maximum offset of a page, which is Elasticsearch's limit; `search.export` has none."""
_PICKED = 500
"""Last row of a page up to which stories are picked from the first articles."""
_ARTICLES_A_STORY = 6
"""Articles requested for each row: few stories have more among the first articles."""
_FILLED_UP_TO = 20
"""Rows up to which a short list is filled up."""


def find(
    es: Elasticsearch,
    names: Names,
    query: str,
    *,
    size: int = 20,
    offset: int = 0,
    sort: Sort = "relevance",
    by_story: bool = False,
    with_facets: bool = False,
    with_story: bool = False,
    all_of: str | None = None,
    now: datetime | None = None,
    reader: str = "",
    vectors: bool = False,
) -> Results:
    """The articles that `query` finds, newest first or best first.

    If no article has all of the plain words, those with most of them are returned: see `relaxed`. A first page that is
    not full, best first, is filled up with those that have some: see `filled`. Facets count their most frequent values;
    the one named by `all_of`, up to `facets.MOST_VALUES`.
    `reader` is who asks, for filters such as `is:new`. `similar:` needs `vectors`, the setting of that name; with it,
    the first rows are ordered by meaning too.

    Raises:
        QueryError: the query can't be parsed (the message says where), exceeds a limit or takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed, now = understood(query, names), now or datetime.now(UTC)
    own = personal.clauses(es, names, reader, parsed, now)
    page = _Page(es, names, parsed, now, size, offset, sort, by_story, with_facets, with_story, all_of, own)
    if parsed.of("similar"):
        return _with_similar(page, vectors)
    if not (vectors and parsed.words and sort == "relevance" and offset == 0):
        return _found(page)
    with encoding(parsed.words) as meant:
        results = _found(replace(page, with_meaning=True))
    return nearer_first(results, meant())


def _with_similar(page: _Page, vectors: bool) -> Results:
    if page.sort != "relevance":
        refuse_similar(page.parsed, "similar: needs the order by relevance: what it adds is merged by rank.")
    plain = replace(page.parsed, filters=tuple(one for one in page.parsed.filters if one.name not in ADDING))

    def words(size: int, offset: int) -> Results:
        return _found(replace(page, parsed=plain, size=size, offset=offset))

    return with_similar(
        page.es,
        page.names,
        page.parsed,
        words,
        size=page.size,
        offset=page.offset,
        by_story=page.by_story,
        with_story=page.with_story,
        vectors=vectors,
        now=page.now,
        own=page.own,
    )


def _found(page: _Page) -> Results:
    es, names = page.es, page.names
    try:
        return page.find()
    except NotFoundError:
        if not es.indices.exists_alias(name=names.articles):
            return Results(0, (), 0)  # no article was ever indexed
        return page.find()  # an upgrade has replaced a slice meanwhile, so the index names are new


def whole_text(es: Elasticsearch, names: Names, query: str, article: Article) -> Mapping[str, tuple[str, ...]]:
    """Title, summary and text of the article in full, with the query's matches marked; empty without a match.

    Raises:
        QueryError: the query can't be parsed; the message says where.
    """
    parsed, analyzer = understood(query, names), highlight.analyzer_of(article.language)
    clauses = marking.clauses(parsed, analyzer, loose=True) if parsed.text.strip() else []
    if not clauses:
        return {}
    this = {"bool": {"filter": [{"ids": {"values": [article.id]}}]}}
    marks = highlight.marking(clauses, analyzer)
    hits = ask(es, names.articles, query, query=this, source=False, **marks)["hits"]["hits"]
    texts = {"title": article.title, "summary": article.summary, "text": article.text}
    return highlight.with_acronyms(highlight.marked(hits[0]) if hits else {}, texts, marking.acronyms(parsed))


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a search. It first finds the articles and counts, then requests what depends on them."""

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
    with_meaning: bool = False
    """Read the articles' vectors, too."""
    scores: tuple[Json, ...] = ()
    """What gives articles their score, if not the query itself."""
    except_: tuple[Json, ...] = ()
    """What is already on the page."""

    def find(self) -> Results:
        fields = filled_fields(self.es, self.names, self.parsed) if self.parsed.text.strip() else []
        if not self.parsed.words:
            return self._read(text_query(self.parsed.text, fields))
        asked = wording_of(self.parsed, self.names)
        clause = has_all(asked, fields)
        scored = self
        if self.sort == "relevance":
            scored = replace(self, scores=tuple(scores(asked, fields, self.names.shown_topics())))
        results = scored._read(clause)
        if results.total == 0 and len(asked.words) > 1:
            clause = most_words(asked.words, fields)
            results = scored._read(clause)
            results = replace(results, relaxed=results.total > 0, filled=0 if results.total else None)
        return scored._filled_up(results, clause, any_word(asked, fields))

    def _filled_up(self, results: Results, has: Json, some: Json) -> Results:
        """A first page that is not full, best first, with articles below that `has` does not find and `some` does."""
        lacking = min(self.size, _FILLED_UP_TO) - len(results.hits)
        if self.offset or lacking <= 0 or self.sort != "relevance":
            return results
        others = replace(self, with_facets=False, except_=(has, *self._shown_stories(results)))
        more = replace(others, size=lacking)._read(some).hits
        if not more:
            return results
        place = len(results.hits) if results.filled is None else results.filled
        return replace(results, hits=results.hits + more, filled=place)

    def _shown_stories(self, results: Results) -> list[Json]:
        if not self.by_story or not results.hits:
            return []
        return [{"terms": {"story_id": sorted({hit.article.story_id for hit in results.hits})}}]

    def _query(self, text: Json) -> Json:
        """The whole query; if plain words give the score, what they require only filters."""
        query = to_query(self.parsed, self.now, text, self.own)
        clauses = query["bool"]
        clauses["must_not"] = [*clauses["must_not"], *self.except_]
        if self.scores:
            clauses |= {"must": [], "filter": [*clauses["must"], *clauses["filter"]], "should": [*self.scores]}
        return query

    def _read(self, text: Json) -> Results:
        query = self._query(text)
        picking = self.by_story and self.offset + self.size <= _PICKED
        requests = [self._first(query) if picking else self._page(query)]
        if aggs := self._aggregations():
            requests.append(self._counts(query, aggs))
        whole = len(requests) - 1
        if self.with_facets:
            requests += self._counts_apart(text)
        answers = self._search(requests)
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
        return self._completed(results, shown, query, counts)

    @property
    def _counting(self) -> facets.Counting:
        return facets.Counting(self.parsed, self.all_of)

    def _counts_apart(self, text: Json) -> list[Request]:
        """The searches that count the values of facets over what is found without their own filters."""
        return [
            self._counts(replace(self, parsed=parsed)._query(text), self._counting.aggregations_apart(name))
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
        body = self._ordered(query) | {"size": self.size, "from": self.offset}
        if self.by_story:
            body["collapse"] = {"field": "story_id"}
        return self.names.articles, body

    def _ordered(self, query: Json) -> Json:
        by_score = self.sort == "relevance"
        return {
            "query": ranked(self.parsed, query, self.now) if by_score else query,
            "sort": order(self.sort),
            "track_total_hits": not (self.with_facets or self.by_story),  # those counts include the total
            "track_scores": by_score,
            **UNREAD,
        }

    @property
    def _first_articles(self) -> int:
        return _ARTICLES_A_STORY * (self.offset + self.size)

    def _stories(self, query: Json, first: Sequence[Pick]) -> list[Pick]:
        """The best article of each story on this page, among the `first` articles; among all if those don't suffice."""
        best: dict[str, Pick] = {}
        for pick in first:
            best.setdefault(pick.story, pick)
        if len(best) < self.offset + self.size and len(first) == self._first_articles:
            return picks(self._search([self._page(query)])[0])
        return list(best.values())[self.offset : self.offset + self.size]

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

    def _completed(self, results: Results, shown: Sequence[Pick], query: Json, counts: Mapping[str, Any]) -> Results:
        """The results with marked articles, and with sizes and sources of stories and the timeline, if requested."""
        stories = sorted({pick.story for pick in shown})
        range_ = facets.time_range(counts) if self.with_facets else None
        scale = facets.scale(range_, self.parsed, self.now) if range_ else None
        extras = self._extras(stories, query, scale)
        reading = Reading(self.parsed, self.names, loose=bool(self.except_), with_meaning=self.with_meaning)
        requests = reading.requests(shown)
        answers = self._search([*requests, *extras.values()], optional=len(requests)) if requests or extras else []
        by_name = dict(zip(extras, answers[len(requests) :], strict=True))
        read = self._read_without_marks(requests, answers[: len(requests)])
        return replace(
            results,
            hits=reading.hits(shown, read, self._sizes(by_name), self._facts(stories, by_name)),
            timeline=self._timeline(scale, by_name, counts, results.total),
        )

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
            return story_facts(self.es, self.names.articles, stories)
        return facts_of(stories, [by_name["story"]])

    def _search(self, requests: Sequence[Request], *, optional: int = 0) -> list[Answer]:
        """The answers. The first `optional` ones may be errors, as an article that can't be marked is shown anyway."""
        return ask_all(self.es, self.names.articles, self.parsed.query, requests, optional=optional)
