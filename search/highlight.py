"""Where an article matches: fragments with their matching characters marked, as Elasticsearch gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.mapping import ANALYZERS, UNSTEMMED

MARK_START, MARK_END = "\ue000", "\ue001"
"""Around a highlighted term: private-use characters, which no publisher's text holds."""
_FIELDS = ("title", "summary", "text")
_CHARACTERS = 220
"""About two lines; a fragment ends with a sentence."""
_ANALYSED = 900_000
"""Elasticsearch refuses to highlight a text beyond a million characters, and with it the whole request."""
_AT_ONCE = 10
"""Articles: a slice is worked on by one thread for each request, and what is found mostly lies in one."""

Spans = tuple[tuple[int, int], ...]


def analyzer_of(language: str | None) -> str:
    """The analyzer that an article in this language is searched with."""
    return ANALYZERS.get(language or "", UNSTEMMED)


def highlighting(analyzer: str, *, whole: bool = False) -> dict[str, Any]:
    """The `highlight` clause for articles of this analyzer: what their stemmed copy matches is marked too.

    Fragments of summary and text, or each `whole`.
    """
    fields = {
        field: {
            "matched_fields": [field, f"stemmed.{analyzer}"],
            "number_of_fragments": 0 if whole or field == "title" else 2,
        }
        for field in _FIELDS
    }
    marks = {"pre_tags": [MARK_START], "post_tags": [MARK_END]}
    shape = {"fragment_size": _CHARACTERS, "order": "score", "max_analyzed_offset": _ANALYSED}
    return {"type": "unified", "fields": fields, **marks, **shape}


def requests(
    query: Mapping[str, Any], articles: Iterable[tuple[str, str | None, str]], *, whole: bool = False
) -> list[tuple[list[str], dict[str, Any]]]:
    """The searches that mark what `query` finds in articles (id, language, index), and where: each for one analyzer.

    The articles of a list are known to match: to find them by their ids is enough, and in their own slices. One that is
    shown `whole` may not, and then it is not found.
    """
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for article_id, language, index in articles:
        groups[analyzer_of(language)].append((article_id, index))
    some = [
        (analyzer, places[at : at + _AT_ONCE])
        for analyzer, places in groups.items()
        for at in range(0, len(places), _AT_ONCE)
    ]
    asked = []
    for analyzer, places in some:
        ids = {"ids": {"values": [article_id for article_id, _ in places]}}
        narrowed = _narrowed(query, analyzer)
        body = {
            "query": {"bool": {"filter": [ids], "must": [narrowed] if whole else []}},
            "size": len(places),
            "_source": False,
            "track_total_hits": False,
            "highlight": {**highlighting(analyzer, whole=whole), "highlight_query": narrowed},
        }
        asked.append((sorted({index for _, index in places}), body))
    return asked


def _narrowed(query: Mapping[str, Any], analyzer: str) -> dict[str, Any]:
    """The query on the fields that articles of this analyzer have: the others can't match, but cost."""
    fields = [*_FIELDS, f"stemmed.{analyzer}"]
    return {kind: {**clause, **({"fields": fields} if "fields" in clause else {})} for kind, clause in query.items()}


def found(answers: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Article id → field → its fragments; an article whose highlighting failed has none."""
    hits = (hit for answer in answers for hit in answer.get("hits", {}).get("hits", []))
    return {hit["_id"]: {name: tuple(parts) for name, parts in hit.get("highlight", {}).items()} for hit in hits}


def unmarked(fragment: str) -> tuple[str, Spans]:
    """The fragment without its marks, and the places they stood around; marks that touch are one. Pure.

    A publisher's text can hold the marking characters too: they are dropped, and if that leaves marks unbalanced, the
    fragment has none rather than wrong ones.
    """
    plain: list[str] = []
    spans: list[tuple[int, int]] = []
    start = -1
    for character in fragment:
        if character == MARK_START and start < 0:
            start = len(plain)
        elif character == MARK_END and start >= 0:
            spans.append((start, len(plain)))
            start = -1
        elif character in (MARK_START, MARK_END):
            return fragment.replace(MARK_START, "").replace(MARK_END, ""), ()
        else:
            plain.append(character)
    return "".join(plain), joined(spans) if start < 0 else ()


def joined(spans: Sequence[tuple[int, int]]) -> Spans:
    """The spans in order, those that touch or overlap as one, empty ones left out."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and whole[-1][1] >= start:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        elif end > start:
            whole.append((start, end))
    return tuple(whole)
