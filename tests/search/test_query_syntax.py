"""The query language: what is a filter, what is Lucene's, and what is refused, with the place."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newswatch.alert import TagFilter
from newswatch.errors import QueryError
from search.editing import without, written
from search.extract_filters import extract_filters
from search.filter_clauses import clauses
from search.lucene import as_lucene
from search.syntax import parse, parts
from search.syntax_error import QuerySyntaxError
from search.time_spans import span

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def filters(query: str) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(f.name, f.values, f.negated) for f in parse(query).filters]


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("AWACS Daesh", "AWACS Daesh", []),
        ("AWACS tag:nato/burden-sharing", "AWACS", [("tag", ("nato/burden-sharing",), False)]),
        ("lang:fr,de x", "x", [("lang", ("fr", "de"), False)]),
        ("-source:tass.ru x", "x", [("source", ("tass.ru",), True)]),
        ("x NOT tag:nato", "x", [("tag", ("nato",), True)]),
        ("a AND tag:nato AND b", "a AND b", [("tag", ("nato",), False)]),
        ("tag:nato AND b", "b", [("tag", ("nato",), False)]),
        ('entity:"Jens Stoltenberg",nato', "", [("entity", ("Jens Stoltenberg", "nato"), False)]),
        (r'entity:"the \"bear\""', "", [("entity", ('the "bear"',), False)]),
        ('"a tag:nato phrase" x', '"a tag:nato phrase" x', []),
        ('title:"a b"~2 (x OR y)^2 time:[now-1d TO now]', 'title:"a b"~2 (x OR y)^2 time:[now-1d TO now]', []),
        (r"a\:b /rege?x/ tags:\/", r"a\:b /rege?x/ tags:\/", []),
    ],
)
def test_filters_are_taken_out_and_the_rest_is_lucene(
    query: str, text: str, found: list[tuple[str, tuple[str, ...], bool]]
) -> None:
    assert " ".join(parse(query).text.split()) == text
    assert filters(query) == found


@pytest.mark.parametrize(
    ("query", "place", "why"),
    [
        ("tag:", "tag:", "value must follow"),
        ("x tag: nato", "tag:", "value must follow"),
        ("tag:nato,", "tag:nato,", "value must follow"),
        ("x OR tag:nato", "OR", "can't be joined by OR"),
        ("(x tag:nato)", "tag:nato", "in brackets"),
        ("level:big", "level:big", "main or mention"),
        ("is:old", "is:old", "original or copy or updated"),
        ("since:2026-13-01", "since:2026-13-01", "not a date"),
        ("since:soon", "since:soon", "takes a time"),
        ("since:1d since:2d", "since:2d", "given twice"),
        ("-since:1d", "-since:1d", "can't be negated"),
        ("titel:x", "titel:", "did you mean title:"),
        ("tree:oak", "tree:", "leave out the colon"),
        ('x author:"Jane Roe"', "author:", "no field 'author'"),
        ("Titel: NATO joins", "Titel:", "did you mean title:"),
        ("НАТО:[a TO b]", "НАТО:", "no field 'НАТО'"),
        ("since2:>5", "since2:", "did you mean since:"),
        ("x *drone-un* y", "*drone-un*", "several words"),
        ("anti?drone-unit", "anti?drone-unit", "several words"),
        ("-к*р-95", "-к*р-95", "several words"),
        ("x “open", "“", "no partner"),
        ("NATO” x", "”", "no partner"),
        ("北约「峰会", "「", "no partner"),
        ("NATO /EU", "/", "regular expression"),
        ('x "open', '"', "never closed"),
        ("(a", "(", "never closed"),
        ("a)", ")", "closes nothing"),
        ("time:[a", "[", "never closed"),
        ("tag_details:x", "tag_details:", "no field"),
    ],
)
def test_what_would_match_by_mistake_is_refused_with_its_place(query: str, place: str, why: str) -> None:
    with pytest.raises(QuerySyntaxError) as raised:
        parse(query)
    assert query[raised.value.start : raised.value.end] == place
    assert why in raised.value.reason


def test_a_fault_is_pointed_at_in_its_line() -> None:
    with pytest.raises(QueryError) as raised:
        parse("one\ntwo titel:bar")
    assert str(raised.value).splitlines()[1:] == ["  two titel:bar", "      ^^^^^^"]


@pytest.mark.parametrize("query", ["anti-dron*", "Су-3?", "*terror*", "url:*a-b*", '"*a-b*"', "a-b *cd*", "*-nato"])
def test_wildcards_that_find_words(query: str) -> None:
    assert parse(query).text == query


@given(st.text(alphabet='ab "\\():-,/[]{}!+tag:level since AND OR NOT\n', max_size=40))
def test_any_text_is_parsed_or_refused_and_columns_stay(query: str) -> None:
    try:
        parsed = parse(query)
    except QuerySyntaxError:
        return
    assert len(parsed.text) == len(query)
    assert all(now in (was, " ") for was, now in zip(as_lucene(query), parsed.text, strict=True))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Stoltenberg: NATO joins", "Stoltenberg∶ NATO joins"),
        ("„Gipfel in Ankara“ lang:de", '"Gipfel in Ankara"'),
        ("entity:“Jens Stoltenberg” x", "x"),
        ("\u200etag:nato\u200f \u2067саммит\u2069", "саммит"),
    ],
)
def test_what_looks_like_the_syntax_is_read_as_it(query: str, text: str) -> None:
    assert " ".join(parse(query).text.split()) == text
    assert all("\u200f" not in value and "”" not in value for _, values, _ in filters(query) for value in values)


def test_a_filter_is_taken_out_of_a_query_with_marks_that_nobody_sees() -> None:
    assert without(parse("\u200fAWACS\u200f tag:nato „a b“"), "tag") == "AWACS „a b“"
    assert [parse(q).query[f.start : f.end] for q in ("\u200fx lang:fr",) for f in parse(q).filters] == ["lang:fr"]


@given(st.text(min_size=1, max_size=30).filter(lambda value: value.strip() == value and value))
def test_any_value_can_be_written_and_is_read_again(value: str) -> None:
    assert filters(f"{written('entity', value)} x") == [("entity", (value,), False)]


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("24h", datetime(2026, 3, 3, 5, 6, tzinfo=UTC), datetime(2026, 3, 3, 5, 6, tzinfo=UTC)),
        ("today", datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)),
        ("yesterday", datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)),
        ("2024-02", datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        ("2025", datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03-01T10:30", datetime(2026, 3, 1, 10, 30, tzinfo=UTC), datetime(2026, 3, 1, 10, 31, tzinfo=UTC)),
    ],
)
def test_what_a_time_means(value: str, start: datetime, end: datetime) -> None:
    assert span(value, NOW) == (start, end)


def test_until_a_day_includes_the_day() -> None:
    must, _ = clauses(parse("until:2026-03-01"), NOW)
    assert must == [{"range": {"time": {"lt": "2026-03-02T00:00:00+00:00"}}}]


def test_level_holds_for_the_tags_asked_for_and_not_for_those_excluded() -> None:
    must, must_not = clauses(parse("level:main tag:nato -tag:counter-terrorism"), NOW)
    assert must == [{"terms": {"tags_main": ["nato"]}}]
    assert must_not == [{"terms": {"tags": ["counter-terrorism"]}}]
    assert clauses(parse("level:main"), NOW)[0] == [{"exists": {"field": "tags_main"}}]


def test_only_plain_words_may_be_relaxed() -> None:
    assert parse("l'OTAN rejoint AND lang:fr Daech").words == ("l'OTAN", "rejoint", "Daech")
    for query in ('"a b" c', "a OR b", "a -b", "a AND b", "title:a b", "a* b", "(a b)"):
        assert parse(query).words == ()


def test_a_query_becomes_the_parts_of_a_saved_search() -> None:
    extracted = extract_filters(
        parse('AWACS  "two  blanks" tag:nato level:main lang:FR -source:tass.ru entity:isaf since:7d')
    )
    assert extracted.tags == (TagFilter("nato", "main"),)
    assert extracted.languages == ("fr",)
    assert extracted.query == 'AWACS "two  blanks" -source.domain:"tass.ru" entities:"isaf"'
    assert extracted.dropped == ("since:7d",)


def test_what_is_joined_by_operators_stays_together_beside_a_filter() -> None:
    """Beside an OR it would become optional: the saved search would find every article with the entity."""
    assert extract_filters(parse("NATO OR OTAN entity:isaf")).query == '(NATO OR OTAN) entities:"isaf"'
    assert extract_filters(parse("a AND b -source:x.example")).query == '(a AND b) -source.domain:"x.example"'
    assert extract_filters(parse("НАТО || ОТАН level:main")).query == "(НАТО || ОТАН) _exists_:tags_main"
    assert extract_filters(parse("NATO OR OTAN lang:fr")).query == "NATO OR OTAN"


def test_what_a_saved_search_has_no_part_for_becomes_lucene_that_means_the_same() -> None:
    assert (
        extract_filters(parse("tag:nato,counter-terrorism level:main")).query
        == 'tags_main:("nato" OR "counter-terrorism")'
    )
    assert extract_filters(parse("-is:copy level:main")).query == "NOT (_exists_:duplicate_of) _exists_:tags_main"
    assert parse(extract_filters(parse('story:x feed:y -lang:fr owner:"A B" is:updated')).query).filters == ()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("nato AND (summit OR +talks) -tennis !golf NOT isis", ["nato", "summit", "talks", "tennis", "golf", "isis"]),
        ('title:"foreign fighters"~3 && /isi[sl]/ || x', ['title:"foreign fighters"~3', "/isi[sl]/", "x"]),
        ("published:[2026-01-01 TO now] AWACS", ["published:[2026-01-01 TO now]", "AWACS"]),
        ("version:{2 TO *] x", ["version:{2 TO *]", "x"]),
        ("version:>=2 score:<1 x~1^2", ["version:>=2", "score:<1", "x~1^2"]),
        ("title:(a OR (b AND c))^2 d", ["title:(a OR (b AND c))^2", "d"]),
        ("title: nato summit", ["title: nato", "summit"]),
        ('(title:/a b/ OR "x (y) z") w', ["title:/a b/", '"x (y) z"', "w"]),
        (r"a\:b c\ d \(e\)", [r"a\:b", r"c\ d", r"\(e\)"]),
        ("nato TO nato", ["nato", "TO"]),
        ("-(a b) +(c) * _exists_:agency", ["a", "b", "c", "*", "_exists_:agency"]),
        ("", []),
    ],
)
def test_a_query_is_taken_apart_into_what_it_asks_for(query: str, found: list[str]) -> None:
    assert parts(as_lucene(query)) == found
    with pytest.raises(QuerySyntaxError):
        parts(query + " (")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("country:uk", "GB"),
        ("country:el", "GR"),
        ("country:UK", "GB"),
        ("country:be", "be"),
        ("country:Belgium", "BE"),
        ('country:"United Kingdom"', "GB"),
        ("country:Atlantis", "Atlantis"),
        ("lang:English", "en"),
        ("lang:en-US", "en"),
        ("lang:zh_TW", "zh"),
        ("lang:nb", "no"),
        ("lang:nn-NO", "no"),
        ("lang:iw", "he"),
        ("lang:ger", "de"),
        ("lang:prs", "fa"),
        ("lang:yue", "zh"),
        ("lang:FR", "FR"),
        ("lang:tl", "tl"),
        ("lang:fil", "fil"),
        ("lang:xx", "xx"),
        ("lang:sl", "sl"),
        ("source:www.herald.example", "herald.example"),
        ("source:https://www.Herald.example/world?a=1", "Herald.example"),
        ('source:"The Herald"', "The Herald"),
        ("tag:nato", "nato"),
        (r"entity:a\*b", "a*b"),
    ],
)
def test_a_value_is_meant_as_articles_have_it(query: str, value: str) -> None:
    assert parse(query).filters[0].values == (value,)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("tag:na*", "takes whole values"),
        ("source:*.example", "takes whole values"),
        ("site:herald.example", "did you mean source:"),
        ("before:2026-01-01", "did you mean until:"),
        ("intitle:nato", "did you mean title:"),
        ("nato AND", "AND needs something behind it"),
        ("(nato OR) x", "OR needs something behind it"),
        ("OR nato", "OR needs something before it"),
        ("nato NOT", "NOT needs something behind it"),
        ("nato ()", "nothing in these brackets"),
        ("nato title:", "A value must follow title:"),
    ],
)
def test_what_would_find_nothing_or_be_refused_without_a_reason_is_told(query: str, told: str) -> None:
    with pytest.raises(QuerySyntaxError, match=re.escape(told)):
        parse(query)


def test_a_dash_between_words_is_none() -> None:
    assert parse("NATO - Russia -- talks").words == ("NATO", "Russia", "talks")
    assert parse("NATO -Russia").words == ()
    assert parse("tag:nato AND NATO - Russia").words == ("NATO", "Russia")


def test_an_end_before_the_beginning_is_told() -> None:
    clauses(parse("since:2026-03-04 until:2026-03-04"), NOW)
    for query in ("since:2026-03-05 until:2026-03-04", "since:1d until:2020"):
        with pytest.raises(QuerySyntaxError, match="no article can match"):
            clauses(parse(query), NOW)
