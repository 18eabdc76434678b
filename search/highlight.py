"""Highlighting: Elasticsearch's fragments of an article, with the matching characters marked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from store.mapping import ANALYZERS, UNSTEMMED
from transforms.fold import INVISIBLE

MARK_START, MARK_END = "\ue000", "\ue001"
"""Around a highlighted term: private-use characters, which publishers' texts hardly ever contain."""
_MARKS = re.compile(f"([{MARK_START}{MARK_END}])")
_SET = f"[{re.escape(INVISIBLE)}]+"
_AT_EDGES = re.compile(f"(?P<start>{MARK_START})(?P<first>{_SET})|(?P<last>{_SET})(?P<end>{MARK_END})")
_FIELDS = ("title", "summary", "text")
_CHARACTERS = 220
"""Characters of a fragment, about two lines; it ends with a sentence."""
_ANALYSED = 900_000
"""Characters of a text to highlight. Beyond a million, Elasticsearch would refuse the whole request."""

Spans = tuple[tuple[int, int], ...]


def analyzer_of(language: str | None) -> str:
    """The analyzer of articles in a language."""
    return ANALYZERS.get(language or "", UNSTEMMED)


def highlighting(analyzer: str, *, whole: bool = False) -> dict[str, Any]:
    """The `highlight` clause for articles of this analyzer; matches in the stemmed copy are marked too.

    It returns fragments of summary and text, or both in full with `whole`.
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
    """The part of a search that marks the matches of `query` in articles of this analyzer."""
    return {"highlight": {**highlighting(analyzer, whole=whole), "highlight_query": narrowed(query, analyzer)}}


def narrowed(query: Mapping[str, Any], analyzer: str) -> dict[str, Any]:
    """The query, limited to the fields that articles of this analyzer have: the others can't match, but take time."""
    fields = {"fields": [*_FIELDS, f"stemmed.{analyzer}"]}
    return {kind: {**clause, **fields} if "fields" in clause else {**clause} for kind, clause in query.items()}


def marked(hit: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Field → its fragments."""
    return {name: tuple(map(tight, parts)) for name, parts in hit.get("highlight", {}).items()}


def tight(fragment: str) -> str:
    """The fragment, with invisible characters at a term's edges moved outside its marks. Pure.

    Elasticsearch includes them in the term that they touch. A mark that ended after the end of a right-to-left isolate
    would be displayed in the wrong place.
    """
    return _AT_EDGES.sub(
        lambda edge: f"{edge['first'] or ''}{edge['start'] or edge['end']}{edge['last'] or ''}", fragment
    )


def unmarked(fragment: str) -> tuple[str, Spans]:
    """The fragment without marks, and the marked spans; adjacent ones are joined. Pure.

    A publisher's text may contain the marking characters too. They are dropped; if the marks don't pair up, the
    fragment has none, rather than wrong ones.
    """
    plain: list[str] = []
    spans: list[tuple[int, int]] = []
    start, offset = -1, 0
    for piece in _MARKS.split(tight(fragment)):
        if piece == MARK_START and start < 0:
            start = offset
        elif piece == MARK_END and start >= 0:
            spans.append((start, offset))
            start = -1
        elif piece in (MARK_START, MARK_END):
            return fragment.replace(MARK_START, "").replace(MARK_END, ""), ()
        else:
            plain.append(piece)
            offset += len(piece)
    return "".join(plain), joined(spans) if start < 0 else ()


def joined(spans: Sequence[tuple[int, int]]) -> Spans:
    """The spans in order, with adjacent and overlapping ones joined, and without empty ones."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and whole[-1][1] >= start:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        elif end > start:
            whole.append((start, end))
    return tuple(whole)
