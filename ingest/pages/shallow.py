"""Makes a page shallow that is nested deeper than libxml2 reads; it stops there, and all that follows is lost. Pure.

Tags that are never closed add up: three hundred `<span>` of a menu, and the article behind it is too deep.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

MOST: Final = 60
"""How deep the tags that count are kept. Of those that don't count, at most three stand between two that do."""
_TAG: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<raw>script|style|textarea|title)\b.*?(?:</(?P=raw)\s*>|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-z][a-z0-9:-]*)(?P<rest>[^<>]*)>",
    re.IGNORECASE | re.DOTALL,
)
_UNCOUNTED: Final = frozenset(
    {"html", "head", "body", "p", "li", "dd", "dt", "tr", "td", "th", "tbody", "thead", "tfoot", "option"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "article", "main", "time", "a"}
    | {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
"""Elements that have no end tag, or that their neighbours close; and those that say what a text is, which stay."""


def shallow(page: str) -> str:
    """`page` without the tags of elements that lie more than `MOST` deep; what stands in them stays."""
    open_: list[tuple[str, bool]] = []
    names: Counter[str] = Counter()

    def kept(tag: re.Match[str]) -> str:
        name = (tag["name"] or "").lower()
        if not name or name in _UNCOUNTED or tag["rest"].endswith("/"):
            return tag[0]
        if not tag["end"]:
            open_.append((name, len(open_) < MOST))
            names[name] += 1
            return tag[0] if open_[-1][1] else " "
        if not names[name]:
            return tag[0]
        while open_:
            closed, is_kept = open_.pop()
            names[closed] -= 1
            if closed == name:
                return tag[0] if is_kept else " "
        return tag[0]

    return _TAG.sub(kept, page)
