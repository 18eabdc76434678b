"""Fingerprints: by which two articles are known to say the same."""

from __future__ import annotations

import hashlib


def text_hash(title: str, text: str) -> str:
    """A hash of `title` and `text`, white space folded: 32 hexadecimal digits, equal for equal words."""
    folded = " ".join(title.split()) + "\n" + " ".join(text.split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:32]
