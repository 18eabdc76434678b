"""Other people's texts, shortened for our messages, and numbers in them. Pure."""

from __future__ import annotations


def cut_short(text: str, most: int) -> str:
    """`text`; if it is longer than `most` characters, its beginning and "…", `most` characters in total."""
    return text if len(text) <= most else text[: most - 1] + "…"


def grouped(number: float) -> str:
    """A whole number with a thin space between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")
