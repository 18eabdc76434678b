"""The content of an article page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newswatch.article import TextStatus


@dataclass(frozen=True, slots=True)
class Extracted:
    """The content of an article page."""

    title: str
    text: str
    """Paragraphs separated by a newline."""
    authors: tuple[str, ...] = ()
    published: datetime | None = None
    language: str | None = None
    canonical_url: str | None = None
    image: str | None = None
    status: TextStatus = "full"
    problems: tuple[str, ...] = ()
