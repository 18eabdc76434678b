"""Searching the newsroom's stories on the real server."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from elasticsearch import Elasticsearch

import search.highlight
import search.page
import search.picks
import search.story_view
from newswatch.article import Article, Source
from newswatch.errors import QueryError
from search.asked import Sort, filled_fields
from search.export import CsvWriter, every, row
from search.facets import histogram, interval, scale, time_range, timeline
from search.first_page import FirstPage
from search.highlight import MARK_END, MARK_START, analyzer_of, unmarked
from search.query import Results, find
from search.syntax import parse
from search.tail import Tail
from search.whole_text import whole_text
from store.articles import ArticleStore
from store.batches import BatchStore
from store.elastic.times import midnight
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.factories import NOW, an_article
from tests.newsstand import CANONICAL, stock, stories, url_of
from tests.pristine import Pristine


@pytest.fixture(scope="module")
def newsstand() -> list[Article]:
    return stories()


@pytest.fixture(scope="module")
def furnished(es: Elasticsearch, elasticsearch_url: str, newsstand: list[Article]) -> Iterator[Pristine]:
    """Index names whose indices hold the newsroom's stories, and again for each test that asks."""
    kept = Pristine(es, elasticsearch_url, lambda names: stock(es, names, newsstand))
    yield kept
    kept.end()


@pytest.fixture
def names(request: pytest.FixtureRequest, pristine: Pristine, furnished: Pristine) -> Iterator[Names]:
    """The index names of one test, which hold the stories if it asks for the stand."""
    here = furnished if "stand" in request.fixturenames else pristine
    yield here.names()
    here.clean()


@pytest.fixture
def stand(names: Names, newsstand: list[Article]) -> list[Article]:
    return newsstand


def titles(results: Results) -> list[str]:
    return [hit.article.title for hit in results.hits]


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "query",
    [
        "NATO joins coalition against ISIS",
        "AWACS Daesh",
        "Stoltenberg terrorism intelligence cell",
        "2% defence spending Trump Brussels",
        "2% defense spending Trump Brussels",
        "OTAN coalition Daech",
        "l'OTAN rejoint la coalition contre Daech",
        "Stoltenberg cellule de renseignement terrorisme",
        "2 % dépenses de défense Trump Bruxelles",
        "NATO tritt der Koalition gegen den IS bei",
        "Stoltenberg Geheimdienst Zelle Terrorismus",
        "Verteidigungsausgaben Trump Brüssel 2 Prozent",
        "NATO-Beitritt Anti-IS-Koalition",
        "НАТО коалиция ИГИЛ",
        "الناتو داعش",
    ],
)
def test_the_canonical_story_is_found_by_what_people_type(
    es: Elasticsearch, names: Names, stand: list[Article], query: str
) -> None:
    canonical = next(article for article in stand if article.url == url_of(CANONICAL))
    found = find(es, names, query, size=5, by_story=True, now=NOW)
    assert canonical.story_id in [hit.article.story_id for hit in found.hits]


def test_words_are_looked_for_in_the_languages_that_articles_are_in(
    es: Elasticsearch, names: Names, stand: list[Article]
) -> None:
    filled = {analyzer_of(article.language) for article in stand}
    plain = ["title^3", "summary^1.5", "text"]
    assert set(filled_fields(es, names, parse("AWACS"))) == {*plain, *(f"stemmed.{name}" for name in filled)}
    assert filled_fields(es, names, parse("AWACS lang:FR")) == [*plain, "stemmed.french"]


def test_a_query_for_what_the_newsroom_lacks_finds_nothing(
    es: Elasticsearch, names: Names, stand: list[Article]
) -> None:
    found = find(es, names, "zeppelin vulcanology xylophonist", now=NOW)
    assert (found.total, found.hits, found.relaxed) == (0, (), False)


def test_fewer_than_all_words_are_taken_only_where_no_article_has_all_and_it_is_said(
    es: Elasticsearch, names: Names, stand: list[Article]
) -> None:
    assert not find(es, names, "AWACS Daesh Stoltenberg", now=NOW).relaxed
    relaxed = find(es, names, "AWACS Daesh Stoltenberg zeppelin", now=NOW)
    assert relaxed.relaxed
    assert relaxed.total > 0
    assert find(es, names, "AWACS AND Daesh AND zeppelin", now=NOW).total == 0


def test_one_row_per_story_counts_what_matches_in_it(es: Elasticsearch, names: Names, stand: list[Article]) -> None:
    articles = find(es, names, "AWACS tag:nato", now=NOW)
    grouped = find(es, names, "AWACS tag:nato", by_story=True, now=NOW)
    canonical = next(article for article in stand if article.url == url_of(CANONICAL)).story_id
    sizes = {hit.article.story_id: hit.matching for hit in grouped.hits}
    assert grouped.total == articles.total
    assert grouped.stories == len(grouped.hits) == len(sizes)
    assert sizes[canonical] == sum(hit.article.story_id == canonical for hit in articles.hits) == 3


@pytest.mark.parametrize("sort", ["relevance", "time"])
@pytest.mark.parametrize("a_story", [1, 6])
def test_stories_picked_from_the_first_articles_are_those_that_elasticsearch_picks_from_all(
    es: Elasticsearch,
    names: Names,
    stand: list[Article],
    sort: Sort,
    a_story: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Page by page, to the end; with as few looked through as there are rows, most pages fall back."""

    def rows() -> list[list[tuple[str, str, int]]]:
        pages = (
            find(es, names, "NATO", size=3, offset=at, sort=sort, by_story=True, now=NOW) for at in range(0, 60, 3)
        )
        return [[(h.article.id, h.article.story_id, h.matching) for h in page.hits] for page in pages]

    monkeypatch.setattr(search.page, "ARTICLES_A_STORY", a_story)
    picked = rows()
    monkeypatch.setattr(search.page, "_PICKED", 0)
    assert picked == rows()
    assert len({story for page in picked for _, story, _ in page}) == sum(map(len, picked)) > 9
    assert picked[-1] == [], "the end was reached"


@pytest.mark.parametrize("buckets", [1_000, 2])
def test_a_row_says_how_many_independent_sources_its_story_has(
    es: Elasticsearch, names: Names, buckets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if one answer doesn't hold them all, and whether or not the query finds their articles."""

    def report(n: int, story: int, outlet: str, copied: int | None = None) -> Article:
        source = Source(outlet, outlet, f"{outlet}.example")
        original = f"{copied:032x}" if copied else None
        title = "Ministers meet" if n == 4 else "A flank plan"
        return an_article(id=f"{n:032x}", story_id=f"s{story}", source=source, duplicate_of=original, title=title)

    reports = [report(1, 1, "a"), report(2, 1, "b"), report(3, 1, "c", 1), report(4, 1, "d"), report(5, 2, "a")]
    stock(es, names, reports)
    monkeypatch.setattr(search.story_view, "_BUCKETS", buckets)
    found = find(es, names, "title:flank", by_story=True, with_story=True, now=NOW).hits
    assert {hit.article.story_id: hit.story.independent for hit in found} == {"s1": 3, "s2": 1}
    assert {hit.story.independent for hit in find(es, names, "title:flank", by_story=True, now=NOW).hits} == {1}, (
        "not asked for"
    )


def test_what_elasticsearch_can_not_mark_is_shown_and_marked_by_its_words(
    es: Elasticsearch, names: Names, stand: list[Article], monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = find(es, names, "AWACS", now=NOW).hits
    monkeypatch.setattr(
        search.highlight, "highlighting", lambda *_, **__: {"type": "none such", "fields": {"title": {}}}
    )
    unmarked = find(es, names, "AWACS", now=NOW).hits
    assert all(hit.highlights for hit in marked)
    assert [replace(hit, highlights={}) for hit in unmarked] == [replace(hit, highlights={}) for hit in marked] != []
    assert all("\ue000AWACS\ue001" in text for hit in unmarked for texts in hit.highlights.values() for text in texts)


def test_an_article_that_is_replaced_while_the_page_is_read_is_left_out(
    es: Elasticsearch, names: Names, stand: list[Article], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = find(es, names, "AWACS", now=NOW).hits
    picks = search.picks.picks

    def replaced(answer: dict[str, Any]) -> list[Any]:
        found = picks(answer)
        return [*(pick._replace(seq=10**9) for pick in found[:1]), *found[1:]]

    monkeypatch.setattr(search.page, "picks", replaced)
    assert [hit.seq for hit in find(es, names, "AWACS", now=NOW).hits] == [hit.seq for hit in before[1:]] != []


def test_an_original_stands_for_its_story_though_a_copys_title_says_it_better(es: Elasticsearch, names: Names) -> None:
    text = "Two hundred of them sailed from Narvik at dawn, said a spokesman of the Alliance."
    original = an_article(id="a" * 32, story_id="a" * 32, title="A fleet leaves", text=text)
    copied = {"story_id": original.id, "duplicate_of": original.id, "text": text}
    better = an_article(id="b" * 32, title="Narvik: a fleet leaves", **copied)
    stock(es, names, [original, better])
    (hit,) = find(es, names, "Narvik", by_story=True, now=NOW).hits
    assert hit.article.id == original.id
    assert hit.copy is not None
    assert (hit.copy.article.id, hit.copy.title) == (better.id, f"{MARK_START}Narvik{MARK_END}: a fleet leaves")
    # Its own title says that too, or the query does not find it.
    (hit,) = find(es, names, "fleet", by_story=True, now=NOW).hits
    assert (hit.article.id, hit.copy) == (original.id, None)
    (hit,) = find(es, names, "title:Narvik", by_story=True, now=NOW).hits
    assert (hit.article.id, hit.copy) == (better.id, None)


def test_articles_without_a_story_are_one_each(es: Elasticsearch, names: Names) -> None:
    stock(es, names, [an_article(id=f"{n:032x}", story_id="") for n in range(3)])
    found = find(es, names, "", by_story=True, with_story=True, now=NOW).hits
    assert [(hit.matching, hit.story.independent) for hit in found] == [(1, 1)] * 3


def test_a_generation_that_takes_over_while_the_page_is_read_hides_nothing(
    es: Elasticsearch, names: Names, stand: list[Article], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = find(es, names, "AWACS", now=NOW)
    picks, gone = search.picks.picks, ["the first time"]

    def of_another_generation(answer: dict[str, Any]) -> list[Any]:
        return [
            pick._replace(index_name=f"{pick.index_name}-gone" if gone else pick.index_name) for pick in picks(answer)
        ]

    def asked(*args: Any, **kwargs: Any) -> Any:
        gone.clear()
        return exists(*args, **kwargs)

    client = type(es.indices)
    exists = client.exists_alias
    monkeypatch.setattr(client, "exists_alias", asked)
    monkeypatch.setattr(search.page, "picks", of_another_generation)
    assert find(es, names, "AWACS", now=NOW).hits == before.hits != ()


def test_filters_narrow_and_exclude(es: Elasticsearch, names: Names, stand: list[Article]) -> None:
    everything = find(es, names, "", size=100, now=NOW).total
    nato = find(es, names, "tag:nato", size=100, now=NOW)
    assert all("nato" in {tag.tag for tag in hit.article.tags} for hit in nato.hits)
    assert nato.total + find(es, names, "-tag:nato", now=NOW).total == everything
    assert {h.article.language for h in find(es, names, "lang:fr,de", size=50, now=NOW).hits} == {"fr", "de"}
    assert {h.article.source.country for h in find(es, names, "country:lv", size=50, now=NOW).hits} == {"LV"}
    domain = "meridian-courier.example"
    assert {h.article.source.domain for h in find(es, names, f"source:{domain}", size=50, now=NOW).hits} == {
        f"www.{domain}"
    }
    assert all(h.article.duplicate_of for h in find(es, names, "is:copy", size=50, now=NOW).hits)
    newest = max(article.published for article in stand if article.published)
    recent = find(es, names, "since:2h", size=50, now=NOW)
    assert {h.article.id for h in recent.hits} == {
        a.id for a in stand if a.published and a.published >= NOW - timedelta(hours=2)
    }
    assert newest >= NOW - timedelta(hours=2)


def test_facets_count_what_is_found(es: Elasticsearch, names: Names, stand: list[Article]) -> None:
    results = find(es, names, "tag:nato", with_facets=True, size=100, now=NOW)
    tags = next(facet for facet in results.facets if facet.name == "tag")
    nato = next(bucket for bucket in tags.buckets if bucket.value == "nato")
    assert nato.count == results.total
    assert nato.main == find(es, names, "tag:nato level:main", now=NOW).total
    assert sum(bar.count for bar in results.timeline.bars) + results.timeline.earlier == results.total
    starts = [bar.start for bar in results.timeline.bars]
    assert starts == sorted(starts)
    assert results.timeline.bars[-1].count > 0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_a_bar_of_the_time_line_finds_its_articles(
    es: Elasticsearch, names: Names, stand: list[Article], zone: str
) -> None:
    own = ZoneInfo(zone)
    found = find(es, names, "", with_facets=True, now=NOW, zone=own)
    bars = found.timeline.bars
    assert sum(bar.count for bar in bars) + found.timeline.earlier == found.total
    if found.timeline.step < timedelta(days=1):
        day = bars[0].start.astimezone(own).replace(hour=0, minute=0, second=0)
        assert (bars[0].start - day) % found.timeline.step == timedelta(0)
    for bar in [bar for bar in bars if bar.count][:3]:
        last = bar.end - timedelta(minutes=1)
        asked = f"since:{bar.start:%Y-%m-%dT%H:%M} until:{last:%Y-%m-%dT%H:%M}"
        assert find(es, names, asked, now=NOW).total == bar.count


def test_word_forms_that_match_are_marked_and_what_is_filtered_by_is_not(
    es: Elasticsearch, names: Names, stand: list[Article]
) -> None:
    hits = find(es, names, "coalitions refuels lang:en", now=NOW).hits
    marked = {
        text[start:end].lower()
        for hit in hits
        for parts in hit.highlights.values()
        for text, spans in map(unmarked, parts)
        for start, end in spans
    }
    assert marked <= {"coalition", "coalition's", "refuel", "refuelling"}
    assert {"coalition", "refuel"} <= marked
    assert find(es, names, "tag:nato", now=NOW).hits[0].highlights == {}


def test_an_article_is_marked_in_full(es: Elasticsearch, names: Names, stand: list[Article]) -> None:
    article = find(es, names, "AWACS Daesh", now=NOW).hits[0].article
    whole = whole_text(es, names, "AWACS Daesh", article)
    assert unmarked(whole["text"][0])[0] == article.text


def test_relevance_prefers_the_new_and_time_sorts_by_it_alone(es: Elasticsearch, names: Names) -> None:
    old = an_article("https://a.example/1", published=NOW - timedelta(days=300), first_seen=NOW)
    new = an_article("https://a.example/2", published=NOW - timedelta(hours=1), first_seen=NOW)
    better = an_article("https://a.example/3", published=NOW - timedelta(days=3), first_seen=NOW, title="Flank flank")
    stock(es, names, [replace(a, story_id=a.id) for a in (old, new, better)])
    best_first = [h.article.id for h in find(es, names, "flank plan ministers", now=NOW).hits]
    assert best_first.index(new.id) < best_first.index(old.id)
    assert [h.article.id for h in find(es, names, "flank", sort="time", now=NOW).hits] == [new.id, better.id, old.id]


def test_what_elasticsearch_refuses_is_told_with_the_column_in_the_query_as_typed(
    es: Elasticsearch, names: Names, stand: list[Article]
) -> None:
    with pytest.raises(QueryError) as raised:
        find(es, names, "tag:nato AWACS OR AND x", now=NOW)
    message = str(raised.value).splitlines()
    assert message[1] == "  tag:nato AWACS OR AND x"
    assert message[2].index("^") == 2 + len("tag:nato AWACS OR ")


def test_before_the_first_article_nothing_is_found(es: Elasticsearch, index_prefix: str) -> None:
    names = Names(index_prefix)
    assert find(es, names, "x", with_facets=True, now=NOW).total == 0
    assert list(every(es, names, "x", now=NOW)) == []


# ── export ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_all_is_exported_once_in_order_however_many(
    es: Elasticsearch, names: Names, monkeypatch: pytest.MonkeyPatch, newsstand: list[Article]
) -> None:
    monkeypatch.setattr("search.export._PAGE", 7)
    many = [an_article(f"https://a.example/{n}", published=NOW - timedelta(minutes=n // 3)) for n in range(40)]
    stock(es, names, many)
    exported = list(every(es, names, "flank", now=NOW))
    assert sorted(a.id for a in exported) == sorted(a.id for a in many)
    assert [a.published for a in exported] == sorted((a.published for a in many if a.published), reverse=True)
    assert len(list(every(es, names, "flank", sort="relevance", now=NOW))) == 40


def test_an_export_by_story_has_each_story_once(es: Elasticsearch, names: Names, stand: list[Article]) -> None:
    exported = [article.story_id for article in every(es, names, "tag:nato", by_story=True, now=NOW)]
    assert len(exported) == len(set(exported))
    assert set(exported) == {article.story_id for article in every(es, names, "tag:nato", now=NOW)}


def test_csv_reads_back_and_holds_no_formula() -> None:
    article = an_article(title='=HYPERLINK("https://evil.example")', summary='He said "no",\nthen left.')
    buffer = io.StringIO()
    CsvWriter(buffer, as_file=False).write(article)
    header, line = csv.reader(io.StringIO(buffer.getvalue()))
    assert line == row(article)
    assert dict(zip(header, line, strict=True))["title"].startswith("'=")
    assert dict(zip(header, line, strict=True))["summary"] == article.summary
    guarded = {title: row(an_article(title=title))[2] for title in (" @x", "＝1+1", "\t=1", "-2", "5 = 2")}
    assert [title for title, cell in guarded.items() if cell == title] == ["5 = 2"]


# ── following ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_an_earlier_batch_writes_later_is_not_missed(es: Elasticsearch, names: Names) -> None:
    batches, store = BatchStore(es, names), ArticleStore(es, names)
    first, second = (batches.begin(batches.open(["x"], now=NOW, lease_s=600).number) for _ in range(2))
    tail = Tail.start(es, names, "flank", NOW)
    late, early = an_article("https://a.example/late"), an_article("https://a.example/early")
    store.write([early], second, second.seq_of_attempt, now=NOW)
    batches.mark_indexed(second.number, counts={}, now=NOW)
    assert [a.id for a in tail.new(NOW)] == [early.id]
    store.write([late], first, first.seq_of_attempt, now=NOW)
    assert [a.id for a in tail.new(NOW)] == [late.id]
    batches.mark_indexed(first.number, counts={}, now=NOW)
    assert list(tail.new(NOW)) == []
    assert list(tail.new(NOW)) == []


def test_what_was_there_is_not_followed_and_what_does_not_match_neither(es: Elasticsearch, names: Names) -> None:
    stock(es, names, [an_article("https://a.example/1")])
    tail = Tail.start(es, names, "flank", NOW)
    stock(es, names, [an_article("https://a.example/2", title="Gales", text="Rain, wind and rain.", summary="Rain.")])
    assert list(tail.new(NOW)) == []
    stock(es, names, [an_article("https://a.example/3")])
    assert [a.url for a in tail.new(NOW)] == ["https://a.example/3"]


# ── pure ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_marks_that_are_the_publishers_own_are_no_marks() -> None:
    assert unmarked(f"a {MARK_START}b{MARK_END}{MARK_START}c{MARK_END}") == ("a bc", ((2, 4),))
    assert unmarked(f"a {MARK_END}b") == ("a b", ())


def test_days_make_up_longer_steps_and_stragglers_stand_apart() -> None:
    def at(moment: datetime) -> float:
        return moment.timestamp() * 1_000

    start = datetime(2025, 10, 1, tzinfo=UTC)
    days = [(start - timedelta(days=3_000), 2), *((start + timedelta(days=n), 10) for n in range(150))]
    buckets = [{"key": at(day), "doc_count": count} for day, count in days]
    answer = {"first": {"value": buckets[0]["key"]}, "last": {"value": at(NOW)}, "days": {"buckets": buckets}}
    range_ = time_range(answer)
    assert range_ is not None
    shown = scale(range_, parse(""), NOW)
    line = timeline(buckets, shown, 1_502)
    assert (line.step, line.earlier) == (timedelta(days=7), 12)  # less than one in a hundred
    assert line.bars[0].start == start + timedelta(days=1)  # a Thursday, as 1970 began with one
    assert [bar.count for bar in line.bars[:21]] == [70] * 21
    assert histogram(shown) is None


@pytest.mark.parametrize(
    ("zone", "change", "hours"),
    [
        ("Europe/Brussels", datetime(2026, 3, 29, tzinfo=UTC), 23),
        ("Europe/Brussels", datetime(2026, 10, 25, tzinfo=UTC), 25),
        ("Asia/Beirut", datetime(2026, 3, 29, tzinfo=UTC), 23),  # at midnight, which does not exist
        ("Asia/Kathmandu", datetime(2026, 3, 29, tzinfo=UTC), 24),
        ("UTC", datetime(2026, 3, 29, tzinfo=UTC), 24),
    ],
)
def test_steps_of_days_are_the_readers_own(zone: str, change: datetime, hours: int) -> None:
    own = ZoneInfo(zone)
    starts = [midnight((change + timedelta(days=n)).date(), own) for n in range(-75, 16)]
    days = [{"key": one.timestamp() * 1_000, "doc_count": 1} for one in starts]
    range_ = time_range(
        {"first": {"value": days[0]["key"]}, "last": {"value": days[-1]["key"]}, "days": {"buckets": days}}
    )
    assert range_
    bars = timeline(days, scale(range_, parse(""), NOW, own), 91).bars
    assert [bar.start for bar in bars] == starts
    assert {bar.count for bar in bars} == {1}
    assert bars[75].end - bars[75].start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("hours", "step"), [(0, "1m"), (10, "15m"), (48, "1h"), (24 * 30, "12h"), (24 * 60, "1d"), (24 * 400, "7d")]
)
def test_a_time_line_has_no_more_bars_than_can_be_told_apart(hours: float, step: str) -> None:
    assert interval(timedelta(hours=hours))[0] == step


def test_what_comes_in_after_the_first_page_moves_no_row_of_the_next(es: Elasticsearch, names: Names) -> None:
    press = Press(es, names)
    press.publish(*(a_story(n, title="Ferry", published=NOW - timedelta(hours=n)) for n in range(45)))
    es.indices.refresh(index=names.articles)
    first = find(es, names, "ferry", now=NOW, sort="time")
    later = NOW + timedelta(minutes=1)
    press.publish(a_story(50, title="Ferry", published=NOW, first_seen=later), now=later)
    press.publish(a_story(44, title="Ferry: a correction", published=NOW - timedelta(hours=44)), now=later)
    es.indices.refresh(index=names.articles)
    pages = [find(es, names, "ferry", now=NOW, sort="time", offset=o, first=FirstPage(NOW)) for o in (20, 40)]
    ids = [hit.article.id for page in (first, *pages) for hit in page.hits]
    assert len(ids) == len(set(ids)) == 45
    assert {page.total for page in pages} == {45}, "a new version has not come in"
    assert pages[-1].hits[-1].article.title == "Ferry: a correction"
    assert find(es, names, "ferry", now=NOW, sort="time").total == 46
