"""Text with marks: where the query matches, and where the evidence of a tag stands. Pure; everything is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from newswatch.article import Article, TextField
from search.highlight import unmarked
from transforms import sentences
from transforms.fold import fold
from web.topic_styles import topic_class

_SNIPPET = 220
"""Characters."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters `start:end` of a text, and why they are marked."""

    start: int
    end: int
    kind: str
    """"q" for the query, else the topic whose evidence it is."""
    label: str = ""
    """Told when one points at it."""
    anchor: str = ""


def evidence_marks(article: Article, field: TextField, *, anchors: bool = False) -> list[Mark]:
    """The evidence of the article's tags in one of its fields; where two tags share characters, both are told."""
    together: dict[tuple[int, int], list[str]] = {}
    for tag in article.tags:
        for evidence in tag.evidence:
            if evidence.field == field:
                together.setdefault((evidence.start, evidence.end), []).append(tag.tag)
    return [
        Mark(
            start,
            end,
            tags[0].split("/")[0],
            f"evidence for {', '.join(dict.fromkeys(tags))}",
            anchor_of(field, start) if anchors else "",
        )
        for (start, end), tags in sorted(together.items())
    ]


def anchor_of(field: str, start: int) -> str:
    """The element id of the evidence that begins there."""
    return f"e-{field}-{start}"


def marked(text: str, marks: Iterable[Mark], start: int = 0, end: int | None = None) -> Markup:
    """The characters `start:end` of the text as HTML, with its marks; marks may overlap."""
    end = len(text) if end is None else end
    shown = [m for m in marks if m.start < end and m.end > start]
    if not shown:
        return escape(text[start:end])
    edges = sorted({start, end, *(min(max(e, start), end) for m in shown for e in (m.start, m.end))})
    opened: set[str] = set()
    pieces = [_piece(text[a:b], [m for m in shown if m.start <= a and m.end >= b], opened) for a, b in pairwise(edges)]
    return Markup("".join(pieces))  # noqa: S704 - each was escaped


def _piece(text: str, marks: Sequence[Mark], opened: set[str]) -> str:
    """As HTML, put together from escaped parts as plain strings: `Markup.format` took an eighth of a page's time."""
    html = str(escape(text))
    if any(m.kind == "q" for m in marks):
        html = f'<mark class="q">{html}</mark>'
    for m in [m for m in marks if m.kind != "q"][:1]:
        # An id stands once in a page, though a mark that crosses another is in several pieces.
        anchor = f' id="{escape(m.anchor)}"' if m.anchor and m.anchor not in opened else ""
        opened.add(m.anchor)
        html = f'<mark class="ev ev-{topic_class(m.kind)}" title="{escape(m.label)}"{anchor}>{html}</mark>'
    return html


def query_marks(fragment: str, base: int = 0) -> list[Mark]:
    """The marks in a fragment that Elasticsearch highlighted, moved by `base`."""
    return [Mark(start + base, end + base, "q") for start, end in unmarked(fragment)[1]]


def whole(article: Article, field: TextField, highlighted: Sequence[str], *, anchors: bool = False) -> Markup:
    """A field in full, `highlighted` whole by Elasticsearch or not at all."""
    return marked(getattr(article, field), _marks(article, field, highlighted, anchors))


def paragraphs(article: Article, highlighted: Sequence[str]) -> Iterator[Markup]:
    """The text's paragraphs."""
    marks = _marks(article, "text", highlighted, anchors=True)
    at = 0
    for line in article.text.split("\n"):
        if line.strip():
            yield marked(article.text, marks, at, at + len(line))
        at += len(line) + 1


def _marks(article: Article, field: TextField, highlighted: Sequence[str], anchors: bool) -> list[Mark]:
    fits = bool(highlighted) and unmarked(highlighted[0])[0] == getattr(article, field)
    found = query_marks(highlighted[0]) if fits else []
    return [*evidence_marks(article, field, anchors=anchors), *found]


def snippets(article: Article, highlights: dict[str, tuple[str, ...]]) -> list[Markup]:
    """A line or two that show why the article is here: where the query matches, else some evidence, else its start."""
    for field in ("text", "summary"):
        if highlights.get(field):
            return [_fragment(article, field, part) for part in highlights[field][:2]]
    for tag in sorted(article.tags, key=lambda tag: tag.level != "main"):
        for evidence in tag.evidence:
            if evidence.field != "title":
                start, end = _around(getattr(article, evidence.field), evidence.start, evidence.end)
                return [_cut(getattr(article, evidence.field), evidence_marks(article, evidence.field), start, end)]
    text = article.summary or article.text
    return [_cut(text, [], *_around(text, 0, 0))] if text else []


def _cut(text: str, marks: list[Mark], start: int, end: int) -> Markup:
    """The piece of the text, with an ellipsis where its paragraph goes on."""
    before = "… " if start > 0 and text[start - 1] != "\n" else ""
    after = " …" if end < len(text) and text[end] != "\n" else ""
    return escape(before) + marked(text, marks, start, end) + after


def _fragment(article: Article, field: TextField, fragment: str) -> Markup:
    plain, _ = unmarked(fragment)
    text = getattr(article, field)
    at = text.find(plain)
    if at < 0:
        return marked(plain, query_marks(fragment))
    return marked(text, [*evidence_marks(article, field), *query_marks(fragment, at)], at, at + len(plain))


def _around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence or so around `start:end`; a long sentence is cut between words."""
    line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    first = max(line_start, _sentence_start(text, line_start, start))
    if start - first > _SNIPPET:
        first = text.find(" ", start - _SNIPPET // 2, start) + 1 or start - _SNIPPET // 2
    last = min(line_end, max(end, first + _SNIPPET))
    if last < line_end:
        last = max(text.rfind(" ", end, last), end) if " " in text[end:last] else last
    return first, last


def _sentence_start(text: str, line_start: int, place: int) -> int:
    """Where the sentence begins that has the character at `place`."""
    folded = fold(text[line_start:place])
    starts = [folded.original(*span)[0] for span in sentences.spans(folded.text + "x")]
    return line_start + (starts[-1] if starts else 0)
