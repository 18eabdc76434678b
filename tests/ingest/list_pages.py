"""List pages for the tests, from `data/list_pages.txt` and the words in `data/list_words.yaml`.

A page begins with `=== name | language | address | address of an item | how its date is written` (a Babel pattern; `-`
no date; `-url` only in the address). `[[` … `]]` is repeated for each item; `[[3` for the next three, `[[,` with commas
between; a line that begins with `^` stands before the first item of its block, whose date all of them share. `%nav` and
the like stand for what surrounds lists. Braces are as in `str.format`; lines outside of items are taken as they are,
but for doubled braces.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from babel.dates import format_datetime

from newswatch.config import plain

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
_BLOCK = re.compile(r"^\[\[(\d*)([,^]?)\n(.*?)^\]\]\n", re.MULTILINE | re.DOTALL)


class Item(NamedTuple):
    """What should be read of an item."""

    url: str
    title: str
    date: str | None
    """The day, ISO 8601."""


@dataclass(frozen=True)
class ListPage:
    """A page, and the items on it."""

    name: str
    url: str
    body: bytes
    items: tuple[Item, ...]

    @property
    def is_unseen(self) -> bool:
        """Whether it belongs to the half that nobody tuned the reader on."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 1


@cache
def pages() -> tuple[ListPage, ...]:
    """All pages, in the order of the file."""
    text = (DATA / "list_pages.txt").read_text(encoding="utf-8")
    return tuple(_page(section) for section in text.split("\n=== ")[1:])


@cache
def _words() -> dict[str, Any]:
    loaded: dict[str, Any] = plain((DATA / "list_words.yaml").read_text(encoding="utf-8"))
    return loaded


def _page(section: str) -> ListPage:
    head, _, template = section.partition("\n")
    name, language, url, path, pattern = (part.strip() for part in head.split(" | "))
    stories = _Stories(name, language, url, path, pattern)
    page, position = [], 0
    for block in _BLOCK.finditer(template + "\n"):
        page += [stories.around(template[position : block.start()]), stories.block(block)]
        position = block.end()
    page.append(stories.around(template[position:]))
    body = f'<!DOCTYPE html><html lang="{language}">' + "".join(page)
    return ListPage(name, url, body.encode(), tuple(stories.items))


class _Stories:
    """The stories of one page, told one after the other."""

    def __init__(self, name: str, language: str, url: str, path: str, pattern: str) -> None:
        self.words = _words()[language]
        self.language, self.url, self.path, self.pattern = language, url, path, pattern
        digest = hashlib.sha256(name.encode()).digest()
        self.total, self.number = 8 + digest[1] % 14, digest[2] % 7
        self.items: list[Item] = []
        self.is_json = False

    def title(self, number: int) -> str:
        who, what = self.words["who"], self.words["what"]
        joint = "" if self.language in ("zh", "ja") else " "
        return f"{who[number % 6]}{joint}{what[number % 5]}"

    def facts(self, number: int, day: datetime) -> dict[str, Any]:
        title = self.title(number)
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
        slug = f"{slug if len(slug) > 12 else 'story'}-{number}"
        when = {} if self.pattern.startswith("-") else {"d": format_datetime(day, self.pattern, locale=self.language)}
        escaped = title.replace('"', '\\"') if self.is_json else html.escape(title)
        facts = {
            "t": escaped, "slug": slug, "n": number, "id": 480_000 + 37 * number, "k": 100 + number, "p": number % 2,
            "a": number % 3, "i": day.isoformat(), "s": self.words["text"], "c": self.words["cat"][number % 3],
            "m": self.words["more"], "Y": f"{day:%Y}", "M": f"{day:%m}", "D": f"{day:%d}", "mo": f"{day.month}",
            "mon": f"{day:%b}".lower(), "ymd": f"{day:%Y%m%d}", "ymdd": f"{day:%Y-%m-%d}", "dd": f"{day.day}",
            "mmm": format_datetime(day, "MMM", locale=self.language), "short": title[:20].rstrip(), **when,
        }  # fmt: skip
        return facts | {"u": self.path.format(**facts)}

    def block(self, block: re.Match[str]) -> str:
        count = int(block[1]) if block[1] else max(1, self.total - len(self.items))
        lines = block[3].splitlines(keepends=True)
        pieces = []
        shared = NOW - timedelta(hours=19 * len(self.items) + 3)
        for place in range(count):
            day = shared if block[2] == "^" else NOW - timedelta(hours=19 * len(self.items) + 3)
            facts = self.facts(self.number, day)
            shown = [line.removeprefix("^") for line in lines if place == 0 or not line.startswith("^")]
            pieces += [line.format(**facts) for line in shown]
            if block[2] == "," and place < count - 1:
                pieces.append(",")
            self._note(facts, "".join(lines), block[0])
            self.number += 1
        return "".join(pieces)

    def _note(self, facts: dict[str, Any], template: str, block: str) -> None:
        title = f"C-{facts['k']}{facts['p']}/26 P" if "C-{k}" in template else self.title(facts["n"])
        shows = re.search(r"\{(?:d|i|ymdd|dd)\}", block) or self.pattern == "-url" or "{Y}/{M}/{D}" in self.path
        shows = shows or "{Y}/{mon}/{D}" in self.path or "{ymd}" in self.path or "{Y}{M}{D}" in self.path
        url = urljoin(self.url, facts["u"] + (".html" if "{u}.html" in template else ""))
        self.items.append(Item(url, title, facts["i"][:10] if shows else None))

    def around(self, template: str) -> str:
        lines = []
        for line in template.splitlines(keepends=True):
            self.is_json = self.is_json or "%json" in line
            known = self._noise(line.strip())
            lines.append(
                known if known is not None else line.replace("%json", "").replace("{{", "{").replace("}}", "}")
            )
        return "".join(lines)

    def _noise(self, name: str) -> str | None:
        nav = list(enumerate(self.words["nav"]))
        others = [self.facts(self.number + 100 + place, NOW - timedelta(days=9)) for place in range(5)]
        menu = "".join(f'<li><a href="/{place}-page">{word}</a></li>' for place, word in nav)
        foot = "".join(f'<a href="/legal/{place}">{word}</a> ' for place, word in enumerate(self.words["top"]))
        top = "".join(f'<li><a href="{other["u"]}">{other["t"]}</a></li>' for other in others)
        facets = "".join(f'<li><a href="?topic={place}">{word} ({place + 3})</a></li>' for place, word in nav)
        return {
            "%nav": f'<nav class="main-nav"><ul>{menu}</ul></nav>',
            "%navli": menu,
            "%foot": f'<footer><div>{foot}</div><div class="social"><a href="https://x.com/paper">X</a>'
            '<a href="https://www.facebook.com/paper">Facebook</a></div><p>© 2026</p></footer></body></html>',
            "%top": f"<h3>{self.words['top'][0]}</h3><ol>{top}</ol>",
            "%pages": '<div class="pager"><ul><li><a href="?page=1">1</a></li><li><a href="?page=2">2</a></li>'
            '<li><a href="?page=3">3</a></li><li><a href="?page=2">»</a></li></ul></div>',
            "%facets": facets,
        }.get(name)  # fmt: skip


def expected_json(page: ListPage) -> Iterator[str]:
    """The page's items as `newswatch feeds preview --json` writes them, but for the time of day."""
    for item in page.items:
        yield json.dumps(item._asdict(), ensure_ascii=False)
