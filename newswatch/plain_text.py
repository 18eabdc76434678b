"""Plain text in its normal form. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
"""Controls, surrogates and noncharacters; soft hyphens, zero-width spaces and word joiners, which would split words
(the joiners that Persian needs stay); byte order marks and direction overrides."""


def visible(text: str) -> str:
    """`text` without invisible characters."""
    return _UNSEEN.sub("", text)


def tidy(text: str) -> str:
    """`text` in Unicode's NFC, without invisible characters, one blank between words, one newline between paragraphs.

    Idempotent.
    """
    seen = unicodedata.normalize("NFC", visible(text.replace("\r", "\n")))
    lines = (" ".join(line.split()) for line in seen.split("\n"))
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """`text` as `tidy` gives it, on one line."""
    return tidy(text).replace("\n", " ")
