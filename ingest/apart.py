"""Which entry is which where their links do not say it: several entries that lead to one page. Pure.

Alert pages, live blogs and single-page sites give many entries one link. Entries of one document that lead to one page
and say different things are different articles. What tells them apart is, in this order, the fragment of the link, the
feed's own id, the title, and at last the text. It becomes the entry's `part`, which the URL of its article ends in, so
that the same entry is found again whether it comes in company or alone, and in whatever order.

The page of such an entry is not its text: it belongs to all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ingest.urls import canonicalize, fragment_of, is_address, part_url, shown
from ingest.wording import words
from newswatch.entry import Entry

_MARK: Final = "newswatch-entry="
"""How a part begins that is made of an id, a title or a text."""
_SAME_TITLE_WORDS: Final = 4
"""So many words a headline must have to be told in a longer one of the same text."""
_MORE_THAN_ONCE: Final = "stands more than once: the first counts"
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Step:
    """A name that an entry may be known by, and the part that its article's URL then ends in."""

    name: str
    part: str


def page_of(url: str) -> str:
    """The page that `url` leads to: its canonical URL, with a fragment only where that is an address (`#!/press/3`).

    Raises:
        AddressError: it leads to none.
    """
    fragment = fragment_of(url)
    return part_url(url, fragment) if fragment.startswith("!") else canonicalize(url)


def steps(entry: Entry) -> list[Step]:
    """The names that `entry` may be known by, from its page alone to the most particular; none without a link."""
    if entry.url is None:
        return []
    page, fragment = page_of(entry.url), fragment_of(entry.url)
    own = _own_id(entry, page)
    bang = (fragment,) if fragment.startswith("!") else ()
    found = [Step(page, *bang or ("",))]
    if fragment and not bang:
        found.append(Step(part_url(page, fragment), fragment))
    if own:
        return [*found, Step(own, _mark(*bang, own))]
    title, whole = _mark(*bang, words(entry.title)), _mark(*bang, *_words(entry))
    return [*found, Step(part_url(page, title), title), Step(part_url(page, whole), whole)]


def set_apart(entry: Entry, is_shared: Callable[[str], bool]) -> Entry:
    """`entry` with the id and the part that it has where others lead to its page: the first name that no other has."""
    ladder = steps(entry)
    if not ladder:
        return entry
    step = next((step for step in ladder[1:] if not is_shared(step.name)), ladder[-1])
    page = ladder[0].name
    return replace(entry, id=_own_id(entry, page) or step.name, part=step.part)


def shared_names(entries: Iterable[Entry]) -> set[str]:
    """The names that several entries of a document have, as far as their parts tell it."""
    return {
        step.name
        for entry in entries
        if entry.part
        for step in _before(steps(entry), entry.part)
        if step.name != entry.id
    }


def _before(ladder: Sequence[Step], part: str) -> Sequence[Step]:
    at = next((number for number, step in enumerate(ladder) if step.part == part), 0)
    return ladder[:at]


def named(entries: Sequence[Entry], site: str | None, hashes: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """The entries of a document with their ids and parts, duplicates left out; and what was left out.

    The `id` of each given entry is the feed's own, or empty; `site` is where the feed says that it belongs, and no
    article; `hashes` are the ids of those that have neither id nor link.
    """
    read = [_Read(entry, _page(entry), hash_) for entry, hash_ in zip(entries, hashes, strict=True)]
    kept, problems = _without_duplicates(read)
    times = Counter(one.entry.id or one.page or one.hash for one in kept)
    kept = [replace(one, entry=replace(one.entry, id="")) if times[one.entry.id] > 1 else one for one in kept]
    kept = [
        replace(one, hash=f"{one.hash}.{_mark(*_words(one.entry))}") if times[one.hash] > 1 else one for one in kept
    ]
    things = _things(kept)
    shared = _shared(things)
    found = [
        set_apart(one.entry, shared.__contains__) if one.page and len(things[one.page]) > 1 else _alone(one, site)
        for one in kept
    ]
    return _with_own_ids(found, problems)


@dataclass(frozen=True, slots=True)
class _Read:
    """An entry, the page that it leads to, if any, and its id for want of anything else."""

    entry: Entry
    page: str
    hash: str


def _by_its_text(read: _Read) -> _Read:
    return replace(read, hash=f"{read.hash}.{_mark(*_words(read.entry))}")


def _page(entry: Entry) -> str:
    return page_of(entry.url) if entry.url else ""


def _things(read: Iterable[_Read]) -> dict[str, list[Entry]]:
    """What each page is the link of; versions of one article are one thing."""
    things: dict[str, list[Entry]] = defaultdict(list)
    titles: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in read:
        if not one.page:
            continue
        if names_its_page(one.entry):
            title, *texts = _words(one.entry)
            known = titles[one.page, *texts]
            is_version = any(texts) and any(_is_told_in(title, other) for other in known)
            known.append(title)
            if is_version:
                continue
        things[one.page].append(one.entry)
    return things


def _is_told_in(one: str, other: str) -> bool:
    """Whether one of two headlines stands whole in the other."""
    title, longer = sorted((one, other), key=len)
    return len(title.split()) >= _SAME_TITLE_WORDS and title in longer


def _shared(things: dict[str, list[Entry]]) -> set[str]:
    """Every name that more than one of the things on a page would have."""
    return {
        name
        for group in things.values()
        if len(group) > 1
        for name, count in Counter(name for entry in group for name in {step.name for step in steps(entry)}).items()
        if count > 1
    }


def _alone(read: _Read, site: str | None) -> Entry:
    """The entry that is the only thing on its page."""
    entry, page = read.entry, read.page
    if not page:
        return entry if entry.id else replace(entry, id=read.hash)
    if _is_home(page, site):
        return set_apart(entry, lambda _: False)
    fragment = fragment_of(entry.url or "")
    if fragment.startswith("!"):
        return replace(entry, id=entry.id or page, part=fragment)
    return entry if entry.id else replace(entry, id=part_url(page, fragment) if fragment else page)


def _with_own_ids(entries: list[Entry], problems: list[str]) -> tuple[list[Entry], list[str]]:
    """Without those whose id another has: then nothing at all tells them apart."""
    by_id: dict[str, Entry] = {}
    for entry in entries:
        by_id.setdefault(entry.id, entry)
    lost = [entry for entry in entries if by_id[entry.id] is not entry]
    return list(by_id.values()), problems + [f"entry {shown(entry.id)} {_MORE_THAN_ONCE}" for entry in lost]


def _without_duplicates(read: Sequence[_Read]) -> tuple[list[_Read], list[str]]:
    """Entries of one link and the same words are one, unless both id and date say that they are two.

    So are those of one id and link, to the fragment, whose titles are alike: a feed gives what it shows in two places
    twice.
    """
    first: dict[tuple[str, ...], list[Entry]] = {}
    titles: dict[tuple[str, str, str], str] = {}
    kept, problems = [], []
    places = Counter(one.page or one.entry.id for one in read)
    for one in read:
        place, entry = one.page or one.entry.id, one.entry
        if places[place] > 1:
            same = first.setdefault((place, *_words(entry)), [])
            is_same = bool(same) and not all(_differ_in_id_and_date(entry, other) for other in same)
            if is_same or _is_told_twice(one, titles):
                problems.append(f"entry {shown(entry.id or entry.url or entry.title)} {_MORE_THAN_ONCE}")
                continue
            same.append(entry)
        kept.append(one)
    return kept, problems


def _is_told_twice(read: _Read, titles: dict[tuple[str, str, str], str]) -> bool:
    own, title = _own_id(read.entry, read.page), words(read.entry.title)
    place = (read.page, fragment_of(read.entry.url or ""), own)
    before = titles.setdefault(place, title) if own and read.page else title
    return title != before and are_alike(title, before)


def _words(entry: Entry) -> tuple[str, str, str]:
    return words(entry.title), words(entry.summary), words(entry.content)


def _differ_in_id_and_date(one: Entry, other: Entry) -> bool:
    dates_differ = bool(one.published and other.published and one.published != other.published)
    return dates_differ and _own_name(one) != _own_name(other)


def _own_name(entry: Entry) -> tuple[str, str]:
    return entry.id, fragment_of(entry.url) if entry.url else ""


def _own_id(entry: Entry, page: str) -> str:
    """The feed's own id of the entry, where it says more than its link does."""
    fragment = fragment_of(entry.url or "")
    made = entry.id.startswith(f"{page}#{_MARK}") or (fragment and entry.id == part_url(page, fragment))
    return "" if made or entry.id in ("", page, entry.url) or _is_page(entry.id, page) else entry.id


def _is_page(text: str, page: str) -> bool:
    return "#" not in text and is_address(text) and _same(canonicalize(text), page)


def _same(one: str, other: str) -> bool:
    return one.partition("://")[2] == other.partition("://")[2]


def _is_home(page: str, site: str | None) -> bool:
    """Whether the page is no article's: the site's first, or where the feed itself says that it belongs."""
    is_first = page.partition("://")[2].count("/") == 1 and page.endswith("/")
    return is_first or bool(site and is_address(site) and _same(page, canonicalize(site)))


def _mark(*said: str) -> str:
    return _MARK + hashlib.sha256("\n".join(said).encode("utf-8", "replace")).hexdigest()[:16]


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def names_its_page(entry: Entry) -> bool:
    """Whether the feed's own id is the page's address with a number behind it: it counts the versions of one article.

    The BBC's is `https://www.bbc.com/news/articles/cq59xvdzjv7o#3`.
    """
    address, _, number = entry.id.partition("#")
    if not number or entry.url is None or fragment_of(entry.url):
        return False
    return number.isdecimal() and is_address(address) and _same(canonicalize(address), canonicalize(entry.url))


def is_edit(entry: Entry, title: str, summary: str, *, same_date: bool) -> bool:
    """Whether an entry under a new id is an edit of what another id told at its link before.

    It is where its words are the same in title or summary, where it has the same date, or where the titles have most
    words and all numbers in common. "Warning 2" under an id and a date of its own is another than "Warning 1".
    """
    if names_its_page(entry) or same_date:
        return True
    here, there = words(entry.title), words(title)
    if here == there or (summary and words(entry.summary) == words(summary)):
        return True
    return are_alike(here, there)


def are_alike(one: str, other: str) -> bool:
    """Whether two titles have half of their words and all of their numbers in common."""
    a, b = set(one.casefold().split()), set(other.casefold().split())
    numbers = sorted(_NUMBER.findall(one)) == sorted(_NUMBER.findall(other))
    return bool(a and b) and numbers and 2 * len(a & b) >= len(a | b)
