"""Other people's texts, shortened for our messages. Pure."""

from __future__ import annotations


def cut_short(text: str, most: int) -> str:
    """`text`; if it is longer than `most` characters, its beginning and "…", `most` characters in total."""
    return text if len(text) <= most else text[: most - 1] + "…"
