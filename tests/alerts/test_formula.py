"""Saved searches taken apart: into what, and that their parts find what they find whole."""

from __future__ import annotations

import random

import pytest
from elasticsearch import Elasticsearch

import alerts.match
from alerts.formula import (
    EVERYWHERE,
    AllOf,
    AnyOf,
    Formula,
    PlainText,
    formula,
    gather,
    may_be_slow,
    plain_text,
    query_of,
    where,
    words_formula,
)
from alerts.match import match_batch
from alerts.query import to_query
from newswatch.alert import SavedSearch, TagFilter
from search.syntax import parts
from store.names import Names
from tests.alerts.press import Press, a_search, a_story

APART: dict[str, Formula] = {
    "a": "a",
    "a b": "a b",
    "a OR b": AnyOf(("a", "b")),
    "a AND b": AllOf(("a", "b")),
    "(Daesh OR ISIS) AND strike* NOT football": AllOf((AnyOf(("Daesh", "ISIS")), "strike*"), ("football",)),
    '"x y" OR "z w"~3 OR title:q': AnyOf(('"x y"', '"z w"~3', "title:q")),
    "a b NOT c": AllOf(("a b",), ("c",)),
    "a -b -(c OR d)": AllOf(("a",), ("b", AnyOf(("c", "d")))),
    "a b title:c": AllOf(("a b", "title:c")),
    "(a b) OR c": AnyOf(("a b", "c")),
    "a AND -b": AllOf(("a",), ("b",)),
    "counter-terrorism AND AT.T": AllOf(("counter-terrorism", "AT.T")),
}

WHOLE = (
    *("a AND b OR c", "a OR b c", "a OR NOT b", "a b AND c", "x AND a b", "NOT a", "-a", "NOT a b", "+a b"),
    *("a^2 b", "(a OR b)^2", "a~ OR b", "a && b", "a || b", "!a b", "title:(a OR b)", "a [b TO c]", "/ab/ OR c"),
    *(r"a\\(b OR c", "a (b", "a)", "a OR", "OR a", "a OR OR b", "a NOT NOT b", "a NOT -b", "()", "a ()", "* OR a"),
    *('a "b', 'a"b" OR c', "— OR a", "a\u3000OR b", "a\u00a0OR b", "stemmed.english:the a", "a:b:c OR d", "a OR ²"),
    *("nofield:a OR b", "_exists_:a OR b", "tags:>3 OR b", "- a", "a OR --b", "(" * 30 + "a OR b" + ")" * 30),
)


@pytest.mark.parametrize(("query", "wanted"), APART.items())
def test_what_is_taken_apart(query: str, wanted: Formula) -> None:
    assert words_formula(query) == wanted


@pytest.mark.parametrize("query", APART)
def test_what_is_taken_apart_consists_of_what_the_query_language_says(query: str) -> None:
    clauses: set[str] = set()
    gather(words_formula(query), clauses)
    assert {part for clause in clauses for part in parts(clause)} == set(parts(query))


@pytest.mark.parametrize("query", WHOLE)
def test_what_stays_one_clause(query: str) -> None:
    """Where Lucene reads something else than the parts say, or may."""
    assert words_formula(query) == query


def test_the_filters_are_clauses_too() -> None:
    search = a_search("s", "a OR b", tags=(TagFilter("nato", "main"),), languages=("fr", "de"))
    language, tag, words = formula(search).parts  # type: ignore[union-attr]
    assert isinstance(language, str)
    assert isinstance(tag, str)
    assert query_of(language, frozenset()) == {"terms": {"language": ["fr", "de"]}}
    assert query_of(tag, frozenset()) == {"term": {"tags_main": "nato"}}
    assert words == AnyOf(("a", "b"))
    assert formula(a_search("s")) == formula(a_search("s", "*")) == AllOf()
    assert query_of(EVERYWHERE, frozenset()) == {"match_all": {}}


def test_where_a_formula_holds() -> None:
    held = {"a": 0b0011, "b": 0b0101}
    every = 0b1111
    assert where("a", held, every) == 0b0011
    assert where(AnyOf(("a", "b")), held, every) == 0b0111
    assert where(AllOf(("a", "b")), held, every) == 0b0001
    assert where(AllOf((), ("a",)), held, every) == 0b1100
    assert where(AllOf(("a", AllOf(("b",), (AllOf(("a", "b")),)))), held, every) == 0
    assert where(AllOf(), held, every) == every
    with pytest.raises(KeyError):
        where(AllOf(("b", "unknown")), held | {"b": 0}, every)


def test_what_may_be_slow() -> None:
    slow = ("*bc", "?bc", "title:*bc", "a (*b)", "abc~", "/a.*/", "x [a TO b]", "-*b")
    assert all(map(may_be_slow, slow))
    assert not any(map(may_be_slow, ("abc", "ab*", "a b c", "x-*", '"a b"', EVERYWHERE)))


SAID = {
    "abc": PlainText("words", "abc"),
    "counter-terrorism l'otan": PlainText("words", "counter-terrorism l'otan"),
    "北京": PlainText("words", "北京"),
    "abc*": PlainText("prefix", "abc"),
    '"the ships"': PlainText("phrase", "the ships"),
    '"the ships"~2': PlainText("phrase", "the ships"),
}
UNSAID = (
    *("a*c", "*abc", "ab?", "?", "*", "-abc", "title:abc", 'title:"a b"', '-"a b"', "abc~", "abc^2", "a AND b", "AND"),
    *("OR*", "a OR b", "NOT a", "a -b", "a b*", "(a)", "[a TO b]", "/ab/", 'x"a b"', "a\u3000b", "", " ", EVERYWHERE),
)


def test_what_a_clause_says() -> None:
    assert {clause: plain_text(clause) for clause in SAID} == SAID
    assert [clause for clause in UNSAID if plain_text(clause)] == []


# ── against the server ───────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = {
    "en": ("The ships sailed at dawn", "Who saw the US ships of counter-terrorism? IT is the navy's attack, it was."),
    "fr": ("L'Élysée et la lutte", "Les navires de l'OTAN naviguaient contre le terrorisme à l'est, été comme hiver."),
    "de": ("Die Schiffe fuhren über Straßen", "Der Angriff auf die Mässigung und der Maessigung war die Tat."),
    "tr": ("NATO'nun gemileri geldi", "Irak'ta saldırı İstanbul ve kitaplar için."),
    "zh": ("北京的船", "海军攻击在北京发生, NATO 也在."),
    "ar": ("السفن في البحر", "هجوم على سفينة حلف الناتو"),
    "he": ("נאט״ו בתרגיל", 'ספינות \u200fנאט"ו\u200f הגיעו ל־09:30, צה״ל לא.'),
    "xx": ("Laivat tulivat", "the attack of NATO laivat"),
    None: ("Untold ships", "barche attack"),
}
WORDS = (
    *(
        "ships*",
        "the*",
        "Élys*",
        "NATO*",
        "maess*",
        "counter-terr*",
        "سفي*",
        '"die Schiffe"',
        '"at sea"',
        '"navires de"',
    ),
    *("ship", "ships", "the", "is", "it", "who", "us", "nato", "attack", "elysee", "Élysée", "navire", "terrorism"),
    *("schiff", "die", "strassen", "maessigung", "gemi", "istanbul", "kitap", "北京", "攻击", "سفينة", "laivat", "of"),
    *("counter-terrorism", "l'otan", "navy's", "terror*", "sh?p*", "*ship", "atta*", "istambul~", '"the ships"', "x"),
    *("Istanbul", "İSTANBUL", "İstanbul'da", "istanbul’da", "Irak", "ırak", "Kitapları", "l’otan", "otan", "l'élysée"),
    *("“the ships”", "„die Schiffe“", "«navires de»", "‚at sea‘", "“US ships”~3", "“ships”", 'נאט"ו', "נאט''ו", "נאטו"),
    *(
        "09:30",
        "ships:navy",
        "Boote:*",
        "\u200eships\u200f",
        "na\u00advires",
        "http://ships.example/attack?x=1",
        'צה"ל',
        "straße*",
    ),
    *('"ships sailed"~2', "title:ships", "text:attack", "language:fr", "title:the", "attack^2", "/sh.ps/", "[a TO c]"),
)


def a_query(dice: random.Random, depth: int = 0) -> str:
    """Some query; most are what somebody might write, some what nobody should."""
    parts = []
    for n in range(dice.choice((1, 2, 2, 3, 4))):
        nested = depth < 2 and dice.random() < 0.25
        word = f"({a_query(dice, depth + 1)})" if nested else dice.choice(WORDS)
        if n:
            parts.append(dice.choice(("AND", "OR", "OR", "", "", "AND NOT", "NOT")))
        parts.append(dice.choice(("", "", "", "", "", "", "-", "+")) + word if dice.random() < 0.3 else word)
    joined = {0: " OR ", 1: " AND "}.get(dice.randrange(4))
    if joined:  # or all by one operator, as most are
        return joined.join(parts[::2])
    return " ".join(part for part in parts if part)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["asked", "looked up"])
def test_the_parts_find_what_the_whole_finds(
    es: Elasticsearch, names: Names, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts.match, "WORDS_PER_ARTICLE", 0 if way == "looked up" else 10_000)
    press = Press(es, names)
    press.publish(a_story(99, title="ships of NATO attack", text="older"))
    batch = press.publish(
        *(a_story(n, language=lang, title=said[0], text=said[1]) for n, (lang, said) in enumerate(TEXTS.items()))
    )
    dice = random.Random(1)
    searches = [a_search(f"s{n}", a_query(dice)) for n in range(240)]
    report = match_batch(es, names, batch, searches)
    found: dict[str, set[str]] = {search.id: set() for search in searches}
    for match in report.matches:
        found[match.saved_search_id].add(match.article_id)
    apart = 0
    for search, (fails, wanted) in zip(searches, _whole(es, names, batch.seq_from, searches), strict=True):
        assert (search.id in report.failed) == fails, search.query
        assert found[search.id] == wanted, search.query
        clauses: set[str] = set()
        gather(formula(search), clauses)
        apart += len(clauses) > 1 and bool(wanted)
    assert apart > 30


def _whole(es: Elasticsearch, names: Names, seq_from: int, searches: list[SavedSearch]) -> list[tuple[bool, set[str]]]:
    """For each search whether it fails, and else what it finds, asked as it is."""
    bodies = [
        {"size": 100, "query": {"bool": {"filter": [{"range": {"seq": {"gte": seq_from}}}, to_query(search)]}}}
        for search in searches
    ]
    answers = es.msearch(index=names.articles, searches=[line for body in bodies for line in ({}, body)])["responses"]
    return [("error" in a, {hit["_id"] for hit in a.get("hits", {}).get("hits", ())}) for a in answers]
