"""Texts of others, for a sentence of ours. Pure."""

from __future__ import annotations


def cut_short(text: str, most: int) -> str:
    """`text`; where it is longer than `most` characters, its beginning and a "…", `most` characters together."""
    return text if len(text) <= most else text[: most - 1] + "…"
