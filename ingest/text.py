"""Markup to plain text, and language tags to their normal form; the normal form of plain text, for feeds and pages."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Container
from functools import cache
from typing import Any, Final

from newswatch.plain_text import tidy, visible

# fmt: off
_BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "fieldset", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p",
        "pre", "section", "table", "td", "th", "tr", "ul",
    }
)
# fmt: on
_UNSEEN: Final = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object", "textarea"})
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG: Final = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*(?:[:-][A-Za-z0-9-]+)?)(?P<rest>(?:[\s/][^<>]*)?)>|<!--"
)
_LANGUAGE: Final = re.compile(r"^([A-Za-z]{2,3})(?:[-_]|$)")
_END_TAG: Final = re.compile(r"</([A-Za-z][A-Za-z0-9:-]*)")
# fmt: off
_KNOWN: Final = _BLOCKS | frozenset(
    {
        "a", "abbr", "acronym", "audio", "b", "big", "body", "center", "cite", "code", "del", "em", "embed", "font",
        "html", "i", "iframe", "img", "input", "ins", "kbd", "label", "mark", "object", "picture", "q", "s", "samp",
        "script", "small", "source", "span", "strike", "strong", "style", "sub", "sup", "svg", "time", "tt", "u",
        "video", "wbr",
    }
)
# fmt: on
"""Elements that count as such even without an end tag or an attribute."""


class _Collector:
    """Receives libxml2's events; builds no tree, so depth costs nothing."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget the previous text."""
        self._pieces: list[str] = []
        self._unseen = 0

    def start(self, tag: str, _: object) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self._pieces.append("\n")

    def end(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self._pieces.append("\n")

    def data(self, data: str) -> None:
        if not self._unseen:
            self._pieces.append(data)

    def close(self) -> str:
        return "".join(self._pieces)


class _Reader(threading.local):
    """One per thread, because making a parser takes as long as reading a paragraph with it."""

    def __init__(self) -> None:
        from lxml import etree

        collector: Any = _Collector()
        self._collector, self._parser = collector, etree.HTMLParser(target=collector, recover=True)
        self._read = etree.HTML

    def text_of(self, markup: str) -> str:
        self._collector.begin()
        return str(self._read(markup, self._parser))


@cache
def _reader() -> _Reader:
    return _Reader()


def looks_like_markup(text: str) -> bool:
    """Whether `text` contains a tag or a comment; `<We do not pay>` and a single `<a>` are not."""
    if "<" not in text:
        return False
    tags = list(_TAG.finditer(text))
    ends = {name.lower() for name in _END_TAG.findall(text)} if tags else set()
    sure = (tag for tag in tags if _is_tag(tag, ends))
    return any(len(tags) > 1 or tag["rest"] or not tag["name"] or tag["name"].lower() in _BLOCKS for tag in sure)


def _is_tag(tag: re.Match[str], ends: Container[str]) -> bool:
    """Whether it is HTML: a known element, or one with an end tag, an attribute or a prefixed name."""
    name, rest = (tag["name"] or "").lower(), tag["rest"] or ""
    if not name or tag["end"] or name in _KNOWN or name in ends:
        return True
    return ":" in name or "-" in name or "=" in rest or rest.endswith("/")


def _without_false_tags(markup: str) -> str:
    """`markup` with everything that only looks like a tag escaped."""
    ends = {name.lower() for name in _END_TAG.findall(markup)}
    return _TAG.sub(lambda tag: tag[0] if _is_tag(tag, ends) else f"&lt;{tag[0][1:-1]}&gt;", markup)


def from_markup(markup: str) -> str:
    """The text that a reader of this piece of HTML sees: one line per block, without scripts and markup."""
    if "<" not in markup:
        return tidy(html.unescape(markup).replace("\n", " "))
    joined = _without_false_tags(" ".join(visible(markup).split()))
    return tidy(_reader().text_of(f"<body>{joined}"))


_REST: Final = "[\u0080-¿Œ-ž\u02c6-\u2122]"
"""Bytes behind the first one of a character in UTF-8, read as windows-1252."""
_MANGLED: Final = re.compile(
    # A capital that ends a word may stand before a sign: PÅ…, IRMÃ’S, ROMÂ».
    f"(?:(?<![A-Z])[ÂÃ-Å]|[ÂÃ-Å](?![\xa0»‘’“”–—…™])){_REST}|(?:[ÐÑ×ØÙ]{_REST}){{2}}|[à-ï]{_REST}{{2}}"
)
"""What letters and marks look like whose UTF-8 was read as windows-1252."""
_WINDOWS: Final = {ord(bytes([code]).decode("cp1252", "ignore") or chr(code)): code for code in range(256)}
"""Characters of windows-1252 → their byte; five bytes have none, and stand for themselves."""


def unmangled(text: str) -> str:
    """`text` without what comes of UTF-8 that was taken for windows-1252 (`Russiaâ€™s`), if all of it is such text."""
    if text.isascii() or not _MANGLED.search(text):
        return text
    try:
        return bytes(_WINDOWS[ord(char)] for char in text).decode()
    except (KeyError, UnicodeDecodeError):
        return text


def unescape(text: str) -> str:
    """`text` with its character references resolved; a lone ampersand stays."""
    return _ENTITY.sub(lambda match: html.unescape(match.group()), text) if "&" in text else text


def language_of(tag: str | None) -> str | None:
    """The primary subtag of a BCP 47 language tag, in lower case; None if it is not one."""
    match = _LANGUAGE.match((tag or "").strip())
    return match[1].lower() if match else None
