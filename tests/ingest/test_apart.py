"""Entries that their links do not tell apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.apart import former_page, is_edit, named, names_its_page, page_of, set_apart, shared_names, steps
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.urls import article_id, fragment_of, known_id, part_url
from newswatch.entry import Entry

SITE = "https://paper.example/"
PAGE = "https://alerts.example/current"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "feeds"
NOW = datetime(2026, 7, 10, tzinfo=UTC)


def entry(title: str, url: str | None = PAGE, guid: str = "", summary: str = "", hour: int | None = None) -> Entry:
    return Entry(guid, url, title, summary, "", published=datetime(2026, 7, 6, hour, tzinfo=UTC) if hour else None)


def names(*entries: Entry) -> list[tuple[str, str]]:
    found, _ = named(entries, SITE, [f"sha256:{one.title}" for one in entries])
    return [(one.id, one.part) for one in found]


APART = {
    "titles": [entry("Drones over the port"), entry("Sirens in the city")],
    "texts": [entry("Alert", summary="Drones."), entry("Alert", summary="Sirens.")],
    "ids": [entry("Drones", guid="1"), entry("Sirens", guid="2")],
    "ids and dates": [entry("Alert", guid="1", hour=10), entry("Alert", guid="2", hour=11)],
    "ids that are the link": [entry("Drones", guid=PAGE), entry("Sirens", guid=PAGE)],
    "one id": [entry("Drones", guid="x"), entry("Sirens", guid="x")],
    "fragments of ids": [entry("Drones", guid=f"{PAGE}#a"), entry("Sirens", guid=f"{PAGE}#b")],
    "fragments": [entry("Drones", f"{PAGE}#a"), entry("Sirens", f"{PAGE}#b")],
    "fragments of one id": [entry("Drones over Riga", f"{PAGE}#1", "w"), entry("Drones over Kaunas", f"{PAGE}#2", "w")],
    "one fragment": [entry("Drones", f"{PAGE}#rss"), entry("Sirens", f"{PAGE}#rss")],
    "scripts": [entry("Drones", f"{SITE}#!/press/1"), entry("Sirens", f"{SITE}#!/press/2")],
    "numbers of one id": [entry("Warning 1: drones", guid="7"), entry("Warning 2: drones", guid="7")],
    "numbers": [entry("Warning 1: drones"), entry("Warning 2: drones")],
    "the home page": [entry("Drones", "https://paper.example"), entry("Sirens", "http://paper.example/")],
    "no link": [entry("Alert", None, summary="Drones."), entry("Alert", None, summary="Sirens.")],
}


@pytest.mark.parametrize("entries", APART.values(), ids=APART)
def test_different_words_are_different_things_in_any_order(entries: list[Entry]) -> None:
    found = names(*entries)
    assert len({name for name, _ in found}) == 2
    if entries[0].url:
        addresses = {part_url(PAGE, part) for _, part in found}
        assert len(addresses) == 2
    assert sorted(names(*reversed(entries))) == sorted(found)


@pytest.mark.parametrize(
    "entries",
    [
        [entry("Drones"), entry("Drones")],
        [entry("Drones", guid="1"), entry("Drones", guid="2")],
        [entry("Drones (1 comment)"), entry("Drones (2 comments)")],
        [entry("Drones", f"{PAGE}#xtor=RSS-1"), entry("Drones", f"{PAGE}#xtor=RSS-2")],
        [entry("Drones", hour=10), entry("Drones", hour=11)],
        [entry("Allies agree on a plan", guid="7"), entry("Allies agree on the plan", guid="7")],
    ],
)
def test_the_same_words_are_one_thing(entries: list[Entry]) -> None:
    found, problems = named(entries, SITE, ["", ""])
    assert [one.part for one in found] == [""]
    assert "more than once" in problems[0]


def test_a_link_that_is_an_article_s_own_needs_no_part() -> None:
    assert names(entry("A", "https://paper.example/a"), entry("B", "https://paper.example/b?x#c", "2")) == [
        ("https://paper.example/a", ""),
        ("2", ""),
    ]


def test_versions_counted_by_ids_are_one_thing() -> None:
    longer, shorter = "Rome: The day the treaty was signed", "The day the treaty was signed"
    two = [
        entry(shorter, guid=f"{PAGE}#1", summary="Ink."),
        entry(longer.replace("the day", "The day"), guid=f"{PAGE}#8", summary="Ink."),
    ]
    assert [part for _, part in names(*two)] == ["", ""]
    assert "" not in [part for _, part in names(two[0], replace(two[1], summary="Other."))]


@pytest.mark.parametrize("kind", [kind for kind in APART if kind not in ("no link", "one id", "numbers of one id")])
def test_alone_it_has_the_part_it_had_in_company(kind: str) -> None:
    """Once it is remembered which names are shared."""
    found, _ = named(APART[kind], SITE, ["", ""])
    shared = shared_names(found)
    for one, given in zip(found, APART[kind], strict=True):
        [alone], _ = named([given], SITE, [""])
        is_shared = steps(alone)[0].name in shared
        assert one.part == (set_apart(alone, shared.__contains__) if is_shared else alone).part


def test_the_names_go_from_plain_to_particular() -> None:
    one = entry("Drones", f"{PAGE}#a", "7")
    assert [step.name for step in steps(one)] == [PAGE, f"{PAGE}#a", "7"]
    assert steps(entry("Drones", None)) == []
    assert page_of(f"{SITE}#!/press/1?x") == f"{SITE}#!/press/1?x"


@pytest.mark.parametrize(
    ("guid", "counts"),
    [
        (f"{PAGE}#3", True),
        (f"http{PAGE[5:]}#3", True),
        (PAGE, False),
        (f"{PAGE}#post", False),
        ("x#3", False),
        ("", False),
    ],
)
def test_an_id_that_counts_versions(guid: str, counts: bool) -> None:
    assert names_its_page(entry("A", guid=guid)) is counts


@pytest.mark.parametrize(
    ("title", "same_date", "edit"),
    [
        ("Allies agree on a plan", False, True),
        ("Allies agree on the plan", False, True),
        ("Allies agree on 2 plans", False, False),
        ("Sirens in the city", False, False),
        ("Sirens in the city", True, True),
    ],
)
def test_an_edit_under_another_id(title: str, same_date: bool, edit: bool) -> None:
    assert is_edit(entry(title, guid="2"), "Allies agree on a plan", "", same_date=same_date) is edit


def test_a_part_of_a_page_is_an_article_of_its_own_and_a_tracked_link_is_none() -> None:
    assert known_id(PAGE) == article_id(PAGE) == article_id(f"{PAGE}#a") != known_id(f"{PAGE}#a")
    assert known_id(f"http{PAGE[5:]}#a") == known_id(f"{PAGE}#a")
    assert known_id(part_url(PAGE, "ä b%20")) == known_id(part_url(f"{PAGE}?utm_source=x", "ä b%20"))
    assert [fragment_of(f"{PAGE}#{one}") for one in ("xtor=RSS-1", ":~:text=a", "utm_source=a", "p:~:text=a", "")] == [
        "", "", "", "p", "",
    ]  # fmt: skip


def test_a_thousand_entries_of_one_page_take_no_time() -> None:
    entries = [entry(f"A title of several words {n}", guid=f"{PAGE}#{n}", summary="One text.") for n in range(1_000)]
    assert len(names(*entries)) == 1_000


def parsed(body: bytes) -> ParsedFeed:
    found = parse(body, url="https://paper.example/feed.xml", now=NOW)
    assert isinstance(found, ParsedFeed)
    return found


@pytest.mark.parametrize("name", ["same-link-no-guid", "fragments-no-guid", "fragments-guid"])
def test_shared_cases_of_one_link_are_three_entries(name: str) -> None:
    path = SHARED / f"{name}.xml"
    if not path.is_file():
        pytest.skip(f"shared/cases/feeds/{name}.xml is not here")
    entries = parsed(path.read_bytes()).entries
    assert len({one.id for one in entries}) == len({one.part for one in entries}) == 3


def test_shared_cases_well_formed_and_ill_formed_have_the_same_ids() -> None:
    if not SHARED.is_dir():
        pytest.skip("shared/cases/feeds is not here")
    well, ill = (parsed((SHARED / name).read_bytes()) for name in ("poll1-wellformed.xml", "poll2-illformed.xml"))
    assert well.entries[0].id == ill.entries[0].id


def test_an_ill_formed_document_gives_the_same_ids() -> None:
    link = f"{PAGE}?id=5&amp;cat=world"
    items = [f"<item><title>Alert {n} &amp; more</title><link>{link}</link></item>" for n in range(3)]
    head, bad = "<rss version='2.0'><channel><title>P</title>", f"<item><title>B & C</title><link>{PAGE}</link></item>"
    well = parsed(f"{head}{''.join(items)}</channel></rss>".encode())
    ill = parsed(f"{head}{''.join(reversed(items))}{bad}</channel></rss>".encode())
    assert {one.id for one in well.entries} < {one.id for one in ill.entries}


def test_every_order_gives_the_same_names() -> None:
    three = [entry("Alert", summary="a"), entry("Alert", summary="b"), entry("Drones", f"{PAGE}#x")]
    assert len({frozenset(names(*order)) for order in itertools.permutations(three)}) == 1


@pytest.mark.parametrize("url", ["https://a.example/", "https://a.example/?b=1#c", "https://a.example/#!/press/3"])
def test_a_page_is_found_under_its_former_address_alone(url: str) -> None:
    assert former_page(url) == page_of(url), "an article that is a part of the page is not the page's"
    tracked = url.replace("example/", "example/x?srsltid=7&").replace("&?", "&")
    assert "srsltid=7" in former_page(tracked)
    assert "srsltid" not in page_of(tracked)
    assert known_id(former_page(tracked)) != known_id(page_of(tracked))
