"""Cleaning: what is no part of an article's words is taken out before anything reads them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from newswatch.article import Article

# C0 and C1 controls, non-characters, byte order marks and the controls of bidirectional text; not newline and tab.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]")


def clean_text(text: str) -> str:
    """`text` in Unicode's NFC, without control characters, a single blank between words, one newline per paragraph."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", text).split("\n"))
    return "\n".join(line for line in lines if line)


def clean_line(text: str) -> str:
    """`text` cleaned, on one line."""
    return clean_text(text).replace("\n", " ")


def clean(article: Article) -> Article:
    """`article` with its title on one line, and its summary and text cleaned."""
    return replace(
        article, title=clean_line(article.title), summary=clean_text(article.summary), text=clean_text(article.text)
    )
