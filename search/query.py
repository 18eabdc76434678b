"""Searches the articles, by Lucene's syntax and short filters (see `search.syntax`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from elastic_transport import ApiResponseMeta
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.errors import QueryError
from newswatch.problems import Problem, report_problem
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
from search.asking import TIMEOUT, Answer, answering, ask, explain_refusal, impatient, refused, too_slow, verdict
from search.facets import Facet, Timeline
from search.highlight import MARK_END, MARK_START
from search.marking import StandIn, stand_ins
from search.ranking import any_word, scores
from search.story_view import StoryFacts, facts_of, facts_search, further_facts, story_facts
from search.syntax import Own, Parsed
from store.documents import Hit as StoredHit
from store.documents import from_document, readable
from store.names import Names

__all__ = ["MARK_END", "MARK_START", "Hit", "Results", "Sort", "explain_refusal", "find", "text_query"]

Json = dict[str, Any]

MAX_WINDOW = 10_000
"""Maximum offset of a page, which is Elasticsearch's limit; `search.export` has none."""
_PICKED = 500
"""Last row of a page up to which stories are picked from the first articles."""
_ARTICLES_A_STORY = 6
"""Articles requested for each row: few stories have more among the first articles."""
_AT_ONCE = 10
"""Articles of a page in one search: each search uses one thread per slice, and most articles are in one slice."""
_FILLED_UP_TO = 20
"""Rows up to which a short list is filled up."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article in the results; with one row per story, it stands for its story."""

    article: Article
    score: float
    highlights: Mapping[str, tuple[str, ...]]
    """Field → the whole title, or passages, with the matching terms between `MARK_START` and `MARK_END`."""
    seq: int = 0
    """Its ingest number."""
    matching: int = 1
    """Number of the story's articles that the query finds, if one row per story was requested."""
    story: StoryFacts = field(default_factory=StoryFacts)
    """All of its story, if requested."""
    indexed_at: datetime | None = None
    """When this version of it was indexed."""
    stand_ins: tuple[StandIn, ...] = ()
    """What stands in the article for words of the query that it does not have."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of results."""

    total: int
    """Number of articles that the query finds."""
    hits: tuple[Hit, ...]
    took_ms: int
    stories: int | None = None
    """Number of their stories, if requested: nearly exact up to 3,000, then within a few percent."""
    relaxed: bool = False
    """No article has all the words; these have most of them."""
    filled: int | None = None
    """Place in `hits` from which on they have only some of the words; `total` does not count them. None: none such."""
    facets: tuple[Facet, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)


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
) -> Results:
    """The articles that `query` finds, newest first or best first.

    If no article has all of the plain words, those with most of them are returned: see `relaxed`. A first page that is
    not full, best first, is filled up with those that have some: see `filled`. Facets count their most frequent values;
    the one named by `all_of`, up to `facets.MOST_VALUES`.
    `reader` is who asks, for filters such as `is:new`.

    Raises:
        QueryError: the query can't be parsed (the message says where), exceeds a limit or takes too long.
        StoreError: Elasticsearch is unavailable.
    """
    parsed, now = understood(query, names), now or datetime.now(UTC)
    own = personal.clauses(es, names, reader, parsed, now)
    page = _Page(es, names, parsed, now, size, offset, sort, by_story, with_facets, with_story, all_of, own)
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


Request = tuple[str | Sequence[str], Json]
"""The index or indices to search, and the body."""


class _Pick(NamedTuple):
    """An article to show: where it is and how to mark it. The article itself is read later."""

    index_name: str
    seq: int
    story: str
    analyzer: str
    score: float


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
        picks = _picks(answers[0])
        if picking:
            picks = self._stories(query, picks)
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
        return self._completed(results, picks, query, counts)

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
        # Read doc values only: even the id is in a compressed block with the text, slower to unpack than the search.
        unread = {"_source": False, "stored_fields": "_none_", "docvalue_fields": ["seq", "story_id", "language"]}
        by_score = self.sort == "relevance"
        return {
            "query": ranked(self.parsed, query, self.now) if by_score else query,
            "sort": order(self.sort),
            "track_total_hits": not (self.with_facets or self.by_story),  # those counts include the total
            "track_scores": by_score,
            **unread,
        }

    @property
    def _first_articles(self) -> int:
        return _ARTICLES_A_STORY * (self.offset + self.size)

    def _stories(self, query: Json, first: Sequence[_Pick]) -> list[_Pick]:
        """The best article of each story on this page, among the `first` articles; among all if those don't suffice."""
        best: dict[str, _Pick] = {}
        for pick in first:
            best.setdefault(pick.story, pick)
        if len(best) < self.offset + self.size and len(first) == self._first_articles:
            return _picks(self._search([self._page(query)])[0])
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

    def _completed(self, results: Results, picks: Sequence[_Pick], query: Json, counts: Mapping[str, Any]) -> Results:
        """The results with marked articles, and with sizes and sources of stories and the timeline, if requested."""
        stories = sorted({pick.story for pick in picks})
        range_ = facets.time_range(counts) if self.with_facets else None
        scale = facets.scale(range_, self.parsed, self.now) if range_ else None
        extras = self._extras(stories, query, scale)
        reading = self._reading(picks)
        answers = self._search([*reading, *extras.values()], optional=len(reading)) if reading or extras else []
        by_name = dict(zip(extras, answers[len(reading) :], strict=True))
        articles = self._found(reading, answers[: len(reading)])
        return replace(
            results,
            hits=self._hits(picks, articles, self._sizes(by_name), self._facts(stories, by_name)),
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

    def _reading(self, picks: Sequence[_Pick]) -> list[Request]:
        """The searches that read the picked articles and mark what the query says, each for one analyzer."""
        groups: dict[str, list[_Pick]] = defaultdict(list)
        has_words = bool(self.parsed.text.strip())
        for pick in picks:
            groups[pick.analyzer if has_words else ""].append(pick)
        requests: list[Request] = []
        for analyzer, group in groups.items():
            at_once = max(_AT_ONCE, len(group) // _AT_ONCE)  # for a thousand, ten requests rather than a hundred
            for start in range(0, len(group), at_once):
                some = group[start : start + at_once]
                these = {"bool": {"filter": [{"terms": {"seq": [pick.seq for pick in some]}}]}}
                body = {"query": these, "size": len(some), "track_total_hits": False}
                clauses = marking.clauses(self.parsed, analyzer, loose=bool(self.except_)) if has_words else []
                marks = highlight.marking(clauses, analyzer) if clauses else {}
                requests.append((sorted({pick.index_name for pick in some}), body | marks))
        return requests

    def _found(self, reading: Sequence[Request], answers: Sequence[Answer]) -> Mapping[int, tuple[StoredHit, Article]]:
        """Ingest number → article with its hit. Articles that could not be marked are read again without marks."""
        complete = [answer for answer in answers if "error" not in answer]
        failed = [request for request, answer in zip(reading, answers, strict=True) if "error" in answer]
        if failed:
            complete += self._search([(index, _without_highlight(body)) for index, body in failed])
        hits = (hit for answer in complete for hit in answer["hits"]["hits"])
        return {int(hit["_source"]["seq"]): (hit, article) for hit, article in readable(hits, _numbered)}

    def _hits(
        self,
        picks: Sequence[_Pick],
        articles: Mapping[int, tuple[StoredHit, Article]],
        sizes: Mapping[str, int],
        facts: Mapping[str, StoryFacts],
    ) -> tuple[Hit, ...]:
        """The picked articles, in order; one that a newer version has replaced meanwhile is left out."""
        hits = []
        for pick in picks:
            if pick.seq in articles:
                hit, article = articles[pick.seq]
                marked, story = self._marked(hit, article), pick.story
                counts = sizes.get(story, 1), facts.get(story, StoryFacts())
                names = self._stand_ins(article, marked)
                indexed_at = _moment(hit["_source"].get("indexed_at"))
                hits.append(Hit(article, pick.score, _shown(marked), pick.seq, *counts, indexed_at, names))
        return tuple(hits)

    def _marked(self, hit: StoredHit, article: Article) -> highlight.Marks:
        texts = {"title": article.title, "summary": article.summary, "text": article.text}
        return highlight.with_acronyms(highlight.marked(hit), texts, marking.acronyms(self.parsed))

    def _stand_ins(self, article: Article, marked: highlight.Marks) -> tuple[StandIn, ...]:
        if not self.parsed.words:
            return ()
        asked = wording_of(self.parsed, self.names)
        return stand_ins(asked, article, self.names.shown_topics(), marked)

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
        """The answers. The first `optional` ones may be errors, as an article that can't be marked is shown anyway.

        Raises:
            QueryError, NotFoundError, StoreError: why the first failed request failed.
        """
        lines = [line for index, body in requests for line in ({"index": index}, body | {"timeout": TIMEOUT})]
        with answering(self.es, self.names.articles, self.parsed.query):
            response = impatient(self.es).msearch(searches=lines)
        answers = [_complete(answer) for answer in response["responses"]]
        if len(answers) != len(requests):
            raise AssertionError(f"{len(requests)} questions to _msearch, {len(answers)} answers")
        for answer in answers[optional:]:
            if "error" in answer:
                raise self._refusal(answer, response.meta)
        return answers

    def _refusal(self, answer: Answer, meta: ApiResponseMeta) -> Exception:
        """The error that a single search would have raised for the answer."""
        status, query = int(answer["status"]), self.parsed.query
        if status == HTTPStatus.BAD_REQUEST:
            return QueryError(refused(query, answer["error"]))
        if status == HTTPStatus.GATEWAY_TIMEOUT:
            return too_slow(query)
        reason = str(answer["error"].get("reason") or answer["error"].get("type"))
        kind = NotFoundError if status == HTTPStatus.NOT_FOUND else ApiError
        error = kind(reason, replace(meta, status=status), dict(answer))
        return error if status == HTTPStatus.NOT_FOUND else verdict(self.es, self.names.articles, query, error)


def _complete(answer: Answer) -> Answer:
    """The answer; an error instead if the time-out has cut it."""
    if not answer.get("timed_out"):
        return answer
    return {"status": int(HTTPStatus.GATEWAY_TIMEOUT), "error": {"type": "timeout", "reason": "it took too long"}}


def _shown(marked: highlight.Marks) -> highlight.Marks:
    """The whole title, and passages of the other fields."""
    shown = {field: whole if field == "title" else highlight.fragments(whole[0]) for field, whole in marked.items()}
    return {field: parts for field, parts in shown.items() if parts}


def _without_highlight(body: Json) -> Json:
    return {name: part for name, part in body.items() if name != "highlight"}


def _picks(answer: Mapping[str, Any]) -> list[_Pick]:
    picks = []
    for hit in answer["hits"]["hits"]:
        values = hit.get("fields", {})
        if not values.get("seq"):
            subject = f"{hit['_index']}/{hit.get('_id', 'one without a number')}"
            report_problem(Problem("document", subject, "it has no ingest number (seq)"))
            continue
        seq, language = values["seq"][0], values.get("language", (None,))[0]
        story = values.get("story_id", (f"of {seq}",))[0]  # an article without a story is its own
        picks.append(_Pick(hit["_index"], seq, story, highlight.analyzer_of(language), float(hit["_score"] or 0.0)))
    return picks


def _moment(written: Any) -> datetime | None:
    """A time in a document; None for what is none, which concerns nobody but its own line on the page."""
    try:
        moment = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _numbered(article_id: str, document: Mapping[str, Any]) -> Article:
    """The article of a document that has an ingest number."""
    int(document["seq"])
    return from_document(article_id, document)
