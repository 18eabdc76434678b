"""Queries that would cost Elasticsearch or newswatch too much: each is refused with a sentence, or answered in time.

A row of `REFUSED` names what the sentence must say; one of `ANSWERED` may be answered or refused by Elasticsearch, with
a sentence and within `BOUND_S`. Beside each, a good query is answered as before; and stored as saved searches, as an
older newswatch or somebody in Kibana may have stored them, all of them together cost the good search nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from elasticsearch import Elasticsearch

from alerts.backtest import backtest
from alerts.match import match_batch
from alerts.query import check
from alerts.saved import SavedSearches
from newswatch.alert import SavedSearch
from newswatch.batch import Batch, BatchState
from newswatch.errors import QueryError
from newswatch.problems import Bulkhead
from newswatch.settings import Settings
from search.export import every
from search.hints import hints
from search.limits import MAX_CHARS, check_cost
from search.query import find
from search.syntax import parse
from search.tail import Tail
from search.whole_text import whole_text
from search.words import MOST_WORDS
from store.indices.mapping import DEFAULT_FIELDS
from store.indices.setup import set_up
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW

pytestmark = pytest.mark.slow

BOUND_S = 15.0
"""For one query, on a machine that others use too; none took more than 1.5 s alone."""
REFUSAL_S = 1.0
"""For saying no."""

WORDS = """
    alliance minister defence coalition attack terror border summit brussels troops baltic command bomber missile
    security officials plan exercise spending fighter court trial police airport bridge training intelligence
""".strip().split()


def words(count: int, form: str = "{}", joint: str = " ") -> str:
    """So many different words."""
    return joint.join(form.format(f"{WORDS[n % len(WORDS)]}{n // len(WORDS) or ''}") for n in range(count))


REFUSED: Mapping[str, tuple[str, str]] = {
    "the issue's hundred fuzzy words": ("natoo~2 " * 100, "fuzzy words"),
    "the issue's 25 fuzzy words": (words(25, "{}~2"), "fuzzy words"),
    "fuzzy words joined by OR": (words(11, "{}~", " OR "), "fuzzy words"),
    "fuzzy with a blank before": (words(12, "{} ~2"), "fuzzy words"),
    "fuzzy in fields": (words(12, "title:{}~1"), "fuzzy words"),
    "long fuzzy words": (" ".join(f"{word}{'x' * 30}~2" for word in WORDS[:5]), "letters in fuzzy words"),
    "a fuzzy word of 300 letters": ("a" * 300 + "~2", "letters in fuzzy words"),
    "a thousand ORs": (words(1_000, joint=" OR ")[:MAX_CHARS], "words"),
    "beyond the longest": (words(3_000, joint=" OR "), "characters"),
    "a megabyte": ("nato " * 200_000, "characters"),
    "half a character": ("na\ud800to", "half a character"),
    "long words, fuzzy": (f"{'x' * 41}~1", "fuzzy word"),
    "words without blanks": ("-".join(WORDS * 19), "words"),
    "phrases by the hundred": (words(300, '"{} plan"')[:7_900].rsplit(' "', 1)[0], "words"),
    "a phrase of 600 words": ('"' + words(600) + '"', "words"),
    "ideographs": ("北大西洋公约组织" * 70, "words"),
    "brackets 21 deep": ("(" * 21 + "nato" + ")" * 21, "brackets within brackets"),
    "brackets 1,000 deep": ("(" * 1_000 + "nato" + ")" * 1_000, "brackets within brackets"),
    "brackets with operators": ("NOT (nato OR " * 25 + "x" + ")" * 25, "brackets within brackets"),
    "*a*": ("*a*", "matches nearly every word"),
    "?*": ("?*", "matches nearly every word"),
    "***": ("***", "matches nearly every word"),
    "*?*?*?*?": ("*?*?*?*?", "matches nearly every word"),
    "?a*": ("?a*", "matches nearly every word"),
    "title:*e*": ("title:*e*", "matches nearly every word"),
    "leading wildcards": (words(11, "*{}"), "begin with a wildcard"),
    "leading wildcards in fields": (words(11, "text:?{}*", " OR "), "begin with a wildcard"),
    "leading wildcards, negated": (words(11, "-*{}"), "begin with a wildcard"),
    "wildcards by the dozen": (words(51, "{}*", " OR "), "words with wildcards"),
    "inner wildcards": (words(60, "a*{}?e", " OR "), "words with wildcards"),
    "a pattern of 300 letters": ("a" * 300 + "*", "with wildcards"),
    "a word of 1,001 letters": ("a" * 1_001, "most"),
    "a word of nothing but escapes": ("\\a" * 1_500, "most"),
    "four expressions": (words(4, "/{}s?/"), "regular expressions"),
    "a long expression": ("/" + "(a|b)" * 30 + "/", "most"),
    "repeats": ("/.{1,1000}/", "repeats something 1000 times"),
    "repeats of repeats": ("/(a{1,20}){1,20}/", "repeats something 20 times"),
    "a determinization bomb": ("/[a-z]*a[a-z]{12}/", "repeats something 12 times"),
    "a number beyond numbers": ("/a{99999999999999999999}/", "repeats something"),
    "a range of numbers in an expression": ("/<1-999999>/", "range of numbers"),
    "expressions behind words": ("a./x/ b./y/ c./z/ d./w/", "regular expression"),
    "ranges": (words(11, "text:[{} TO z]"), "ranges"),
    "bare ranges": (" ".join("[a TO z]" for _ in range(11)), "ranges"),
    "ranges by signs": (words(11, "text:>={}"), "ranges"),
    "slop": ('"nato terrorism"~101', "places apart"),
    "slop beyond numbers": ('"nato terrorism"~99999999999999999999', "places apart"),
    "slops": (" OR ".join('"the of to and a the of to and a"~90' for _ in range(5)), "loose phrases"),
    "a boost beyond numbers": ("nato^1e40", "boost"),
    "a boost of a thousand times": ("nato^1001", "boost"),
    "short filters": (" ".join(f"-tag:t{n}" for n in range(51)), "short filters"),
    "values of a short filter": ("source:" + ",".join(f"s{n}" for n in range(201)), "values"),
    "a bracket that is never closed": ("(" * 500, "never closed"),
    "a quotation mark that is never closed": ('nato "', "never closed"),
    "a range that is never closed": ("[" * 3_000, "never closed"),
    "an expression that is never closed": ("/" + "a" * 500, "never closed"),
    "a slash in a word": ("and/or " * 3_000, "characters"),
    "a field that there is not": ("titel:nato", "no field"),
}
"""Name → the query, and what the sentence says."""

ANSWERED: Mapping[str, str] = {
    "an analyst's list": words(200, joint=" OR ") + " OR " + words(12, "{}*", " OR "),
    "an analyst's list of phrases": words(60, '"{} plan"', " OR "),
    "ten fuzzy words": words(10, "{:.8}~2", " OR "),
    "ten leading wildcards": words(10, "*{:.5}*", " OR "),
    "fifty wildcards": words(50, "{:.3}*", " OR "),
    "three expressions": "/[a-z]*a[a-z]{10}/ OR /.*(stan|land)[a-z]{0,3}/ OR /[a-z]*e[a-z]{10}/",
    "an expression of everything": "/.*.*.*.*/",
    "ten ranges": words(10, "text:[{:.1} TO z]"),
    "everything": "*",
    "everything by field": "*:*",
    "everything with a title": "title:*",
    "brackets 20 deep": "(" * 20 + "nato" + ")" * 20,
    "loose phrases": " OR ".join('"the of to and a"~90' for _ in range(4)),
    "every stemmed field": "stemmed.\\*:nato",
    "every field": "\\*:nato",
    "a wildcard over every field": "\\*:a*",
    "a negative boost": "nato^-1",
    "a number that is none": "version:[1 TO 99999999999999999999]",
    "a date that is none": "published:yesterdayish",
    "a date beyond dates": "published:>=99999999-01-01",
    "nothing but exclusions": "-nato -plan -harbour",
    "operators alone": "AND OR NOT",
    "operators by the hundred": "NOT " * 400 + "nato",
    "signs alone": "+ - && || !",
    "an emoji": "🛰️" * 50,
    "right to left": "الناتو " * 100,
    "nothing between quotes": '"" ""',
    "a null": "na\0to",
    "an address": "https\\:\\/\\/example.org\\/" + "a" * 900,
    "_exists_ fifty times": words(50, "_exists_:title", " OR "),
    "words that mean nothing": "the of and to " * 100,
    "proximity with wildcards": '"nat* terror* pla?"~50',
    "a short filter's value of 5,000 letters": "source:" + "a" * 5_000,
    "a short filter's wildcards": 'source:"' + "*?" * 500 + '"',
}


@pytest.fixture(scope="module")
def press(es: Elasticsearch, elasticsearch_url: str) -> Iterator[Press]:
    names = Names(f"t{secrets.token_hex(4)}-")
    set_up(es, names, Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix))
    press = Press(es, names)
    press.publish(*(a_story(n) for n in range(60)))
    es.indices.refresh(index=names.articles)
    yield press
    for index in es.indices.get(index=f"{names.prefix}*", expand_wildcards="all", features="settings"):
        es.indices.delete(index=index)
    es.indices.delete_index_template(name=names.articles)


def good(press: Press) -> int:
    """What the good query beside them finds."""
    return find(press.es, press.names, "glacier", now=NOW).total


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_with_a_sentence_wherever_it_is_asked(press: Press, name: str) -> None:
    query, why = REFUSED[name]
    article = next(iter(press.articles.values()))
    asked = (
        lambda: parse(query),
        lambda: find(press.es, press.names, query, now=NOW),
        lambda: next(every(press.es, press.names, query, now=NOW)),
        lambda: Tail.start(press.es, press.names, query, NOW),
        lambda: hints(press.es, press.names, query, NOW),
        lambda: whole_text(press.es, press.names, query, article),
    )
    for ask in asked:
        started = time.thread_time()
        with pytest.raises(QueryError) as refused:
            ask()
        assert time.thread_time() - started < REFUSAL_S
        assert why in str(refused.value)
        assert len(str(refused.value).partition("\n")[0]) < 400, "a sentence, not the query"
    assert good(press) == 6


@pytest.mark.parametrize("name", ANSWERED)
def test_is_answered_in_time_or_refused_with_a_sentence(press: Press, name: str) -> None:
    query, started = ANSWERED[name], time.monotonic()
    told = ""
    try:
        find(press.es, press.names, query, by_story=True, with_facets=True, with_story=True, now=NOW)
    except QueryError as refused:
        told = str(refused)
    assert len(told) < 1_000
    assert time.monotonic() - started < BOUND_S
    assert good(press) == 6


LONG: Mapping[str, str] = {
    "a pasted page": words(490),
    "compounds": words(60, "{}-beitritt"),
    "a page in Chinese": " ".join("北大西洋公约组织部长会议" + chr(0x4E00 + n) for n in range(30)),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_looked_for_in_an_index_of_all_languages(
    press: Press, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.query.filled_fields", lambda *_: list(DEFAULT_FIELDS))
    started = time.monotonic()
    found = find(press.es, press.names, f"glacier {LONG[name]}", by_story=True, with_facets=True, now=NOW)
    assert found.hits[0].article.title.startswith("A new glacier")
    assert bool(found.shortened) == (len(LONG[name].split()) > MOST_WORDS)
    assert time.monotonic() - started < BOUND_S


@pytest.mark.parametrize("name", ["an analyst's list", "an analyst's list of phrases", "fifty wildcards"])
def test_an_honest_query_stays_possible(press: Press, name: str) -> None:
    search, started = a_search("honest", f"({ANSWERED[name]}) OR glacier"), time.monotonic()
    check(press.es, press.names, search)
    assert backtest(press.es, press.names, search, days=30, now=NOW).articles >= 6
    assert time.monotonic() - started < BOUND_S


@pytest.mark.parametrize("name", [name for name, (query, _) in REFUSED.items() if "short filter" not in name])
def test_is_not_saved(press: Press, name: str) -> None:
    query, _ = REFUSED[name]
    with pytest.raises(QueryError):
        SavedSearches(press.es, press.names).save(a_search("bad", query), by="ann", now=NOW)


def test_stored_all_the_same_they_cost_the_good_one_nothing(press: Press) -> None:
    bad = {name: query for name, (query, _) in REFUSED.items()} | dict(ANSWERED)
    searches = [a_search(f"bad-{n:03}", query) for n, query in enumerate(bad.values())]
    waiting = [replace(search, id=f"w{search.id}", min_sources=2) for search in searches]
    walls, started = Bulkhead("match"), time.monotonic()
    report = match_batch(press.es, press.names, BATCH, [*searches, *waiting, GOOD], bulkhead=walls)
    assert time.monotonic() - started < 120
    assert len([m for m in report.matches if m.saved_search_id == "good"]) == 6
    assert report.failed.keys() >= {f"bad-{n:03}" for n, query in enumerate(bad.values()) if too_much(query)}
    assert {problem.subject for problem in walls.problems} == set(report.failed)
    assert all(report.failed.values())


GOOD: SavedSearch = a_search("good", "glacier")
BATCH = Batch(1, ("herald",), BatchState.INDEXED, NOW, NOW, attempts=1)
"""What `press` publishes."""


def too_much(query: str) -> bool:
    try:
        check_cost(query)
    except QueryError:
        return True
    return False
