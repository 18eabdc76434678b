"""Searching the articles, in Lucene's syntax and with short filters (see `search.syntax`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from elastic_transport import ApiResponseMeta
from elasticsearch import ApiError, Elasticsearch, NotFoundError

from newswatch.article import Article
from newswatch.errors import QueryError
from newswatch.problems import Problem, report_problem
from search import facets, highlight
from search.asking import TIMEOUT, answering, ask, explain_refusal, impatient, refused, too_slow, verdict
from search.facets import Facet, Timeline
from search.highlight import MARK_END, MARK_START
from search.limits import check_cost, check_length
from search.lucene import as_lucene
from search.story_view import further_sources, independent_sources, sources_asked, sources_told
from search.syntax import Parsed, clauses, parse
from store.documents import from_document, readable
from store.mapping import DEFAULT_FIELDS, fields_of
from store.names import Names

__all__ = ["MARK_END", "MARK_START", "Hit", "Results", "Sort", "explain_refusal", "find", "text_query"]

Sort = Literal["relevance", "time"]
Json = dict[str, Any]

MAX_WINDOW = 10_000
"""How deep a page can lie: Elasticsearch's own limit; `search.export` goes to the end."""
_PICKED = 500
"""Rows, to the end of the page, up to which the stories are picked from the first articles."""
_ARTICLES_A_STORY = 6
"""So many articles are looked through for each row: few stories have more among the first."""
_AT_ONCE = 10
"""Articles of a page read by one request: a slice is worked on by one thread for each, and most lie in one slice."""
_HALF_LIFE = "30d"
"""By then half of what newness adds is gone; what is ages old still counts half of what is new."""
_ELISION = re.compile(r"\b(?:[cdjlmnst]|qu)['’](?=\w)", re.IGNORECASE)
_SMALL = """
    a an and at by for from in into of off on or over that the to under with against is are was as
    à au aux avec ce ces contre dans de des du en et la le les leur par pour sur un une
    als am an auf aus bei das dem den der des die ein eine einem einen einer für gegen im in ist mit nach und vom von
    zu zum zur al con contra de del el en los las por para que se una y
    alla allo che col con contro da dal dei del della delle di gli il lo nel nella per su un una
    ao aos com da das do dos em na nas no nos o os pela pelo een het met op te tegen tot van voor
"""
_FUNCTION_WORDS = frozenset(_SMALL.split())
"""As written in the middle of a sentence: IS is a group, is is a word."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article found; for its story, if one row per story was asked for."""

    article: Article
    score: float
    highlights: Mapping[str, tuple[str, ...]]
    """Field → fragments, the terms between `MARK_START` and `MARK_END`."""
    seq: int = 0
    """Its ingest number."""
    matching: int = 1
    """How many articles of the story the query finds, if one row per story was asked for."""
    sources: int = 1
    """How many independent sources the story has, if that was asked for."""


@dataclass(frozen=True, slots=True)
class Results:
    """One page of what was found."""

    total: int
    """Articles."""
    hits: tuple[Hit, ...]
    took_ms: int
    stories: int | None = None
    """How many stories they belong to, if that was asked for: close to exact up to 3,000, then within some percent."""
    relaxed: bool = False
    """No article has all the words: these have most of them."""
    facets: tuple[Facet, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)


def text_query(query: str, fields: Sequence[str] = DEFAULT_FIELDS) -> Json:
    """The clause for a query in Lucene's syntax: every word must be there, in the title, the text, or a stemmed form.

    Saved searches, `newswatch search` and (by its advanced setting) Kibana use this same clause.

    Raises:
        TooCostlyError: the query asks for more than one query may (`search.limits`).
    """
    check_length(query)
    query = as_lucene(query)
    check_cost(query)
    if not query.strip() or query.strip() == "*":
        return {"match_all": {}}
    return {
        "query_string": {
            "query": query,
            "fields": list(fields),
            "default_operator": "AND",
            "analyze_wildcard": True,
            "lenient": False,
            "time_zone": "UTC",
        }
    }


def filled_fields(es: Elasticsearch, names: Names, parsed: Parsed) -> list[str]:
    """The default fields that articles asked for have: the others cost more than the search itself."""
    languages = [f.values for f in parsed.of("lang") if not f.negated]
    if languages:
        return list(fields_of(frozenset(highlight.analyzer_of(language.lower()) for language in languages[0])))
    filled = es.field_caps(index=names.articles, fields="stemmed.*", include_empty_fields=False)["fields"]
    return list(fields_of(frozenset(name.removeprefix("stemmed.") for name in filled)))


def most_words(words: Sequence[str], fields: Sequence[str] = DEFAULT_FIELDS) -> Json:
    """The clause for articles that have two of the words at least, and two in five where there are many.

    Articles and prepositions don't count, in whichever language: each analyzer knows only those of its own.
    """
    bare = [_ELISION.sub("", word) for word in words]
    telling = [word for word in bare if word not in _FUNCTION_WORDS]
    query = {"query": " ".join(telling or bare), "fields": list(fields)}
    return {"multi_match": query | {"operator": "or", "minimum_should_match": "2<2 5<40%"}}


def _pieces(words: Sequence[str]) -> list[str]:
    """The words, compounds in pieces: who types "Anti-IS-Koalition" is content with an article that lacks "anti"."""
    return [piece for word in words for piece in word.split("-") if piece]


def to_query(parsed: Parsed, now: datetime, text: Json | None = None) -> Json:
    """The whole query: its words (or `text` in their place) and its short filters."""
    must, must_not = clauses(parsed, now)
    return {"bool": {"must": [text or text_query(parsed.text)], "filter": must, "must_not": must_not}}


def order(sort: Sort) -> list[Json]:
    """Best or newest first; what is equal in that, latest ingested first."""
    return [{"time": "desc"}, {"seq": "desc"}] if sort == "time" else [{"_score": "desc"}, {"time": "desc"}]


def with_recency(query: Json, now: datetime) -> Json:
    """The query with its scores lowered by age, and raised by a quarter for what is nobody's copy."""
    decay = {"exp": {"time": {"origin": now.isoformat(), "offset": "1d", "scale": _HALF_LIFE, "decay": 0.5}}}
    own = {"filter": {"bool": {"must_not": [{"exists": {"field": "duplicate_of"}}]}}, "weight": 0.25}
    functions = [{"weight": 0.5}, decay | {"weight": 0.5}, own]
    return {"function_score": {"query": query, "functions": functions, "score_mode": "sum", "boost_mode": "multiply"}}


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
    with_sources: bool = False,
    now: datetime | None = None,
) -> Results:
    """The articles that `query` finds, newest first or best first.

    Where no article has all of three or more plain words, those that have most of them are found: see `relaxed`.

    Raises:
        QueryError: the query can't be parsed (the message says where), asks for too much or takes too long.
        StoreError: Elasticsearch is in trouble of its own.
    """
    parsed, now = parse(query), now or datetime.now(UTC)
    page = _Page(es, names, parsed, now, size, offset, sort, by_story, with_facets, with_sources)
    try:
        return page.find()
    except NotFoundError:
        if not es.indices.exists_alias(name=names.articles):
            return Results(0, (), 0)  # no article was ever indexed
        return page.find()  # meanwhile a new generation took over, whose slices have other names


def whole_text(es: Elasticsearch, names: Names, query: str, article: Article) -> Mapping[str, tuple[str, ...]]:
    """Title, summary and text of the article in full, with what the query finds in them marked; without them, nothing.

    Raises:
        QueryError: the query can't be parsed; the message says where.
    """
    parsed = parse(query)
    if not parsed.text.strip():
        return {}
    words, analyzer = _pieces(parsed.words), highlight.analyzer_of(article.language)
    this = {"ids": {"values": [article.id]}}
    texts = [text_query(parsed.text), *([most_words(words)] if len(words) > 2 else [])]
    for text in texts:
        asked = {"bool": {"filter": [this], "must": [highlight.narrowed(text, analyzer)]}}
        marks = highlight.marking(text, analyzer, whole=True)
        hits = ask(es, names.articles, query, query=asked, source=False, **marks)["hits"]["hits"]
        if hits:
            return highlight.marked(hits[0])
    return {}


Request = tuple[str | Sequence[str], Json]
"""Where to search, and the body."""


class _Pick(NamedTuple):
    """An article that is to be shown: what tells where it is and how it is marked, without reading it."""

    place: str
    """The index that holds it."""
    seq: int
    story: str
    analyzer: str
    score: float


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a search: what is found and how much, then what can be asked only once that is known."""

    es: Elasticsearch
    names: Names
    parsed: Parsed
    now: datetime
    size: int
    offset: int
    sort: Sort
    by_story: bool
    with_facets: bool
    with_sources: bool

    def find(self) -> Results:
        fields = filled_fields(self.es, self.names, self.parsed) if self.parsed.text.strip() else []
        results = self._read(text_query(self.parsed.text, fields))
        if results.total == 0 and len(words := _pieces(self.parsed.words)) > 2:
            results = self._read(most_words(words, fields))
            return replace(results, relaxed=results.total > 0)
        return results

    def _read(self, text: Json) -> Results:
        query = to_query(self.parsed, self.now, text)
        counted = self._counted()
        first = self.by_story and self.offset + self.size <= _PICKED
        asked = [
            self._first(query) if first else self._page(query),
            *([self._counts(query, counted)] if counted else []),
        ]
        answers = self._ask(asked)
        picks = _picks(answers[0])
        if first:
            picks = self._stories(query, picks)
        counts: Mapping[str, Any] = answers[-1].get("aggregations", {})
        results = Results(
            answers[-1]["hits"]["total"]["value"],
            (),
            max(answer["took"] for answer in answers),
            counts["stories"]["value"] if self.by_story else None,
            facets=facets.read(counts) if self.with_facets else (),
        )
        return self._completed(results, picks, query, text, counts)

    def _first(self, query: Json) -> Request:
        """The first articles, for the stories to be picked from them here.

        Elasticsearch would look up the story of every article found: seven seconds for a million, and the front page
        finds all.
        """
        return self.names.articles, self._ordered(query) | {"size": self._looked_through}

    def _page(self, query: Json) -> Request:
        """The articles of this page, or the best of each of its stories."""
        shown = {"size": self.size, "from": self.offset}
        return self.names.articles, self._ordered(query) | shown | (
            {"collapse": {"field": "story_id"}} if self.by_story else {}
        )

    def _ordered(self, query: Json) -> Json:
        # Even an article's id lies in a packed block with its text: to unpack one for each takes longer than to search.
        unread = {"_source": False, "stored_fields": "_none_", "docvalue_fields": ["seq", "story_id", "language"]}
        by_score = self.sort == "relevance"
        return {
            "query": with_recency(query, self.now) if by_score else query,
            "sort": order(self.sort),
            "track_total_hits": not (self.with_facets or self.by_story),  # which count
            "track_scores": by_score,
            **unread,
        }

    @property
    def _looked_through(self) -> int:
        return _ARTICLES_A_STORY * (self.offset + self.size)

    def _stories(self, query: Json, first: Sequence[_Pick]) -> list[_Pick]:
        """The best article of each story on this page, of the first that were found; if they are of too few, of all."""
        best: dict[str, _Pick] = {}
        for pick in first:
            best.setdefault(pick.story, pick)
        if len(best) < self.offset + self.size and len(first) == self._looked_through:
            return _picks(self._ask([self._page(query)])[0])
        return list(best.values())[self.offset : self.offset + self.size]

    def _counted(self) -> Json:
        """What is counted over all that is found."""
        stories = {"stories": {"cardinality": {"field": "story_id", "precision_threshold": 3_000}}}
        return (facets.aggregations() if self.with_facets else {}) | (stories if self.by_story else {})

    def _counts(self, query: Json, aggs: Json) -> Request:
        """A request apart from the hits': Elasticsearch keeps such answers, month by month as long as none changes."""
        return self.names.articles, {"query": query, "size": 0, "track_total_hits": True, "aggs": aggs}

    def _completed(
        self, results: Results, picks: Sequence[_Pick], query: Json, text: Json, counts: Mapping[str, Any]
    ) -> Results:
        """With the articles themselves, marked; with sizes and sources of stories and the time-line, if asked for."""
        stories = sorted({pick.story for pick in picks})
        range_ = facets.time_range(counts) if self.with_facets else None
        scale = facets.scale(range_, self.parsed, self.now) if range_ else None
        line = facets.histogram(scale) if scale else None
        asked: dict[str, Request] = {}
        if self.by_story and picks:
            asked["sizes"] = self._sizes(stories, query)
        if self.with_sources and picks:
            asked["sources"] = self.names.articles, sources_asked(stories)
        if line:
            asked["line"] = self._counts(query, {"timeline": line})
        shown = self._shown(picks, None if "match_all" in text else text)
        answers = self._ask([*shown, *asked.values()], optional=len(shown)) if shown or asked else []
        told = dict(zip(asked, answers[len(shown) :], strict=True))
        results = replace(results, hits=self._hits(picks, shown, answers[: len(shown)], told, stories))
        if scale:
            steps = told["line"]["aggregations"]["timeline"] if line else counts["days"]
            results = replace(results, timeline=facets.timeline(steps["buckets"], scale, results.total))
        return results

    def _shown(self, picks: Sequence[_Pick], text: Json | None) -> list[Request]:
        """The searches for the articles picked, with what `text` finds in them marked: each for one analyzer."""
        groups: dict[str, list[_Pick]] = defaultdict(list)
        for pick in picks:
            groups[pick.analyzer if text else ""].append(pick)
        asked: list[Request] = []
        for analyzer, group in groups.items():
            at_once = max(_AT_ONCE, len(group) // _AT_ONCE)  # of a thousand, ten requests rather than a hundred
            for at in range(0, len(group), at_once):
                some = group[at : at + at_once]
                these = {"bool": {"filter": [{"terms": {"seq": [pick.seq for pick in some]}}]}}
                body = {"query": these, "size": len(some), "track_total_hits": False}
                marks = highlight.marking(text, analyzer) if text else {}
                asked.append((sorted({pick.place for pick in some}), body | marks))
        return asked

    def _hits(
        self,
        picks: Sequence[_Pick],
        shown: Sequence[Request],
        answers: Sequence[Mapping[str, Any]],
        told: Mapping[str, Mapping[str, Any]],
        stories: Sequence[str],
    ) -> tuple[Hit, ...]:
        """The articles picked, in their order; one that a newer version has replaced meanwhile is left out."""
        unmarked = [
            (index, {name: part for name, part in body.items() if name != "highlight"})
            for (index, body), answer in zip(shown, answers, strict=True)
            if "error" in answer
        ]
        whole = [answer for answer in answers if "error" not in answer] + (self._ask(unmarked) if unmarked else [])
        hits = (hit for answer in whole for hit in answer["hits"]["hits"])
        by_seq = {int(hit["_source"]["seq"]): (hit, article) for hit, article in readable(hits, _numbered)}
        sizes = _buckets(told["sizes"]["aggregations"]["matching"]) if "sizes" in told else {}
        sources = self._sources(stories, told["sources"]) if "sources" in told else {}
        return tuple(
            Hit(
                found[1],
                pick.score,
                highlight.marked(found[0]),
                pick.seq,
                sizes.get(pick.story, 1),
                sources.get(pick.story, 1),
            )
            for pick in picks
            if (found := by_seq.get(pick.seq))
        )

    def _sizes(self, stories: Sequence[str], query: Json) -> Request:
        """How many articles of each story shown are found: by inner hits, each would cost a search of its own."""
        counted = {"matching": {"terms": {"field": "story_id", "include": [*stories], "size": len(stories)}}}
        shown = {"bool": {"filter": [{"terms": {"story_id": [*stories]}}, query]}}
        return self.names.articles, {"query": shown, "size": 0, "track_total_hits": False, "aggs": counted}

    def _sources(self, stories: Sequence[str], answer: Mapping[str, Any]) -> Mapping[str, int]:
        """How many independent sources each story has; more than one answer holds are asked for apart."""
        if further_sources(answer):
            return independent_sources(self.es, self.names.articles, stories)
        return sources_told(stories, [answer])

    def _ask(self, requests: Sequence[Request], *, optional: int = 0) -> list[Mapping[str, Any]]:
        """The answers; the first `optional` of them may be errors: an article that can't be marked is shown unmarked.

        Raises:
            QueryError, NotFoundError, StoreError: the first of those it did not answer, and why.
        """
        lines = [line for index, body in requests for line in ({"index": index}, body | {"timeout": TIMEOUT})]
        with answering(self.es, self.names.articles, self.parsed.query):
            answer = impatient(self.es).msearch(searches=lines)
        answers: list[Mapping[str, Any]] = [_whole(one) for one in answer["responses"]]
        if len(answers) != len(requests):
            raise AssertionError(f"{len(requests)} questions to _msearch, {len(answers)} answers")
        for one in answers[optional:]:
            if "error" in one:
                raise self._refusal(one, answer.meta)
        return answers

    def _refusal(self, answer: Mapping[str, Any], meta: ApiResponseMeta) -> Exception:
        """What a search by itself would have raised for such an answer."""
        status, query = int(answer["status"]), self.parsed.query
        if status == HTTPStatus.BAD_REQUEST:
            return QueryError(refused(query, answer["error"]))
        if status == HTTPStatus.GATEWAY_TIMEOUT:
            return too_slow(query)
        told = str(answer["error"].get("reason") or answer["error"].get("type"))
        if status == HTTPStatus.NOT_FOUND:
            return NotFoundError(told, replace(meta, status=status), dict(answer))
        return verdict(self.es, self.names.articles, query, ApiError(told, replace(meta, status=status), dict(answer)))


def _whole(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer; an error in its place if it holds only what was found by the time-out."""
    if not answer.get("timed_out"):
        return answer
    return {"status": int(HTTPStatus.GATEWAY_TIMEOUT), "error": {"type": "timeout", "reason": "it took too long"}}


def _buckets(answer: Mapping[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["buckets"]}


def _picks(answer: Mapping[str, Any]) -> list[_Pick]:
    picks = []
    for hit in answer["hits"]["hits"]:
        values = hit.get("fields", {})
        if not values.get("seq"):
            subject = f"{hit['_index']}/{hit.get('_id', 'one without a number')}"
            report_problem(Problem("document", subject, "it has no ingest number (seq)"))
            continue
        seq, language = values["seq"][0], values.get("language", (None,))[0]
        story = values.get("story_id", (f"of {seq}",))[0]  # an article without a story is one
        picks.append(_Pick(hit["_index"], seq, story, highlight.analyzer_of(language), float(hit["_score"] or 0.0)))
    return picks


def _numbered(article_id: str, document: Mapping[str, Any]) -> Article:
    """The article of a document that has an ingest number."""
    int(document["seq"])
    return from_document(article_id, document)
