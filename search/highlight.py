"""Where an article matches: fragments with their matching characters marked, as Elasticsearch gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from store.mapping import ANALYZERS, UNSTEMMED
from transforms.fold import INVISIBLE

MARK_START, MARK_END = "\ue000", "\ue001"
"""Around a highlighted term: private-use characters, which no publisher's text holds."""
_MARKS = re.compile(f"([{MARK_START}{MARK_END}])")
_SET = f"[{re.escape(INVISIBLE)}]+"
_AT_EDGES = re.compile(f"(?P<start>{MARK_START})(?P<first>{_SET})|(?P<last>{_SET})(?P<end>{MARK_END})")
_FIELDS = ("title", "summary", "text")
_CHARACTERS = 220
"""About two lines; a fragment ends with a sentence."""
_ANALYSED = 900_000
"""Elasticsearch refuses to highlight a text beyond a million characters, and with it the whole request."""

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


def marking(query: Mapping[str, Any], analyzer: str, *, whole: bool = False) -> dict[str, Any]:
    """The part of a search that marks what `query` finds in articles of this analyzer."""
    return {"highlight": {**highlighting(analyzer, whole=whole), "highlight_query": narrowed(query, analyzer)}}


def narrowed(query: Mapping[str, Any], analyzer: str) -> dict[str, Any]:
    """The query on the fields that articles of this analyzer have: the others can't match, but cost."""
    fields = [*_FIELDS, f"stemmed.{analyzer}"]
    return {kind: {**clause, **({"fields": fields} if "fields" in clause else {})} for kind, clause in query.items()}


def marked(hit: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Field → its fragments."""
    return {name: tuple(map(tight, parts)) for name, parts in hit.get("highlight", {}).items()}


def tight(fragment: str) -> str:
    """The fragment with invisible characters at a term's edges outside its marks. Pure.

    To Elasticsearch they belong to the term that they touch; a mark that ends behind the end of a right-to-left isolate
    would be shown in the wrong place.
    """
    return _AT_EDGES.sub(
        lambda found: f"{found['first'] or ''}{found['start'] or found['end']}{found['last'] or ''}", fragment
    )


def unmarked(fragment: str) -> tuple[str, Spans]:
    """The fragment without its marks, and the places they stood around; marks that touch are one. Pure.

    A publisher's text can hold the marking characters too: they are dropped, and if that leaves marks unbalanced, the
    fragment has none rather than wrong ones.
    """
    plain: list[str] = []
    spans: list[tuple[int, int]] = []
    start, at = -1, 0
    for piece in _MARKS.split(tight(fragment)):
        if piece == MARK_START and start < 0:
            start = at
        elif piece == MARK_END and start >= 0:
            spans.append((start, at))
            start = -1
        elif piece in (MARK_START, MARK_END):
            return fragment.replace(MARK_START, "").replace(MARK_END, ""), ()
        else:
            plain.append(piece)
            at += len(piece)
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
