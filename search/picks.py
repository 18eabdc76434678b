"""The articles that a page of results shows: chosen by their doc values, then read and marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from newswatch.article import Article, Meaning
from newswatch.problems import Problem, report_problem
from newswatch.topics import Topics
from search import highlight, marking
from search.asked import wording_of
from search.asking import WHOLE, Answer, Request
from search.marking import Opening, StandIn, opening, stand_ins
from search.meant import Meant
from search.results import Copy, Hit
from search.story_view import StoryFacts
from search.syntax import Parsed
from search.words import Wording, wording
from store.article_documents import from_document
from store.elastic.documents import Hit as StoredHit
from store.elastic.documents import load, readable
from store.names import Names
from transforms.encoder import DIMENSIONS, unpacked

Json = dict[str, Any]

_AT_ONCE: Final = 10
"""Articles of a page in one search: each search uses one thread per slice, and most articles are in one slice."""
UNREAD: Final[Json] = {
    "_source": False,
    "stored_fields": "_none_",
    "docvalue_fields": ["seq", "story_id", "language", "duplicate_of"],
}
"""What a search asks for so that `picks` can read its answer. Doc values only: even the id is in a compressed block
with the text, slower to unpack than the search."""


_FOR_INDEXING: Final = ["gist", "lines", "scores", "story_terms", "bands"]
"""What only the index, or placing an article in a story, reads."""
UNSHOWN: Final[Json] = {"excludes": ["meaning", *_FOR_INDEXING]}
"""What nobody reads of an article that is shown."""


class Pick(NamedTuple):
    """An article to show: where it is and how to mark it. The article itself is read later."""

    index_name: str
    seq: int
    story: str
    analyzer: str
    score: float
    original: str | None = None
    """Id of the article that it is a copy of."""
    copy: Pick | None = None
    """The copy that ranked higher, in whose place it is shown."""


def picks(answer: Mapping[str, Any]) -> list[Pick]:
    """The articles of an answer to a search with `UNREAD`, in its order; one without a number is reported."""
    found = []
    for hit in answer["hits"]["hits"]:
        values = hit.get("fields", {})
        if not values.get("seq"):
            subject = f"{hit['_index']}/{hit.get('_id', 'one without a number')}"
            report_problem(Problem("document", subject, "it has no ingest number (seq)"))
            continue
        seq, language = values["seq"][0], values.get("language", (None,))[0]
        story = values.get("story_id", (f"of {seq}",))[0]  # an article without a story is its own
        place = hit["_index"], seq, story, highlight.analyzer_of(language), float(hit["_score"] or 0.0)
        found.append(Pick(*place, original=values.get("duplicate_of", (None,))[0]))
    return found


def in_place_of(copies: Sequence[Pick], originals: Sequence[Pick]) -> list[Pick]:
    """The picks with each copy replaced by its story's original, if that is among `originals`."""
    by_story = {pick.story: pick for pick in originals}
    return [
        by_story[pick.story]._replace(score=pick.score, copy=pick) if pick.original and pick.story in by_story else pick
        for pick in copies
    ]


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads the picks of a page, and marks in each what the query says, by the analyzer of its language."""

    parsed: Parsed
    names: Names
    loose: bool
    """Mark words that merely begin alike, too."""
    with_meaning: bool = False
    """Read the vectors, too."""

    def requests(self, shown: Sequence[Pick]) -> list[Request]:
        """The searches that read the picked articles, each for one analyzer."""
        groups: dict[str, list[Pick]] = defaultdict(list)
        has_words = bool(self.parsed.text.strip())
        for pick in (one for both in shown for one in (both, both.copy) if one):
            groups[pick.analyzer if has_words else ""].append(pick)
        requests: list[Request] = []
        for analyzer, group in groups.items():
            by_stems = self._is_by_stems(analyzer)
            clauses = marking.clauses(self.parsed, analyzer, loose=self.loose, by_stems=by_stems) if has_words else []
            marks = highlight.marking(clauses, analyzer, by_stems=by_stems) if clauses else {}
            at_once = max(_AT_ONCE, len(group) // _AT_ONCE)  # for a thousand, ten requests rather than a hundred
            for start in range(0, len(group), at_once):
                some = group[start : start + at_once]
                these = {"bool": {"filter": [{"terms": {"seq": [pick.seq for pick in some]}}]}}
                source = {"excludes": _FOR_INDEXING} if self.with_meaning else UNSHOWN
                body = {"query": these, "size": len(some), "track_total_hits": False, "_source": source, WHOLE: True}
                requests.append((sorted({pick.index_name for pick in some}), body | marks))
        return requests

    def hits(
        self,
        shown: Sequence[Pick],
        answers: Sequence[Answer],
        sizes: Mapping[str, int],
        facts: Mapping[str, StoryFacts],
    ) -> tuple[Hit, ...]:
        """The picked articles, in order; one that a newer version has replaced meanwhile is left out.

        The answers may hold articles that others have picked: these are not read.
        """
        wanted = {one.seq for both in shown for one in (both, both.copy) if one}
        found = [hit for answer in answers for hit in answer["hits"]["hits"] if not _is_anothers(hit, wanted)]
        meanings = {hit["_id"]: meant for hit, meant in readable(found, _meant)}
        articles = {int(hit["_source"]["seq"]): (hit, article) for hit, article in readable(found, _numbered)}
        said, hits = self._said(), []
        for pick in shown:
            if pick.seq in articles:
                hit, article = articles[pick.seq]
                marked, story = said.marked(hit, article), pick.story
                counts = sizes.get(story, 1), facts.get(story, StoryFacts())
                names = said.stand_ins(article, marked)
                indexed_at = _moment(hit["_source"].get("indexed_at"))
                is_copied = pick.copy and pick.copy.seq in articles
                copy = said.copy(marked, *articles[pick.copy.seq]) if pick.copy and is_copied else None
                shown_marks, meant = _shown(marked), meanings.get(article.id)
                row = Hit(article, pick.score, shown_marks, pick.seq, *counts, indexed_at, names, copy, meant)
                hits.append(replace(row, opening=said.opening(article, marked)) if self.with_meaning else row)
        return tuple(hits)

    def _is_by_stems(self, analyzer: str) -> bool:
        """Whether what the query says is marked by the stems of this analyzer alone."""
        return bool(self.parsed.words) and not self.loose and marking.are_by_stems(wording(self.parsed.words), analyzer)

    def _said(self) -> _Said:
        asked = wording_of(self.parsed, self.names) if self.parsed.words else None
        return _Said(asked, self.names.shown_topics(), marking.acronyms(self.parsed), cache(self._is_by_stems))


@dataclass(frozen=True, slots=True)
class _Said:
    """What of a query articles say: made once for the rows of a page."""

    asked: Wording | None
    """None for a query that is not of plain words."""
    topics: Topics
    acronyms: Sequence[str]
    is_by_stems: Callable[[str], bool]
    """Whether texts of an analyzer are marked by their stems alone."""

    def copy(self, marked: highlight.Marks, hit: StoredHit, article: Article) -> Copy | None:
        """The copy, if its title says what the title shown does not."""
        title = next(iter(self.marked(hit, article).get("title", ())), "")
        said = _marked_words(next(iter(marked.get("title", ())), ""))
        return Copy(article, title) if _marked_words(title) - said else None

    def marked(self, hit: StoredHit, article: Article) -> highlight.Marks:
        """The article's marked texts."""
        texts = {"title": article.title, "summary": article.summary, "text": article.text}
        marks = highlight.with_acronyms(highlight.marked(hit), texts, self.acronyms)
        if self.asked and self.is_by_stems(highlight.analyzer_of(article.language)):
            return marking.with_lacking(self.asked, marks, texts)
        return marks

    def stand_ins(self, article: Article, marked: highlight.Marks) -> tuple[StandIn, ...]:
        """What stands for the words that the article does not have."""
        return stand_ins(self.asked, article, self.topics, marked) if self.asked else ()

    def opening(self, article: Article, marked: highlight.Marks) -> Opening:
        """How much the article says first."""
        return opening(self.asked, article, self.topics, marked) if self.asked else Opening()


def _is_anothers(hit: StoredHit, wanted: Collection[int]) -> bool:
    seq = hit["_source"].get("seq")
    return isinstance(seq, int) and seq not in wanted


def unmarked_request(request: Request) -> Request:
    """The same request without marks, for an article that can't be marked."""
    index, body = request
    return index, {name: part for name, part in body.items() if name not in ("highlight", WHOLE)}


def _marked_words(text: str) -> set[str]:
    plain, spans = highlight.unmarked(text)
    return {plain[start:end].casefold() for start, end in spans}


def _shown(marked: highlight.Marks) -> highlight.Marks:
    """The whole title, and passages of the other fields."""
    shown = {field: whole if field == "title" else highlight.fragments(whole[0]) for field, whole in marked.items()}
    return {field: parts for field, parts in shown.items() if parts}


def _moment(written: Any) -> datetime | None:
    """A time in a document; None for what is none, which concerns nobody but its own line on the page."""
    try:
        moment = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _numbered(article_id: str, document: Mapping[str, Any]) -> Article:
    """The article of a document that has an ingest number, without its vector."""
    int(document["seq"])
    return from_document(article_id, {name: value for name, value in document.items() if name != "meaning"})


def _meant(_id: str, document: Mapping[str, Any]) -> Meant | None:
    """What the article of a document means; read apart, so that an unreadable vector does not cost the page its row."""
    if not document.get("meaning"):
        return None
    meaning = load(Meaning, document["meaning"])
    vector = unpacked(meaning.vector)
    if vector and len(vector) != DIMENSIONS:
        raise ValueError(f"its vector has {len(vector)} numbers instead of {DIMENSIONS}")
    return Meant(vector, meaning.by) if vector else None
