"""The list of articles on a page, found by its structure alone; or in the data that the page's scripts carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from lxml import etree

from ingest.addresses import is_address
from ingest.lists import islands
from ingest.lists.article import is_article, prose_outside
from ingest.lists.data import DataList
from ingest.lists.groups import Member, find
from ingest.lists.items import ListItem, day_in, weight
from ingest.lists.links import Links, links_of
from ingest.lists.moments import Reader, around, day_comes_first
from ingest.urls import canonicalize
from ingest.zones import Hints

MOSTLY: Final = 0.5
"""Share of the items from which on dates that were found in one way are taken to be the list's."""


@dataclass(frozen=True, slots=True)
class FoundList:
    """The result of looking for a list."""

    items: tuple[ListItem, ...]
    why: str
    """How it was found, or why there is none, in words."""
    left_out: int = 0
    """Links that were not looked at because there were too many."""


def list_of(root: etree._Element, url: str, hints: Hints, now: datetime) -> FoundList:
    """The list of articles on the page in `root`, which was served from `url`."""
    links = links_of(root, url)
    reader = Reader(hints, now, day_first=day_comes_first(_dates_of(root)))
    members = find(links.links, url, reader)
    data = islands.lists_in(root, url, hints, now)
    prose = prose_outside(root, [member.box for member in members], links.areas)
    listed = sum(weight(member.title) for member in members)
    if is_article(root, url, prose, listed, len(members)):
        return FoundList((), f"it is an article: {prose.body:,} characters of text, and {len(members)} links beside it")
    best: DataList | None = max(data, key=lambda found: found.weight, default=None)
    if best is not None and _is_better(best, members):
        return FoundList(best.items, f"a list in the data of the page's scripts ({best.path})", links.left_out)
    if not members:
        return FoundList((), _why_none(links, root), links.left_out)
    dated = _dated(root, members, reader, now)
    known = {canonicalize(item.url): item.published for found in data for item in found.items if item.published}
    items = [
        item
        if item.published or canonicalize(item.url) not in known
        else replace(item, published=known[canonicalize(item.url)])
        for item in dated
        if is_address(item.url)
    ]
    return FoundList(tuple(items), "links that are made alike", links.left_out)


def _is_better(data: DataList, members: Sequence[Member]) -> bool:
    """Whether the scripts' list is the page's, and its links are only a menu."""
    if len(data.items) < 3:
        return False
    if not members:
        return True
    worth = sum(member.worth for member in members) / len(members)
    return worth < 0.5 and len(data.items) >= 5


def _why_none(links: Links, root: etree._Element) -> str:
    scripts = sum(1 for _ in root.iter("script"))
    if len(links.links) < 5:
        return f"it has no list: {len(links.links)} links, {scripts} scripts; scripts may fill it in a browser"
    return f"it has no list of articles: {len(links.links)} links, none of them made alike with headlines"


def _dates_of(root: etree._Element) -> list[str]:
    return [" ".join(str(text).split()) for text in root.itertext() if 5 < len(str(text).strip()) < 60]


def _dated(root: etree._Element, members: Sequence[Member], reader: Reader, now: datetime) -> list[ListItem]:
    """The members as items, with the dates that stand in their boxes, between them, or in their addresses."""
    found = [member.published for member in members]
    if sum(date is not None for date in found) < MOSTLY * len(members):
        found = _between(root, members, reader)
    return [
        ListItem(member.main.url, member.title, date or day_in(member.main.url, now))
        for member, date in zip(members, found, strict=True)
    ]


def _between(root: etree._Element, members: Sequence[Member], reader: Reader) -> list[datetime | None]:
    """The dates between the links: before each, after each, or above some that share them."""
    before, after = around(root, [member.main.element for member in members])
    above = [_last(texts, reader) for texts in before]
    below = [_first(texts, reader) for texts in after]
    own = [member.published for member in members]
    counts = {"own": sum(map(bool, own)), "above": sum(map(bool, above)), "below": sum(map(bool, below))}
    if counts["own"] > max(counts["above"], counts["below"]) or not any(counts.values()):
        return own
    if counts["above"] >= counts["below"] or (counts["below"] < MOSTLY * len(members) and above[0]):
        return _carried(above) if above[0] and counts["above"] < 0.9 * len(members) else above
    return below


def _carried(dates: Sequence[datetime | None]) -> list[datetime | None]:
    """Each date, also for the items after it until the next: it stood above them all."""
    carried: list[datetime | None] = []
    for date in dates:
        carried.append(date or (carried[-1] if carried else None))
    return carried


def _first(texts: Sequence[str], reader: Reader) -> datetime | None:
    return next((when for text in texts if (when := reader.read(text))), None)


def _last(texts: Sequence[str], reader: Reader) -> datetime | None:
    return _first(texts[::-1], reader)
