"""Captured feeds, published anew over a day: each feed's entries come out oldest first and stay for a while.

A feed is taken apart as bytes and by patterns, and what it has published is told by its links as they stand: nothing
here reads it as newswatch does, so that the two can be compared.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.press import Press

STAYS = 10
"""Steps that an entry is shown for at least, however many come after it: a publisher who showed it for less than it is
kept away by breakdowns would be losing it, not newswatch."""
SETTLED = 6
"""Steps after which an entry has surely been read by a process that lived, and may get another address: one that dies
between an article and the note of its entry leaves no memory of which entry it was (docs/architecture.md)."""
WINDOW = 12
"""Entries that a feed shows at least, if it has so many."""
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]

_ITEM = re.compile(rb"<(item|entry)(?=[\s>]).*?</\1>", re.DOTALL)
_LINK = re.compile(
    rb"<feedburner:origLink>\s*(?P<orig>[^<]+?)\s*</"
    rb"|<link>\s*(?:<!\[CDATA\[)?\s*(?P<rss>[^<\]]+?)\s*(?:\]\]>)?\s*</link>"
    rb"|<link(?=\s)(?![^>]*\brel=[\"'](?!alternate))[^>]*?\bhref=[\"'](?P<atom>[^\"']+)"
)
_OWN_ID = re.compile(rb"<guid[^>]*isPermaLink=[\"']false|<id>(?!https?://)")


def link_of(item: bytes) -> str:
    """Where the entry leads, as a reader of its bytes sees it."""
    found = {kind: text for match in _LINK.finditer(item) for kind, text in match.groupdict().items() if text}
    return unescape(next(found[kind] for kind in ("orig", "rss", "atom") if kind in found).decode())


def identity(url: str) -> str:
    """One for all spellings of an address, as docs/decisions.md says it: scheme, fragment and tracking left out."""
    parts = urlsplit(url)
    query = sorted((k, v) for k, v in parse_qsl(parts.query, True) if not k.startswith(("utm_", "wt_mc", "at_")))
    return f"{(parts.netloc or '').lower()}{unquote(parts.path) or '/'}?{query}"


@dataclass(slots=True)
class Sheet:
    """A captured feed."""

    name: str
    head: bytes
    tail: bytes
    coming: list[bytes]
    """Entries yet to be published, the next one last."""
    shown: list[tuple[int, bytes]] = field(default_factory=list)
    """What was published at which step, newest first."""

    @classmethod
    def of(cls, path: Path, name: str, url: str) -> Sheet:
        """The feed in the file, its links leading to the press at `url`."""
        body = path.read_bytes()
        found = list(_ITEM.finditer(body))
        if not found:
            return cls(name, body, b"", [])
        coming = [_led_to(match.group(), url) for match in found]
        return cls(name, body[: found[0].start()], body[found[-1].end() :], coming)

    def publish(self, count: int, step: int) -> list[bytes]:
        """Publish the next entries and drop what is old; the entries."""
        items = []
        for _ in range(min(count, len(self.coming))):
            item = self.coming.pop()
            self.shown.insert(0, (step, item))
            items.append(item)
        fresh = sum(step - at < STAYS for at, _ in self.shown)
        del self.shown[max(WINDOW, fresh) :]
        return items

    def body(self) -> bytes:
        """As it is served."""
        return self.head + b"\n".join(item for _, item in self.shown) + self.tail

    def change(self, at: int, item: bytes) -> None:
        """Put another state of the entry in its place."""
        self.shown[at] = (self.shown[at][0], item)


def _led_to(item: bytes, url: str) -> bytes:
    return _LINK.sub(lambda m: re.sub(rb"https?://", url.encode() + b"/", m.group()), item)


@dataclass(slots=True)
class Newsstand(Press):
    """Serves `/NAME.xml` for each sheet, and a page of its own for every address that a sheet links to."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    """Of everything that was published."""
    touched: set[str] = field(default_factory=set)
    """Links of entries that were edited, or that one feed gives twice under two titles, as the BBC's does."""
    _titles: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _pages: dict[str, bytes] = field(default_factory=dict)

    def load(self, paths: list[Path]) -> None:
        """Take the captured feeds in; nothing is published yet."""
        for number, path in enumerate(paths):
            name = f"f{number}-{path.stem.lower().replace('_', '-')}"
            self.sheets[name] = Sheet.of(path, name, self.url)
            self.feeds[name] = []
            self._print(name)

    @property
    def is_sold_out(self) -> bool:
        """Whether everything is published."""
        return not any(sheet.coming for sheet in self.sheets.values())

    def evolve(self, rng: random.Random, step: int, steps: int) -> None:
        """What publishers do between two polls: publish, edit, tag links, rename them, move a feed, break down."""
        self._mend(rng)
        for sheet in self.sheets.values():
            left = max(1, round(0.8 * steps) - step)
            due = len(sheet.coming) / left
            self._publish(sheet, round(due * rng.uniform(0.2, 2) + 0.4), step)
            if sheet.shown and rng.random() < 0.15:
                self._edit(rng, sheet, step)
            self._print(sheet.name)
        if rng.random() < 0.5:
            self._break(rng)

    def finish(self, step: int) -> None:
        """Publish what is left, mend everything."""
        self.broken.clear()
        self._pages.clear()
        for sheet in self.sheets.values():
            self._publish(sheet, len(sheet.coming), step)
            self._print(sheet.name)

    def answer(self, path: str, etag: str | None) -> tuple[int, bytes, str | None]:
        """Status, body and ETag for a request."""
        status, body, _ = Press.answer(self, path, None)
        if status == 404 and path.count("/") > 1:
            status, body = 200, self._pages.setdefault(path, page(path))
        current = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if status != 200:
            return status, body, None
        return (304, b"", current) if etag == current else (200, body, current)

    # ── what may happen ──────────────────────────────────────────────────────────────────────────────────────────────

    def _publish(self, sheet: Sheet, count: int, step: int) -> None:
        for item in sheet.publish(count, step):
            name = identity(link_of(item))
            self.links.add(name)
            title = item.partition(b"</title>")[0].partition(b"<title")[2]
            if self._titles.setdefault((sheet.name, name), title) != title:
                self.touched.add(name)

    def _print(self, name: str) -> None:
        body = self.sheets[name].body()
        self.raw[f"/{name}.xml"] = self.raw[f"/moved/{name}.xml"] = body

    def _edit(self, rng: random.Random, sheet: Sheet, step: int) -> None:
        at = rng.randrange(len(sheet.shown))
        since, item = sheet.shown[at]
        link = link_of(item)
        kind = rng.choice(("title", "tracking", "renamed"))
        if kind == "title":
            self.touched.add(identity(link))
            sheet.change(at, item.replace(b"</title>", b" (edited)</title>", 1))
        elif kind == "tracking" and "?" not in link and "#" not in link:
            sheet.change(at, _relinked(item, link, link + "?utm_source=rss"))
        elif kind == "renamed" and step - since >= SETTLED and self._may_be_renamed(link, item):
            self.touched.add(identity(link))
            sheet.change(at, _relinked(item, link, link + "-renamed"))

    def _may_be_renamed(self, link: str, item: bytes) -> bool:
        return bool(_OWN_ID.search(item)) and "?" not in link and link[-8:] != "-renamed" and self._is_alone(link)

    def _is_alone(self, link: str) -> bool:
        """Whether one feed only carries it: an entry id is worth nothing beyond its feed."""
        host = link.partition("://")[2].partition("/")[2].encode()
        return sum(host in item for s in self.sheets.values() for item in (s.body(), *s.coming)) == 1

    def _break(self, rng: random.Random) -> None:
        name = rng.choice(sorted(self.sheets))
        if rng.random() < 0.2:
            self.moved[f"/{name}.xml"] = f"/moved/{name}.xml"
        elif shown := self.sheets[name].shown:
            link = urlsplit(link_of(rng.choice(shown)[1]))
            self.broken[rng.choice([f"/{name}.xml", f"/moved/{name}.xml", link.path])] = rng.choice([500, 503, 404])

    def _mend(self, rng: random.Random) -> None:
        for path in [path for path in self.broken if rng.random() < 0.6]:
            del self.broken[path]


def _relinked(item: bytes, old: str, new: str) -> bytes:
    return _LINK.sub(lambda m: m.group().replace(escape(old).encode(), escape(new).encode()), item)


def page(path: str) -> bytes:
    """The article page at `path`: words that no other page has, the same under whatever name."""
    rng = random.Random(unquote(path.partition("?")[0]).removesuffix("-renamed"))
    sentences = (" ".join("".join(rng.choices(SYLLABLES, k=3)) for _ in range(20)) + "." for _ in range(12))
    text = "".join(f"<p>{sentence.capitalize()}</p>" for sentence in sentences)
    return (
        f"<html><head><title>A page</title></head><body><article><h1>A page</h1>{text}</article></body></html>".encode()
    )
