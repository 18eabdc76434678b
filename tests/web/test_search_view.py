"""What the search page shows beside the hits. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from newswatch.errors import QueryError
from newswatch.topics import Topics
from search.facets import Bar, Counting, Facet, FacetValue
from search.syntax import parse
from tests.factories import NOW, an_article
from web.render import pages, timed
from web.search_view import SHOWN, bar_links, chosen, citation, days, facet_view, with_days
from web.zones import zone_called

LANGUAGES = Facet("lang", tuple(FacetValue(code, 5, code) for code in ("fr", "de", "nl")), 7)


def test_each_value_has_its_state_and_leads_to_an_edited_query() -> None:
    view = facet_view(LANGUAGES, parse("x lang:FR -lang:nl"), Topics())
    assert [(c.label, c.state, c.toggled) for c in view.choices] == [
        ("French", "chosen", "x -lang:nl"),
        ("German", "", "x lang:FR,de -lang:nl"),
        ("Dutch", "excluded", "x lang:FR"),
    ]
    assert view.choices[1].excluding == "x lang:FR -lang:nl,de"
    assert (view.has_more, view.is_open) == (True, False)


def test_an_open_facet_is_searched_and_says_what_it_does_not_show() -> None:
    within = facet_view(LANGUAGES, parse("lang:nl"), Topics(), open_="lang", within="germ")
    assert [choice.label for choice in within.choices] == ["German", "Dutch"], "what is chosen stays"
    many = Facet("source", tuple(FacetValue(f"{n}.example", 1, f"{n}.example") for n in range(SHOWN + 3)), 0)
    view = facet_view(many, parse(""), Topics(), open_="source")
    assert (len(view.choices), view.unshown, view.has_more) == (SHOWN, 3, False)


def test_a_value_that_the_query_names_is_counted_though_it_is_rare() -> None:
    counting = Counting(parse("lang:mt,fr -country:be"))
    assert set(counting.apart) == {"lang", "country"}
    values = {"buckets": [{"key": "en", "doc_count": 9}, {"key": "fr", "doc_count": 4}], "sum_other_doc_count": 3}
    none = {"buckets": [], "sum_other_doc_count": 0}
    whole = dict.fromkeys(("tag", "source", "kind", "reliability", "entity", "main"), none)
    named = {"buckets": [{"doc_count": 2}, {"doc_count": 4}]}
    apart = [{"lang": values, "named lang": named}, {"country": none, "named country": {"buckets": [{"doc_count": 0}]}}]
    languages, countries = sorted(counting.read([whole, *apart]), key=lambda facet: facet.name, reverse=True)
    assert [(value.value, value.count) for value in languages.buckets] == [("mt", 2), ("fr", 4), ("en", 9)]
    assert languages.others == 1
    assert [(value.value, value.count) for value in countries.buckets] == [("be", 0)]


def test_what_is_chosen_is_named_value_by_value() -> None:
    listed = chosen(parse('x lang:fr,de -country:qa since:7d owner:"A, B"'), Topics())
    assert [(one.heading, one.label, one.excluded, one.query) for one in listed] == [
        ("Language", "French", False, 'x lang:de -country:qa since:7d owner:"A, B"'),
        ("Language", "German", False, 'x lang:fr -country:qa since:7d owner:"A, B"'),
        ("Country", "Qatar", True, 'x lang:fr,de since:7d owner:"A, B"'),
        ("Since", "7d", False, 'x lang:fr,de -country:qa owner:"A, B"'),
        ("Owner", "A, B", False, "x lang:fr,de -country:qa since:7d"),
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", ("", "")), ("since:2d until:2026-02", ("2026-03-02", "2026-02-28")), ("until:24h", ("", "2026-03-03"))],
)
def test_the_days_of_a_query(query: str, shown: tuple[str, str]) -> None:
    assert days(parse(query), NOW) == shown


def test_a_day_that_is_not_changed_keeps_what_was_typed() -> None:
    query = parse("x since:2d until:2026-03-04T05:00")
    assert with_days(query, "2026-03-02", "2026-03-03", NOW) == "x since:2d until:2026-03-03"
    assert with_days(query, "", "2026-03-04", NOW) == "x until:2026-03-04T05:00"
    with pytest.raises(QueryError, match="exchange them"):
        with_days(query, "2026-03-05", "2026-03-04", NOW)


@pytest.mark.parametrize(
    ("zone", "day", "query"),
    [
        ("Asia/Kathmandu", "2026-03-04", "since:2026-03-03T18:15 until:2026-03-04T18:14"),
        ("America/New_York", "2026-03-08", "since:2026-03-08T05:00 until:2026-03-09T03:59"),  # of 23 hours
        ("Europe/London", "2026-02-01", "since:2026-02-01 until:2026-02-01"),
        ("UTC", "2026-03-04", "since:2026-03-04 until:2026-03-04"),
    ],
)
def test_days_are_the_readers_and_filters_are_in_utc(zone: str, day: str, query: str) -> None:
    own = zone_called(zone)
    assert own
    assert with_days(parse(""), day, day, NOW, own) == query
    assert days(parse(query), NOW, own) == (day, day)
    assert with_days(parse(query), day, day, NOW, own) == query


@pytest.mark.parametrize(("query", "shown"), [("since:0001", ("0001-01-01", "")), ("until:9998", ("", "9999-01-01"))])
def test_the_calendar_ends_in_days_that_not_every_zone_has(query: str, shown: tuple[str, str]) -> None:
    assert days(parse(query), NOW, ZoneInfo("America/New_York" if "since" in query else "Asia/Kathmandu")) == shown
    assert with_days(parse(""), "0999-01-02", "", NOW, ZoneInfo("America/New_York")).startswith("since:0999-01-02T")


def test_the_first_and_the_last_bar_end_where_the_query_does() -> None:
    hours = [NOW.replace(minute=0, second=0) + timedelta(hours=n) for n in range(-2, 2)]
    bars = [Bar(start, end, 1) for start, end in pairwise(hours)]
    query = parse("x since:2h until:2026-03-04T05:03")
    links = bar_links(bars, query, NOW)
    assert [link.query for link in links] == [
        "x since:2h until:2026-03-04T03:59",
        "x since:2026-03-04T04:00 until:2026-03-04T04:59",
        "x since:2026-03-04T05:00 until:2026-03-04T05:03",
    ]
    assert [(link.since, link.until) for link in links[::2]] == [
        ("2026-03-04T03:06", "2026-03-04T03:59"),
        ("2026-03-04T05:00", "2026-03-04T05:03"),
    ]


def test_times_that_were_chosen_name_their_zone() -> None:
    typed = parse("since:2026-03-03T18:15 until:2026-03-05")
    since, until = chosen(typed, Topics(), ZoneInfo("Asia/Kathmandu"))
    assert (since.moment, until.label) == (datetime(2026, 3, 3, 18, 15, tzinfo=UTC), "2026-03-05, UTC")
    assert [one.label for one in chosen(parse("since:7d until:2026-03-05"), Topics())] == ["7d", "2026-03-05"]


def test_what_a_cookie_may_not_name_is_no_zone() -> None:
    names = ("", "utc", "right/Europe/Riga", "posixrules", "../etc/passwd", f"A/{'b' * 200}", "Mars/Olympus")
    assert [name for name in names if zone_called(name)] == []


def test_times_in_sentences_of_others_are_elements() -> None:
    told = timed("muted <b> until 2026-03-05 05:06 UTC, not 2026-02-31 05:06 UTC")
    assert 'data-form="minute">2026-03-05 05:06 UTC</time>, not 2026-02-31 05:06 UTC' in told
    assert "&lt;b&gt;" in told


def test_a_citation_says_which_version_was_read_and_has_only_addresses_that_are_safe() -> None:
    article = an_article("https://a.example/1", title="Allies meet", authors=("A. Writer",), version=2)
    read = datetime(2026, 3, 5, tzinfo=UTC)
    cited = citation(article, read)
    assert cited.startswith("A. Writer. “Allies meet”. ")
    assert cited.endswith("UTC. https://a.example/1 (version 2, read 2026-03-05)")
    assert "2026-03-04 10:51 UTC+05:45" in citation(article, read, ZoneInfo("Asia/Kathmandu"))
    last = replace(article, published=datetime(9999, 12, 31, 23, tzinfo=UTC))  # whatever a publisher has written
    assert "9999-12-31 23:00 UTC" in citation(last, read, ZoneInfo("Asia/Kathmandu"))
    assert "javascript" not in citation(replace(article, url="javascript:alert(1)", link=None), read)


@pytest.mark.parametrize(
    ("offset", "total", "numbers", "ends"),
    [
        (0, 0, [1], (None, None)),
        (0, 41, [1, 2, 3], (None, 20)),
        (200, 1_000, [1, 9, 10, 11, 12, 13, 50], (180, 220)),
        (9_980, 99_999, [1, 498, 499, 500], (9_960, None)),
        (9_980, 130, [1, 7], (120, None)),  # beyond the last page, back to it
    ],
)
def test_pages_are_numbered(offset: int, total: int, numbers: list[int], ends: tuple[int | None, int | None]) -> None:
    found = pages(offset, 20, total, 10_000)
    assert [number for number, _ in found.numbered] == numbers
    assert (found.previous, found.next) == ends
