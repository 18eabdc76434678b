"""The lines of a page: which elements are lines, a line's visible text and key, whether it is a sentence. Pure."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

# fmt: off
BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
        "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
    }
)
"""Elements that begin a line of their own."""
# fmt: on
LINES: Final = frozenset({"p", "li", "div", "h2", "h3", "h4", "h5", "h6", "section", "blockquote", "td", "dd"})
"""Elements that may be one line of text."""
MAX_CHILDREN: Final = 12
"""Maximum children of a line; an element with more is a list or a page."""
_NO_LETTER: Final = re.compile(r"[\W_]+")
_STOPS: Final = ".!?…。！？｡．।॥۔؟։።។။།"
"""Characters that end a sentence; also in Hindi, Urdu and Arabic, Armenian, Amharic, Khmer, Burmese and Tibetan."""
_CLOSERS: Final = "」』\"”“»«›‹’‘')）]"
ENDS: Final = tuple(f"{_STOPS}{_CLOSERS}:;؛：；")
"""Characters with which a line of prose ends: a sentence, a quotation, or what leads to a list."""


def key(line: str) -> str:
    """The letters and digits of `line`, for comparison."""
    return _NO_LETTER.sub("", line.lower())


def is_sentence(line: str) -> bool:
    """Whether `line` ends like a sentence, optionally followed by brackets or quotation marks."""
    return line.rstrip(_CLOSERS + " ").endswith(tuple(_STOPS))


def visible_text(element: etree._Element) -> str:
    """The text in `element` on one line."""
    return " ".join("".join(str(piece) for piece in element.itertext()).split())


def holds_block(element: etree._Element) -> bool:
    """Whether an element inside it begins a line of its own."""
    return any(isinstance(inner.tag, str) and inner.tag in BLOCKS for inner in element.iterdescendants())
