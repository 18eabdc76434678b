"""Highlighting: Elasticsearch's fragments of an article, with the matching characters marked."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from store.indices.mapping import ANALYZERS, UNSTEMMED
from transforms import sentences
from transforms.fold import INVISIBLE, folded

MARK_START, MARK_END = "\ue000", "\ue001"
"""Around a highlighted term: private-use characters, which publishers' texts hardly ever contain."""
_MARKS = re.compile(f"([{MARK_START}{MARK_END}])")
_SET = f"[{re.escape(INVISIBLE)}]+"
_ANY = re.compile(f"[{re.escape(INVISIBLE)}]")
"""Found or not in a seventh of the time that `_AT_EDGES` takes; most texts have none."""
_AT_EDGES = re.compile(f"(?P<start>{MARK_START})(?P<first>{_SET})|(?P<last>{_SET})(?P<end>{MARK_END})")
_FIELDS = ("title", "summary", "text")
_CHARACTERS = 220
"""Characters of a passage, about two lines; it ends with a sentence."""
_LONGEST = 300
"""Characters of a passage whose first sentence is longer."""
_LONG_WORD = 40
_FRAGMENTS = 2
_PARTS = re.compile(r"[,;:،؛，；：—–]\s*|\s[-(]")
"""Where a part of a sentence begins."""
_ANALYSED = 900_000
"""Characters of a text to highlight. Beyond a million, Elasticsearch would refuse the whole request."""

Spans = tuple[tuple[int, int], ...]
Marks = dict[str, tuple[str, ...]]
"""Field → its marked text, or its marked passages."""


def analyzer_of(language: str | None) -> str:
    """The analyzer of articles in a language."""
    return ANALYZERS.get(language or "", UNSTEMMED)


def highlighting(analyzer: str, *, whole: bool = False, by_stems: bool = False) -> dict[str, Any]:
    """The `highlight` clause for articles of this analyzer; matches in the stemmed copy are marked too.

    It returns fragments of summary and text, or both in full with `whole`. Each text is analysed once for each field
    that it is matched by, which takes most of the time, so not twice by the same analyzer; `by_stems`, only as the
    stemmed copy is.
    """
    also = [] if analyzer == UNSTEMMED else [f"stemmed.{analyzer}"]
    fields = {
        field: {
            "matched_fields": also if by_stems and also else [field, *also],
            "number_of_fragments": 0 if whole or field == "title" else 2,
        }
        for field in _FIELDS
    }
    marks = {"pre_tags": [MARK_START], "post_tags": [MARK_END]}
    shape = {"fragment_size": _CHARACTERS, "order": "score", "max_analyzed_offset": _ANALYSED}
    return {"type": "unified", "fields": fields, **marks, **shape}


def marking(clauses: Sequence[Mapping[str, Any]], analyzer: str, *, by_stems: bool = False) -> dict[str, Any]:
    """The part of a search that marks what each of the clauses finds, in full texts of this analyzer.

    Each clause is marked by itself: a text that has only one of two words is marked too.
    """
    query = {"bool": {"should": [*clauses]}}
    return {"highlight": {**highlighting(analyzer, whole=True, by_stems=by_stems), "highlight_query": query}}


def searched_fields(analyzer: str, *, by_stems: bool = False) -> list[str]:
    """The fields that have the words of an article of this analyzer; `by_stems`, the one that has their stems."""
    return [*([] if by_stems else _FIELDS), f"stemmed.{analyzer}"]


def marked(hit: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Field → its fragments."""
    return {name: tuple(map(tight, parts)) for name, parts in hit.get("highlight", {}).items()}


def with_acronyms(marks: Mapping[str, tuple[str, ...]], texts: Mapping[str, str], acronyms: Sequence[str]) -> Marks:
    """The marks of full texts, with every acronym marked that stands there in capitals. Pure."""
    if not acronyms:
        return dict(marks)
    written = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, acronyms)) + r")(?!\w)")
    result = dict(marks)
    for field, text in texts.items():
        plain, spans = unmarked(marks[field][0]) if marks.get(field) else (text, ())
        if found := [match.span() for match in written.finditer(plain)]:
            result[field] = (with_marks(plain, joined([*spans, *found])),)
    return result


def with_words(marks: Mapping[str, tuple[str, ...]], texts: Mapping[str, str], tokens: Sequence[str]) -> Marks:
    """The marks of full texts, with each of the words marked, which are given as `search.words.tokens_of` has them."""
    result = dict(marks)
    for field, text in texts.items():
        said = [token for token in tokens if token in folded(text).text]  # most rows have none, and this is fast
        if not said:
            continue
        plain, spans = unmarked(marks[field][0]) if marks.get(field) else (text, ())
        whole, written = folded(plain), r"(?<![^\W_])(?:" + "|".join(map(re.escape, said)) + r")(?![^\W_])"
        if found := [whole.original(*match.span()) for match in re.finditer(written, whole.text)]:
            result[field] = (with_marks(plain, joined([*spans, *found])),)
    return result


def with_marks(plain: str, spans: Spans) -> str:
    """The inverse of `unmarked`. Pure."""
    pieces, end = [], 0
    for start, stop in spans:
        pieces += [plain[end:start], MARK_START, plain[start:stop], MARK_END]
        end = stop
    return "".join([*pieces, plain[end:]])


def fragments(whole: str) -> tuple[str, ...]:
    """The two passages of a marked text that show most of its marks, in their order; none without marks. Pure.

    A passage begins with a sentence and goes on to the end of one, as far as there is room. Where the first mark is too
    far into a long sentence, the passage begins at the part of the sentence that has it.
    """
    broken, spans = unmarked(whole)
    if not spans:
        return ()
    plain = sentences.unwrapped(broken)
    bounds = [*sentences.places(plain)]
    starts = [start for start, _ in bounds]
    words: dict[int, set[str]] = defaultdict(set)  # by number of the sentence
    for start, end in spans:
        words[bisect_right(starts, start) - 1].add(plain[start:end].casefold())
    best = [(-len(said), *bounds[number]) for number, said in words.items()]
    chosen: list[tuple[int, int]] = []
    for _, start, _ in sorted(best):
        passage = _passage(plain, spans, bounds, start)
        if all(passage[1] <= a or b <= passage[0] for a, b in chosen):
            chosen.append(passage)
        if len(chosen) == _FRAGMENTS:
            break
    return tuple(_between(plain, spans, start, end) for start, end in sorted(chosen))


def _passage(plain: str, spans: Spans, bounds: Sequence[tuple[int, int]], start: int) -> tuple[int, int]:
    """Start and end of a passage that begins with the sentence from `start`."""
    number = next(n for n, bound in enumerate(bounds) if bound[0] == start)
    end = bounds[number][1]
    while number + 1 < len(bounds) and bounds[number + 1][1] - start <= _CHARACTERS and plain[end - 1] != "\n":
        number += 1
        end = bounds[number][1]
    if end - start > _LONGEST:
        mark = next(a for a, b in spans if a >= start)
        if mark - start > _CHARACTERS:
            parts = [part.end() for part in _PARTS.finditer(plain, start, mark) if mark - part.end() <= _CHARACTERS]
            start = parts[0] if parts else plain.rfind(" ", start, mark - _CHARACTERS // 2) + 1
        end = min(end, _word_end(plain, start + _LONGEST))
    return start, start + len(plain[start:end].rstrip())


def _word_end(plain: str, place: int) -> int:
    blank = plain.find(" ", place)
    return blank if 0 <= blank < place + _LONG_WORD else min(place, len(plain))


def _between(plain: str, spans: Spans, start: int, end: int) -> str:
    inside = tuple((max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start)
    return with_marks(plain[start:end], inside)


def tight(fragment: str) -> str:
    """The fragment, with invisible characters at a term's edges moved outside its marks. Pure.

    Elasticsearch includes them in the term that they touch. A mark that ended after the end of a right-to-left isolate
    would be displayed in the wrong place.
    """
    if _ANY.search(fragment) is None:
        return fragment
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
