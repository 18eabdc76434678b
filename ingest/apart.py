"""Tells entries apart when their links do not: several entries that lead to one page. Pure.

Alert pages, live blogs and single-page sites give many entries one link. Entries of one document that lead to one page
and have different content are different articles. They are told apart by, in this order, the fragment of the link, the
feed's own id, the title, and finally the text. The distinguishing value becomes the entry's `part`, which the URL of
its article ends in, so that the entry is recognised later whether or not others share its page, and in any order.

The page of such an entry is not its text, because it belongs to all of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ingest.addresses import is_address, shown
from ingest.urls import canonicalize, former_url, fragment_of, part_url
from ingest.wording import words
from newswatch.entry import Entry

_MARK: Final = "newswatch-entry="
"""Prefix of a part that is made from an id, a title or a text."""
_SAME_TITLE_WORDS: Final = 4
"""Minimum words of a headline that is recognised inside a longer headline of the same text."""
_MORE_THAN_ONCE: Final = "occurs more than once: the first is kept"
_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Step:
    """A name that an entry may be known by, and the part that its article's URL then ends in."""

    name: str
    part: str


def page_of(url: str) -> str:
    """The page that `url` leads to: its canonical URL, keeping a fragment only if it is an address (`#!/press/3`).

    Raises:
        AddressError: `url` is not an address.
    """
    fragment = fragment_of(url)
    return part_url(url, fragment) if fragment.startswith("!") else canonicalize(url)


def former_page(url: str) -> str:
    """The page that `url` leads to, by the URL by which earlier versions knew it (`former_url`).

    Raises:
        AddressError: `url` is not an address.
    """
    fragment = fragment_of(url)
    return former_url(url, fragment if fragment.startswith("!") else "")


def steps(entry: Entry) -> list[Step]:
    """The names that `entry` may be known by, from its page alone to the most specific; none without a link."""
    if entry.url is None:
        return []
    page, fragment = page_of(entry.url), fragment_of(entry.url)
    own = _own_id(entry, page)
    bang = (fragment,) if fragment.startswith("!") else ()
    names = [Step(page, *bang or ("",))]
    if fragment and not bang:
        names.append(Step(part_url(page, fragment), fragment))
    if own:
        return [*names, Step(own, _mark(*bang, own))]
    title, whole = _mark(*bang, words(entry.title)), _mark(*bang, *_words(entry))
    return [*names, Step(part_url(page, title), title), Step(part_url(page, whole), whole)]


def set_apart(entry: Entry, is_shared: Callable[[str], bool]) -> Entry:
    """`entry` with the id and part for a page that it shares with others: its first name that no other entry has."""
    ladder = steps(entry)
    if not ladder:
        return entry
    step = next((step for step in ladder[1:] if not is_shared(step.name)), ladder[-1])
    page = ladder[0].name
    return replace(entry, id=_own_id(entry, page) or step.name, part=step.part)


def shared_names(entries: Iterable[Entry]) -> set[str]:
    """The names that several entries of a document have, as far as their parts show."""
    return {
        step.name
        for entry in entries
        if entry.part
        for step in _before(steps(entry), entry.part)
        if step.name != entry.id
    }


def _before(ladder: Sequence[Step], part: str) -> Sequence[Step]:
    position = next((number for number, step in enumerate(ladder) if step.part == part), 0)
    return ladder[:position]


def named(entries: Sequence[Entry], site: str | None, hashes: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """The entries of a document with their ids and parts, without duplicates; and notes on what was left out.

    The `id` of each given entry is the feed's own, or empty. `site` is the feed's own home page, which is not an
    article. `hashes` are the ids for entries that have neither id nor link.
    """
    read = [_Read(entry, _page(entry), hash_) for entry, hash_ in zip(entries, hashes, strict=True)]
    kept, problems = _without_duplicates(read)
    times = Counter(read_.entry.id or read_.page or read_.hash for read_ in kept)
    kept = [_without_id(read_) if times[read_.entry.id] > 1 else read_ for read_ in kept]
    kept = [_by_its_text(read_) if times[read_.hash] > 1 else read_ for read_ in kept]
    things = _things(kept)
    shared = _shared(things)
    named_entries = [
        set_apart(read_.entry, shared.__contains__) if _is_in_company(read_, things) else _alone(read_, site)
        for read_ in kept
    ]
    return _with_own_ids(named_entries, problems)


@dataclass(frozen=True, slots=True)
class _Read:
    """An entry, the page that it leads to, if any, and a hash as its id of last resort."""

    entry: Entry
    page: str
    hash: str


def _without_id(read: _Read) -> _Read:
    return replace(read, entry=replace(read.entry, id=""))


def _by_its_text(read: _Read) -> _Read:
    return replace(read, hash=f"{read.hash}.{_mark(*_words(read.entry))}")


def _is_in_company(read: _Read, things: dict[str, list[Entry]]) -> bool:
    return bool(read.page) and len(things[read.page]) > 1


def _page(entry: Entry) -> str:
    return page_of(entry.url) if entry.url else ""


def _things(read: Iterable[_Read]) -> dict[str, list[Entry]]:
    """The articles that link to each page; versions of one article count once."""
    things: dict[str, list[Entry]] = defaultdict(list)
    titles: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for item in read:
        if not item.page:
            continue
        if names_its_page(item.entry):
            title, *texts = _words(item.entry)
            known = titles[item.page, *texts]
            is_version = any(texts) and any(_is_contained(title, other) for other in known)
            known.append(title)
            if is_version:
                continue
        things[item.page].append(item.entry)
    return things


def _is_contained(first: str, second: str) -> bool:
    """Whether one of two headlines contains the other whole."""
    title, longer = sorted((first, second), key=len)
    return len(title.split()) >= _SAME_TITLE_WORDS and title in longer


def _shared(things: dict[str, list[Entry]]) -> set[str]:
    """Every name that more than one of the articles on a page would have."""
    shared: set[str] = set()
    for group in things.values():
        counts = Counter(name for entry in group for name in {step.name for step in steps(entry)})
        shared |= {name for name, count in counts.items() if count > 1}
    return shared


def _alone(read: _Read, site: str | None) -> Entry:
    """The entry, if it is the only article on its page."""
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
    """The entries without those whose id another entry has already: nothing distinguishes them."""
    by_id: dict[str, Entry] = {}
    for entry in entries:
        by_id.setdefault(entry.id, entry)
    lost = [entry for entry in entries if by_id[entry.id] is not entry]
    return list(by_id.values()), problems + [f"entry {shown(entry.id)} {_MORE_THAN_ONCE}" for entry in lost]


def _without_duplicates(read: Sequence[_Read]) -> tuple[list[_Read], list[str]]:
    """Merge entries with one link and the same words, unless both id and date differ.

    Also merge those with one id and link, including the fragment, and similar titles: a feed repeats an entry that its
    site shows in two places.
    """
    first: dict[tuple[str, ...], list[Entry]] = {}
    titles: dict[tuple[str, str, str], str] = {}
    kept, problems = [], []
    places = Counter(item.page or item.entry.id for item in read)
    for item in read:
        place, entry = item.page or item.entry.id, item.entry
        if places[place] > 1:
            same = first.setdefault((place, *_words(entry)), [])
            is_same = bool(same) and not all(_differ_in_id_and_date(entry, other) for other in same)
            if is_same or _is_repeated(item, titles):
                problems.append(f"entry {shown(entry.id or entry.url or entry.title)} {_MORE_THAN_ONCE}")
                continue
            same.append(entry)
        kept.append(item)
    return kept, problems


def _is_repeated(read: _Read, titles: dict[tuple[str, str, str], str]) -> bool:
    own, title = _own_id(read.entry, read.page), words(read.entry.title)
    place = (read.page, fragment_of(read.entry.url or ""), own)
    before = titles.setdefault(place, title) if own and read.page else title
    return title != before and are_alike(title, before)


def _words(entry: Entry) -> tuple[str, str, str]:
    return words(entry.title), words(entry.summary), words(entry.content)


def _differ_in_id_and_date(first: Entry, second: Entry) -> bool:
    dates_differ = bool(first.published and second.published and first.published != second.published)
    return dates_differ and _own_name(first) != _own_name(second)


def _own_name(entry: Entry) -> tuple[str, str]:
    return entry.id, fragment_of(entry.url) if entry.url else ""


def _own_id(entry: Entry, page: str) -> str:
    """The feed's own id of the entry, if it says more than the link."""
    fragment = fragment_of(entry.url or "")
    made = entry.id.startswith(f"{page}#{_MARK}") or (fragment and entry.id == part_url(page, fragment))
    return "" if made or entry.id in ("", page, entry.url) or _is_page(entry.id, page) else entry.id


def _is_page(text: str, page: str) -> bool:
    return "#" not in text and is_address(text) and _same(canonicalize(text), page)


def _same(first: str, second: str) -> bool:
    return first.partition("://")[2] == second.partition("://")[2]


def _is_home(page: str, site: str | None) -> bool:
    """Whether the page is a home page, which is not an article: the site's root, or the feed's own `link`."""
    is_first = page.partition("://")[2].count("/") == 1 and page.endswith("/")
    return is_first or bool(site and is_address(site) and _same(page, canonicalize(site)))


def _mark(*said: str) -> str:
    return _MARK + hashlib.sha256("\n".join(said).encode("utf-8", "replace")).hexdigest()[:16]


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def names_its_page(entry: Entry) -> bool:
    """Whether the feed's own id is the page's address with a number appended, which counts the versions of one article.

    The BBC's ids look like `https://www.bbc.com/news/articles/cq59xvdzjv7o#3`.
    """
    address, _, number = entry.id.partition("#")
    if not number or entry.url is None or fragment_of(entry.url):
        return False
    return number.isdecimal() and is_address(address) and _same(canonicalize(address), canonicalize(entry.url))


def is_edit(entry: Entry, title: str, summary: str, *, same_date: bool) -> bool:
    """Whether an entry with a new id is an edit of what another id reported at the same link before.

    It is if its title or summary has the same words, if it has the same date, or if the titles share most words and all
    numbers. "Warning 2" with its own id and date is not an edit of "Warning 1".
    """
    if names_its_page(entry) or same_date:
        return True
    here, there = words(entry.title), words(title)
    if here == there or (summary and words(entry.summary) == words(summary)):
        return True
    return are_alike(here, there)


def are_alike(first: str, second: str) -> bool:
    """Whether two titles share half of their words and all of their numbers."""
    a, b = set(first.casefold().split()), set(second.casefold().split())
    numbers = sorted(_NUMBER.findall(first)) == sorted(_NUMBER.findall(second))
    return bool(a and b) and numbers and 2 * len(a & b) >= len(a | b)
