"""Plain text in its normal form. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
"""Controls, halves of characters and characters that are none; soft hyphens, zero-width spaces and word joiners, which
would cut words in two, though not the joiners that Persian needs; byte order marks and what turns the text around."""


def visible(text: str) -> str:
    """`text` without characters that nobody sees."""
    return _UNSEEN.sub("", text)


def tidy(text: str) -> str:
    """`text` in Unicode's NFC, without characters that nobody sees, one blank between words, a newline per paragraph.

    Doing it again changes nothing.
    """
    seen = unicodedata.normalize("NFC", visible(text.replace("\r", "\n")))
    lines = (" ".join(line.split()) for line in seen.split("\n"))
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """`text` tidied, on one line."""
    return tidy(text).replace("\n", " ")
