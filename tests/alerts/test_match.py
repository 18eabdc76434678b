"""Saved searches against a batch, on the real server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import alerts.clause_search
import alerts.match
from alerts.clause_search import ClauseSearch
from alerts.formula import Clause, query_of
from alerts.highlight import highlights
from alerts.match import match_batch
from alerts.query import to_query
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Article, Evidence, Tag
from search.story_view import independent_sources
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.broken_slice import broken_slice
from tests.factories import NOW, a_source

pytestmark = pytest.mark.slow


@pytest.fixture
def press(es: Elasticsearch, names: Names) -> Press:
    return Press(es, names)


def matched(press: Press, batch: object, *searches: SavedSearch) -> set[tuple[str, str]]:
    report = match_batch(press.es, press.names, batch, searches)  # type: ignore[arg-type]
    assert report.failed == {}
    return {(m.saved_search_id, press.articles[m.article_id].url.rpartition("/")[2]) for m in report.matches}


def test_only_the_batch_is_matched(press: Press) -> None:
    press.publish(a_story(1))
    batch = press.publish(a_story(2), a_story(3))
    press.publish(a_story(4))
    assert matched(press, batch, a_search("all"), a_search("two", "orchard")) == {
        ("all", "2"),
        ("all", "3"),
        ("two", "2"),
    }


def test_every_filter_counts(press: Press) -> None:
    tags = (Tag("nato", "main", 0.9, (Evidence("title", 0, 1, "A"),)), Tag("counter-terrorism", "mention", 0.4, ()))
    one = a_story(1, tags=tags, language="fr", source=a_source(country="FR", domain="jour.example", kind="agency"))
    batch = press.publish(one, a_story(2))
    hits = {
        "main": {"tags": (TagFilter("nato", "main"),)},
        "either": {"tags": (TagFilter("nato"),)},
        "mention": {"tags": (TagFilter("counter-terrorism"),)},
        "both": {"tags": (TagFilter("nato", "main"), TagFilter("counter-terrorism"))},
        "score": {"tags": (TagFilter("nato"),), "min_score": 0.9},
        "language": {"languages": ("de", "fr")},
        "country": {"countries": ("FR",)},
        "source": {"sources": ("jour.example",)},
        "kind": {"kinds": ("agency",)},
    }
    misses = {
        "not-main": {"tags": (TagFilter("counter-terrorism", "main"),)},
        "not-both": {"tags": (TagFilter("nato"), TagFilter("counter-terrorism", "main"))},
        "low": {"tags": (TagFilter("counter-terrorism"),), "min_score": 0.5},
        "elsewhere": {"countries": ("DE",), "languages": ("fr",)},
    }
    searches = [a_search(name, "", **fields) for name, fields in (hits | misses).items()]  # type: ignore[arg-type]
    assert matched(press, batch, *searches) == {(name, "1") for name in hits}


def test_says_where_in_the_words_of_the_article(press: Press) -> None:
    article = a_story(1, title="Glaciers are melting", text="Rivers swell.\nThe melted glacier feeds them.")
    batch = press.publish(article)
    search = a_search("ice", "glacier melt")
    (match,) = match_batch(press.es, press.names, batch, [search]).matches
    wanted = [("ice", to_query(search), "en", article.id), ("ice", to_query(search), "en", "unknown")]
    found = highlights(press.es, press.names, wanted)
    shown = [(p.field, [p.text[start:end] for start, end in p.marks]) for p in found["ice", article.id]]
    assert shown == [("title", ["Glaciers", "melting"]), ("text", ["melted", "glacier"])]
    assert len(found) == 1
    assert match.indexed_at
    assert match.published == article.published


def test_every_language_is_searched_by_its_own_word_forms(press: Press) -> None:
    """Only the fields of the languages in the batch are asked; none that an article has may be left out."""
    texts = {"en": "ships sailed", "de": "Die Schiffe fuhren", "fr": "les navires naviguaient", "tr": "kitaplar geldi"}
    articles = [
        a_story(n, language=language, title="", text=text) for n, (language, text) in enumerate(texts.items(), 1)
    ]
    batch = press.publish(*articles, a_story(5, language=None, text="barche"), a_story(6, language="xx", text="laivat"))
    words = {"1": "ship", "2": "schiff", "3": "navire", "4": "kitap", "5": "barche", "6": "laivat"}
    searches = [a_search(f"s{n}", word) for n, word in words.items()]
    assert matched(press, batch, *searches) == {(f"s{n}", n) for n in words}
    narrow = query_of("ship", frozenset({"english"}))["query_string"]["fields"]
    assert [field for field in narrow if field.startswith("stemmed.")] == ["stemmed.english"]


def test_a_broken_search_hides_none_of_the_others(press: Press) -> None:
    batch = press.publish(a_story(1))
    searches = [a_search(f"s{n}", "glacier") for n in range(40)]
    broken = [a_search("open", "(glacier"), a_search("regex", "/gla(/"), a_search("date", "published:yesterdayish")]
    report = match_batch(press.es, press.names, batch, [*searches[:20], *broken, *searches[20:]])
    assert {m.saved_search_id for m in report.matches} == {s.id for s in searches}
    assert report.failed.keys() == {"open", "regex", "date"}
    assert all(report.failed.values())


def test_a_slow_search_hides_none_of_the_others(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregate = ClauseSearch._aggregate

    def impatient(self: ClauseSearch, chunk: Sequence[Clause]) -> Iterator[int]:
        is_slow = any("{9}" in repr(clause) for clause in chunk)
        # On a busy machine the others may take longer than a tenth of a second, too.
        patience_s = 0.1 if is_slow else 60.0
        monkeypatch.setattr(alerts.clause_search, "PATIENCE_S", patience_s)
        self._patient = self._patient.options(request_timeout=2 * patience_s)
        return aggregate(self, chunk)

    monkeypatch.setattr(ClauseSearch, "_aggregate", impatient)
    batch = press.publish(*(a_story(n) for n in range(10)))
    # Each makes thousands of states before the first word is looked at, within the limits on a query.
    expressions = " OR ".join(f"/[a-z]*{letter}{'[a-z]' * 3}[a-z]{{9}}/" for letter in "aei")
    slow = a_search("slow", f"glacier AND ({expressions})")
    report = match_batch(press.es, press.names, batch, [a_search("plain", "glacier"), slow, a_search("wild", "*acier")])
    assert {m.saved_search_id for m in report.matches} == {"plain", "wild"}
    assert report.failed == {"slow": "It took Elasticsearch more than 0.1 seconds."}


def test_nothing_indexed_yet(press: Press) -> None:
    batch = replace(press.publish(a_story(1)), number=99)
    assert match_batch(press.es, Names("nothing-here-"), batch, [a_search("all")]).matches == ()
    assert match_batch(press.es, press.names, batch, [a_search("all")]).matches == ()


def test_a_batch_in_several_pieces(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.match, "PIECE", 3)
    batch = press.publish(*(a_story(n, language="fr" if n > 5 else "en") for n in range(10)))
    found = matched(
        press, batch, a_search("all"), a_search("few", "orchard OR glacier"), a_search("not", "plan -violin")
    )
    assert found == {("all", str(n)) for n in range(10)} | {("few", "1"), ("few", "2")} | {
        ("not", str(n)) for n in range(10) if n != 8
    }


def test_blocks_share_what_is_known(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.match, "BLOCK", 2)
    monkeypatch.setattr(alerts.match, "REMEMBERED", 3)
    batch = press.publish(*(a_story(n) for n in range(3)))
    words = ("harbour", "glacier", "orchard")
    searches = [a_search(f"s{n}", f"{words[n % 3]} OR word{n}") for n in range(9)]
    assert matched(press, batch, *searches) == {(f"s{n}", str(n % 3)) for n in range(9)}


def test_more_buckets_than_the_server_allows(press: Press, es: Elasticsearch) -> None:
    batch = press.publish(*(a_story(n) for n in range(10)))
    es.cluster.put_settings(transient={"search.max_buckets": 12})
    try:
        found = matched(press, batch, *(a_search(f"s{n}") for n in range(8)))
    finally:
        es.cluster.put_settings(transient={"search.max_buckets": None})
    assert len(found) == 80


def report_of(story_id: str, n: int, owner: str | None, **changes: Any) -> Article:
    """The n-th article, on a story, by an outlet of this owner."""
    return a_story(n, story_id=story_id, source=a_source(owner=owner, domain=f"{n}.example"), **changes)


def test_independent_sources_are_owners_who_copy_none(press: Press) -> None:
    one, same_owner = report_of("s", 1, "A"), report_of("s", 2, "A")
    copy = report_of("s", 3, "C", duplicate_of=one.id)
    searches = (a_search("sure", min_sources=2), a_search("any"))
    batch = press.publish(one, same_owner, copy)
    assert matched(press, batch, *searches) == {("any", n) for n in "123"}
    batch = press.publish(report_of("s", 4, None))
    assert matched(press, batch, *searches) == {("any", "4"), ("sure", "1"), ("sure", "4")}
    assert independent_sources(press.es, press.names.articles, ["s", "unknown"]) == {"s": 2, "unknown": 1}


def test_the_source_that_makes_it_enough_need_not_match_itself(press: Press) -> None:
    sure, surest = a_search("sure", "glacier", min_sources=2), a_search("surest", "glacier", min_sources=3)
    batch = press.publish(report_of("s", 1, "A"), report_of("other", 11, "A"))
    assert matched(press, batch, sure, surest) == set()
    batch = press.publish(report_of("s", 2, "B", first_seen=NOW + timedelta(minutes=9)), now=NOW + timedelta(minutes=9))
    report = match_batch(press.es, press.names, batch, [sure, surest])
    assert [(m.saved_search_id, m.article_id, m.story_id) for m in report.matches] == [("sure", a_story(1).id, "s")]
    assert report.matches[0].indexed_at == NOW + timedelta(minutes=9), "it was the second that made it news"
    edited = replace(report_of("s", 1, "A"), title="The glacier again")
    batch = press.publish(report_of("s", 3, "C"), report_of("else", 4, "D"), edited)
    assert matched(press, batch, sure, surest) == {("sure", "1"), ("surest", "1")}, "the first stays the first"


def test_a_broken_search_that_waits_for_sources_hides_none_of_the_others(press: Press) -> None:
    batch = press.publish(report_of("s", 1, "A"), report_of("s", 2, "B"))
    searches = [a_search("open", "(glacier", min_sources=2), a_search("sure", "glacier", min_sources=2)]
    report = match_batch(press.es, press.names, batch, searches)
    assert {m.saved_search_id for m in report.matches} == {"sure"}
    assert report.failed.keys() == {"open"}


def test_a_story_that_may_have_its_sources_in_a_slice_that_fails_is_not_given_up(press: Press) -> None:
    batch = press.publish(report_of("s", 1, "A"))
    sure, any_ = a_search("sure", "glacier", min_sources=2), a_search("any", "glacier")
    others = (a_search("other", "thimble", min_sources=2), a_search("enough", "glacier", min_sources=1))
    with broken_slice(press.es, press.names, {"source": {"properties": {"owner": {"type": "text"}}}}):
        report = match_batch(press.es, press.names, batch, [sure, any_, *others])
    assert {m.saved_search_id for m in report.matches} == {"any", "enough"}
    assert report.failed.keys() == {"sure"}, "the others match no story that may have too few sources"
    assert "2001.01" in report.failed["sure"], "so the batch is matched against it once more"
    assert matched(press, press.publish(report_of("s", 2, "B")), sure) == {("sure", "1")}
