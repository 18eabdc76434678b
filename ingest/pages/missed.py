"""Adds the paragraphs of a page that the extractor missed: those beside the ones it took, and the standfirst. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lxml import etree

from ingest.pages.prose import MAX_CHILDREN, holds_block, is_sentence, key, visible_text

Path = tuple[tuple[str, str], ...]
"""Name and class of an element and of each ancestor, from the element up."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of the page and its position in the tree."""

    text: str
    path: Path
    """Element and class of it and of each ancestor: the same for all paragraphs of one template slot."""


def lines_of(tree: etree._Element) -> list[str]:
    """The innermost blocks of the page as lines, in order."""
    elements = tree.iter("p", "div", "h2", "h3", "section", "header", "footer", "li", "span", "strong")
    return [visible_text(element) for element in elements if len(element) <= MAX_CHILDREN and not holds_block(element)]


def paragraphs_of(tree: etree._Element) -> list[Paragraph]:
    """The paragraphs of at least 40 characters that are not links, in order."""
    paragraphs = []
    for element in tree.iter("p"):
        text = visible_text(element)
        if len(text) >= 40 and sum(len(visible_text(a)) for a in element.iter("a")) < 0.5 * len(text):
            paragraphs.append(Paragraph(text, _path(element)))
    return paragraphs


def _path(element: etree._Element) -> Path:
    steps = []
    for each in (element, *element.iterancestors()):
        if each.tag in ("body", "html"):
            break
        steps.append((str(each.tag), each.get("class") or ""))
    return tuple(steps)


def complete(text: str, paragraphs: Sequence[Paragraph], at_least: int = 300) -> str:
    """`text` with the paragraphs of the page that the extractor missed.

    A page may split its article over several similar containers, with advertisements in between, and an extractor that
    chooses one of them loses the rest. So paragraphs in the same slot as most of the extracted ones are added, and also
    those directly around that container: the free first paragraphs before those that only subscribers see.
    """
    lines = text.split("\n")
    where = {key(line): number for number, line in enumerate(lines)}
    whole = key(text)
    extracted = Counter[Path]()
    for paragraph in paragraphs:
        its_key = key(paragraph.text)
        if its_key in where or its_key in whole:
            extracted[paragraph.path] += len(paragraph.text)
    slots = {path for path, size in extracted.items() if size > 0.25 * extracted.total()}
    around = {(slot[0], *slot[up:]) for slot in slots for up in (2, 3)}
    missing: defaultdict[int, list[str]] = defaultdict(list)
    last = -1
    for paragraph in paragraphs:
        its_key = key(paragraph.text)
        if its_key in where:
            last = where[its_key]
        elif its_key not in whole and (
            paragraph.path in slots or (last < 0 and paragraph.path in around and is_sentence(paragraph.text))
        ):
            missing[last].append(paragraph.text)
    if sum(len(line) for lost in missing.values() for line in lost) < at_least:
        return text
    merged = list(missing[-1])
    for number, line in enumerate(lines):
        merged += [line, *missing[number]]
    return "\n".join(merged)


def with_standfirst(text: str, descriptions: Iterable[str], lines: Iterable[str]) -> str:
    """`text` preceded by the page's standfirst, if the extractor missed it.

    The standfirst is the line of the page that repeats the page's description.
    """
    openings = [opening for opening in (key(description)[:50] for description in descriptions) if len(opening) >= 25]
    if not openings:
        return text
    whole = key(text)
    for line in lines:
        its_key = key(line)
        if len(its_key) >= 60 and its_key in whole:
            return text  # the article has begun
        if 30 <= len(line) <= 1_200 and any(opening in its_key[: len(opening) + 25] for opening in openings):
            said = its_key in whole or any(whole.startswith(opening) for opening in openings)
            return text if said else f"{line}\n{text}"
    return text
