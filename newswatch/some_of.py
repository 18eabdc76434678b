"""A list in a sentence that stays short: what stands first, and how many others there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def some_of(parts: Sequence[str], most: int, between: str = ", ") -> str:
    """The first `most` parts and the number of the others: "a, b and 2 more"."""
    more = f" and {len(parts) - most:,} more" if len(parts) > most else ""
    return between.join(parts[:most]) + more
