"""News in invented words, so that no two articles are taken for one story; and feeds of such articles."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Final

_SYLLABLES: Final = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")]


def words(dice: random.Random, count: int) -> str:
    """So many words, separated by blanks."""
    return " ".join("".join(dice.choices(_SYLLABLES, k=dice.randint(2, 4))) for _ in range(count))


def item(url: str, title: str, paragraphs: Iterable[str], at: datetime) -> str:
    """An RSS item with its whole text."""
    text = escape("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))
    return (
        f"<item><title>{title}</title><link>{url}</link><guid>{url}</guid>"
        f"<pubDate>{format_datetime(at)}</pubDate><description>{text}</description></item>"
    )


def rss(host: str, items: Iterable[str]) -> str:
    """The feed of a paper at `host`."""
    head = f"<title>Paper</title><link>http://{host}/</link><description>News</description>"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'
