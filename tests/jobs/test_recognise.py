"""Which of the entries that were seen before an entry is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.apart import named
from ingest.urls import known_id, part_url
from jobs.pull.polled import is_same
from jobs.pull.recognise import Memory, leading, more_keys, recognise
from newswatch.article import Article
from newswatch.entry import Entry
from store.entries import EntryRecord, content_hash, entry_key, has_title, mark_shared, says_the_same
from tests.factories import NOW, a_feed, an_article

FEED = a_feed()
PAGE = "https://herald.example/now"


def entry(title: str, guid: str = "", url: str = PAGE, **more: str) -> Entry:
    given = Entry(guid, url, title, more.get("summary", ""), more.get("content", ""))
    return named([given], None, [""])[0][0]


def document(*entries: Entry) -> list[Entry]:
    return named(entries, None, [""] * len(entries))[0]


def record(one: Entry, **changes: object) -> EntryRecord:
    url = part_url(one.url or "", one.part) if one.part else one.url or ""
    whole = EntryRecord(FEED.id, one.id, one.url, known_id(url), content_hash(one), NOW, NOW)
    return replace(whole, **changes)  # type: ignore[arg-type]


def memory(*records: EntryRecord, article: Article | None = None) -> Memory:
    articles = {known_id(PAGE): article} if article else {}
    return Memory(FEED, {one.id: one for one in records}, articles, frozenset(one.id for one in records))


def test_what_is_known_by_its_id_asks_for_nothing_more() -> None:
    one = entry("Allies meet", "1")
    assert more_keys(one, FEED.id, record(one)) == []
    assert more_keys(entry("Allies met", "1"), FEED.id, record(one)) == []
    assert entry_key(FEED.id, PAGE) in more_keys(one, FEED.id, None)
    assert recognise([one], memory(record(one))) == [(one, record(one))]


def test_together_and_alone() -> None:
    two = document(entry("Drones"), entry("Sirens"))
    kept = replace(memory(), asked=None)
    assert [found for _, found in recognise(two, kept)] == [None, None]
    marks = [mark_shared(FEED.id, name, NOW) for name in kept.newly_shared]
    assert [mark.entry_id for mark in marks] == [f"shared: {PAGE}"]
    alone = recognise([entry("Sirens")], memory(*map(record, two), *marks))
    assert alone == [(two[1], record(two[1]))]
    [(third, found)] = recognise([entry("Fog")], memory(*map(record, two), *marks))
    assert (found, third.part != "") == (None, True)


def test_what_was_there_before_its_page_was_shared_stays_what_it_was() -> None:
    before = record(entry("Drones"))
    found = recognise(document(entry("Drones"), entry("Sirens")), memory(before))
    assert [was for _, was in found] == [before, None]


def test_what_looks_like_an_edit_is_none_beside_what_it_would_be_an_edit_of() -> None:
    told, before = an_article(PAGE, title="Allies agree on a plan"), record(entry("Allies agree on a plan", "1"))
    two = document(entry("Allies agree on a plan", "1"), entry("Allies agree on the plan", "2"))
    assert [was for _, was in recognise(two, memory(before, article=told))] == [before, None]


@pytest.mark.parametrize(
    ("seen", "is_known"),
    [
        (entry("Ministers met in Brussels.", "2"), True),
        (entry("Allies agree on a plan for the flank", "2"), True),
        (entry("Storm over Riga", "2"), False),
    ],
)
def test_another_id_with_the_same_link(seen: Entry, is_known: bool) -> None:
    told = an_article(PAGE, summary="")
    if is_known:
        seen = replace(seen, title=told.title if "Ministers" in seen.title else seen.title)
    kept = memory(article=told)
    [(one, found)] = recognise([seen], kept)
    assert (found is not None) is is_known
    assert (one.part == "") is is_known
    assert (PAGE in kept.shared) is not is_known


def test_where_all_ids_change_an_edited_number_is_an_edit() -> None:
    told, other = an_article(PAGE, title="12 killed in a blast"), f"{PAGE}/2"
    beside = an_article(other, title="Allies meet", summary="")
    kept = memory(article=told)
    edited, same = entry("14 killed in a blast", "x7"), entry("Allies meet", "x8", other)
    assert recognise([edited], kept)[0][1] is None
    kept = memory(article=told)
    kept.articles = {**kept.articles, known_id(other): beside}
    assert all(found for _, found in recognise([edited, same], kept))


def test_a_part_is_one_though_it_comes_alone() -> None:
    two = document(entry("Drones", "1"), entry("Sirens", "2"))
    [(one, found)] = recognise([entry("Sirens over Riga", "2")], memory(*map(record, two)))
    assert (one.part, found) == (two[1].part, record(two[1]))


def test_a_record_of_an_older_version_still_holds() -> None:
    """It kept one hash, of all that the feed said; nothing is read again for the upgrade."""
    one = entry("Allies meet", "1", summary="They met.")
    said = (one.url, one.title, one.summary, one.content, one.updated)
    old = record(one, content_hash=hashlib.sha256(repr(said).encode()).hexdigest()[:32])
    assert says_the_same(old, one)
    assert not says_the_same(old, replace(one, title="Allies met"))
    assert not has_title(old, one.title)
    posts = document(entry("Drones", url=f"{PAGE}#1"), entry("Sirens", url=f"{PAGE}#2"))
    said = (posts[0].url, "Drones", "", "", None)
    old = record(posts[0], entry_id=PAGE, content_hash=hashlib.sha256(repr(said).encode()).hexdigest()[:32])
    assert [was for _, was in recognise(posts, memory(old))] == [old, None]


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"summary": "They met. 3 comments"}, True),
        ({"title": "Allies meet (5 min ago)"}, True),
        ({"updated": NOW}, True),
        ({"url": f"{PAGE}?utm_source=rss"}, True),
        ({"title": "Allies meet: 5 agree"}, False),
        ({"content": "More."}, False),
    ],
)
def test_only_words_count(changed: dict[str, object], same: bool) -> None:
    one = entry("Allies meet", "1", summary="They met.")
    assert says_the_same(record(one), replace(one, **changed)) is same  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_versions_the_one_that_was_seen_counts(order: Sequence[int]) -> None:
    two = [entry("The day it rained", f"{PAGE}#1"), entry("Riga: The day it rained", f"{PAGE}#2")]
    seen = [(two[0], record(two[0])), (two[1], record(two[0], first_seen=NOW - timedelta(days=1)))]
    assert leading([seen[n] for n in order]) == [seen[0]]
    new = [(one, None) for one in two]
    assert leading([new[n] for n in order]) == [new[0]]


def test_an_article_of_a_shared_page_is_the_entry_s_that_had_its_title() -> None:
    was, seen = an_article(PAGE, title="Drones"), an_article(f"{PAGE}", title="Fog on the coast")
    seen = replace(seen, url=f"{PAGE}#post", id=known_id(f"{PAGE}#post"))
    assert is_same(seen, was, record(entry("Drones", "1")))
    assert not is_same(seen, was, record(entry("Sirens", "1")))
    assert not is_same(seen, was)
