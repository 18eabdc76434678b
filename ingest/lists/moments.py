"""When the items of a list were published: the dates in their boxes, between them, above them, in their addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from lxml import etree

from ingest import dates
from ingest.lists.links import seen_text
from ingest.zones import Hints

DATE_CHARS: Final = 80
"""Maximum characters of a text that may be a date as a whole."""
CHUNK_CHARS: Final = 160
"""Maximum characters of a text in which a date is looked for; a longer one is a paragraph, whose dates mean others."""
MOST_WORDS: Final = 10
MOST_DIGITS: Final = 24
MOST_TEXTS: Final = 60
"""Maximum texts of one item in which its date is looked for."""
_DATED_NAME: Final = re.compile(
    r"(?:^|[\s_-])(?:\w*dates?|dated?|times?|timestamp|published|posted(?:-?on)?|created|pubdate|fecha|datum|tarih"
    r"|data|giorno|day|dt)(?=$|[\s_-])|[a-z](?:Date|Time)(?![a-z])",
)
_DATED_ATTRIBUTES: Final = ("datetime", "data-datetime", "data-date", "data-published", "data-timestamp", "data-time")
_WORD: Final = r"[^\W\d_]{2,}\.?"
_FOUND: Final = re.compile(
    r"(?<!\d)(?:"
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d{4}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{1,2}(?:,?\s\d{1,2}:\d\d(?::\d\d)?)?"
    r"|\d{1,2}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{4}(?:,?\s(?:-\s)?\d{1,2}:\d\d)?"
    r"|(?:令和\s?\d{1,2}|\d{4})\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일]"
    rf"|\d{{1,2}}(?:\.|º|°|er|st|nd|rd|th|-(?:го|ші))?\s?(?:de\s|of\s|d['’])?{_WORD},?\s(?:de\s|del\s)?\d{{4}}"
    rf"(?:\s\w{{4,5}})?(?:,\s\d{{1,2}}:\d\d)?"
    r")(?!\d)"
    rf"|(?<!\w){_WORD}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}(?!\d)",
    re.IGNORECASE,
)
_TWO_DIGITS: Final = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})\2(\d\d)(?![\d./-])")
_NUMERIC: Final = re.compile(r"(?<![\d./-])(\d{1,2})\s?[./-]\s?(\d{1,2})\s?[./-]\s?(\d{4}|\d\d)(?![\d])")
_SPLIT: Final = re.compile(r"\s*[|•·\n]\s*|\s[–—]\s|\s-\s")


def _may_be_date(text: str) -> bool:
    """Whether a text has about as many digits and words as a date; reading one takes milliseconds."""
    if not 5 < len(text) <= DATE_CHARS or len(text.split()) > MOST_WORDS:
        return False
    return 3 <= sum(map(str.isdecimal, text)) <= MOST_DIGITS


def day_comes_first(texts: Iterable[str]) -> bool | None:
    """Whether the day stands before the month in the numeric dates of `texts`; None if none of them decides."""
    first = second = 0
    for text in texts:
        for found in _NUMERIC.finditer(text):
            first += int(found[1]) > 12
            second += int(found[2]) > 12
    return None if first == second else first > second


class Reader:
    """Reads the dates of one list, whose makers write them all alike."""

    def __init__(self, hints: Hints, now: datetime, *, day_first: bool | None = None) -> None:
        self._hints, self._now, self._day_first = hints, now, day_first
        self.read = lru_cache(maxsize=2_000)(self._read)

    def in_box(self, box: etree._Element, title: str) -> datetime | None:
        """The date in an item's box: in a time element, in an element that is named for it, or in a short text."""
        for written in (*_attributes(box), *_named(box), *_chunks(box, title)):
            if (when := self.read(written)) is not None:
                return when
        above = box.getprevious()  # the term of a description list, the day above a story
        is_label = above is not None and isinstance(above.tag, str) and next(above.iter("a"), None) is None
        return self.read(seen_text(above)) if above is not None and is_label else None

    def is_date(self, text: str) -> bool:
        """Whether a text is a date and nothing else, so not a headline."""
        return self._whole(text) is not None

    def _read(self, written: str) -> datetime | None:
        """The date in a short text; None if there is none, or no plausible one."""
        if not any(char.isdecimal() for char in written):
            return None
        if len(written) <= DATE_CHARS and (when := self._whole(written)):
            return when
        if len(written) > CHUNK_CHARS:
            return None
        for part in (*_SPLIT.split(written), *(found[0] for found in _FOUND.finditer(written))):
            if part != written and (when := self._whole(part)):
                return when
        return self._with_order(written)

    def _whole(self, written: str) -> datetime | None:
        if not _may_be_date(written):
            return None
        when = dates.read(written, self._hints)
        if isinstance(when, str):
            return self._with_order(written) if _NUMERIC.fullmatch(written.strip()) else None
        when = dates.in_utc(when)
        return None if dates.implausible(when, self._now) else when

    def _with_order(self, written: str) -> datetime | None:
        """A numeric date that has two readings, or a year of two digits, read in the order of the list's others."""
        found = _NUMERIC.search(written)
        if not found:
            return None
        first, second = int(found[1]), int(found[2])
        is_day_first = self._day_first
        if first > 12 or second > 12:
            is_day_first = first > 12
        elif is_day_first is None and not _TWO_DIGITS.search(written):
            return None  # `ingest.dates` knows what a language's dates mean, and did not decide
        day, month = (first, second) if is_day_first is not False else (second, first)
        year = int(found[3]) + (2_000 if len(found[3]) == 2 else 0)
        try:
            when = datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            return None
        return None if dates.implausible(when, self._now) else when


def _attributes(box: etree._Element) -> Iterator[str]:
    for element in box.iter(etree.Element):
        if element.tag == "time" or any(name in element.attrib for name in _DATED_ATTRIBUTES):
            yield from (value for name in _DATED_ATTRIBUTES if (value := element.get(name)))
        elif element.tag == "meta" and "date" in (element.get("itemprop") or "").lower():
            yield element.get("content") or ""


def _named(box: etree._Element) -> Iterator[str]:
    for element in box.iter(etree.Element):
        names = f"{element.get('class', '')} {element.get('itemprop', '')}".strip()
        if element.tag == "time" or (names and _DATED_NAME.search(names)):
            text = seen_text(element)
            if 4 < len(text) <= CHUNK_CHARS:
                yield text


def _chunks(box: etree._Element, title: str) -> Iterator[str]:
    texts = 0
    for piece in box.itertext():
        text = " ".join(str(piece).split())
        if not text or text == title or (title and text in title):
            continue
        texts += 1
        if texts > MOST_TEXTS:
            break
        if len(text) <= CHUNK_CHARS:
            yield text


def around(root: etree._Element, links: Sequence[etree._Element]) -> tuple[list[list[str]], list[list[str]]]:
    """The texts that stand before each link, after the one before; and after each, before the next."""
    ends = {link: number for number, link in enumerate(links)}
    before: list[list[str]] = [[] for _ in links]
    after: list[list[str]] = [[] for _ in links]
    pieces: list[str] = []
    last = -1
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(element.tag, str) or element.tag in ("script", "style"):
            continue
        if event == "start":
            if element in ends:
                number = ends[element]
                before[number] = pieces[-6:]
                if last >= 0:
                    after[last] = pieces[:6]
                pieces, last = [], number
            elif element.text and element.text.strip():
                pieces.append(" ".join(element.text.split()))
        if event == "end" and element.tail and element.tail.strip():
            pieces.append(" ".join(element.tail.split()))
    if last >= 0:
        after[last] = pieces[:6]
    return before, after
