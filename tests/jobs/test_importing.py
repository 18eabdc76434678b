"""Another archive comes in: whole, once, in order, whenever it dies; merged with what is there, mailed to nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from typer.testing import CliRunner

from alerts.backtest import backtest
from alerts.saved import SavedSearches
from cli.main import app
from delivery.outbox import Outbox
from ingest.given import IMPORTED
from ingest.urls import known_id
from jobs.backup import settle
from jobs.context import Context
from jobs.importing import chunks, import_source
from jobs.match import match
from jobs.plan import plan
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Article, Version
from newswatch.as_json import json_line
from newswatch.batch import BatchState
from newswatch.errors import NewswatchError, StoreError
from newswatch.settings import Settings
from store.articles import ArticleStore
from store.batches import BatchStore
from store.elastic.reading import every
from store.indices.setup import set_up
from store.ingest_order import read_horizon
from store.names import Names
from tests.factories import NOW, a_source, an_article
from tests.jobs.test_crash import dies
from tests.newsstand import stock
from tests.taxonomies import made_once
from transforms.fingerprint import text_hash

pytestmark = pytest.mark.slow


@pytest.fixture
def here(
    es: Elasticsearch, names: Names, elasticsearch_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Context:
    made_once(monkeypatch, "jobs.tagger", "jobs.configuration")
    (tmp_path / "feeds.yaml").write_text("feeds: []\n")
    (tmp_path / "alerts.yaml").write_text("alerts: []\n")
    monkeypatch.setattr("jobs.importing.CHUNK", 3)
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix, data_dir=tmp_path)
    context = Context(settings, es, names, lambda: NOW)
    search = SavedSearch("nato", "NATO", "", ("a@example.org",), tags=(TagFilter("nato", "mention"),))
    SavedSearches(es, names).save(search, by="ann", now=NOW)
    return context


def made(n: int, **changes: object) -> Article:
    seen = NOW - timedelta(days=9, minutes=-n)
    words = " ".join(f"word{n}x{k}" for k in range(60))
    text = f"NATO ministers met in room {n}. {words}"
    whole = {"title": f"Meeting {n} of NATO", "text": text, "published": seen, "first_seen": seen} | changes
    return an_article(f"https://herald.example/{n}", **whole)


def a_file(folder: Path, articles: list[Article], name: str = "old.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json_line(article) + "\n" for article in articles), encoding="utf-8")
    return str(path)


def stored(here: Context) -> list[tuple[str, str]]:
    """Title and address of every article, in ingest order."""
    here.es.indices.refresh(index=here.names.articles)
    hits = every(here.es, here.names.articles, sort=["seq"])
    return [(hit["_source"]["title"], hit["_source"]["url"]) for hit in hits]


def nobody_is_mailed(here: Context) -> bool:
    match(here)
    here.es.indices.refresh(index=here.names.deliveries)
    here.es.indices.refresh(index=here.names.batches)
    states = {hit["_source"]["state"] for hit in every(here.es, here.names.batches)}
    return BatchState.INDEXED not in states and not Outbox(here.es, here.names).latest("nato", 10)


def test_killed_at_every_step_it_loses_and_repeats_nothing(here: Context, tmp_path: Path) -> None:
    articles = [made(n) for n in range(8)]
    articles[5] = replace(articles[5], title=articles[0].title, text=articles[0].text)  # a copy
    source = a_file(tmp_path, articles)
    job = partial(import_source, source=source, by="ann")
    # Each run dies after one write more than the one before, so they all get somewhere else.
    deaths = next(steps for steps in range(1, 100) if not dies(job, here, steps)) - 1
    assert deaths > 10
    assert stored(here) == [(article.title, article.url) for article in articles]
    assert nobody_is_mailed(here)
    late = replace(here, clock=lambda: NOW + timedelta(hours=1))
    plan(late)  # gives up the batches of the dead
    assert nobody_is_mailed(late)
    found = ArticleStore(here.es, here.names).get([article.id for article in articles])
    assert all(article.placed_at for article in found.values())
    assert found[articles[5].id].duplicate_of == articles[0].id
    assert {tag.tag for tag in found[articles[1].id].tags} >= {"nato"}
    assert import_source(here, source, by="ann").was_done
    settle(here, NOW)
    assert import_source(here, source, by="ann").known == 8, "a snapshot may lack them, and have the note that says so"
    assert import_source(here, source, by="ann", again=True).known == 8
    search = SavedSearches(here.es, here.names).get("nato")
    assert backtest(here.es, here.names, search, days=30, now=NOW).articles == 8, "backtests run over it"
    assert backtest(here.es, here.names, search, days=7, now=NOW).articles == 0, "in its own time"


def test_readers_wait_for_a_batch_that_another_import_is_writing(here: Context, tmp_path: Path) -> None:
    batches, store = BatchStore(here.es, here.names), ArticleStore(here.es, here.names, importing=True)
    written = batches.begin(batches.open([], now=NOW, lease_s=900, imported=True).number)
    store.write([made(50)], written, written.seq_of_attempt, now=NOW)
    assert import_source(here, a_file(tmp_path, [made(1)]), by="ann").new == 1
    assert read_horizon(here.es, here.names, NOW).below <= written.seq_from
    store.write([made(51)], written, written.seq_of_attempt + 1, now=NOW)  # and then it dies
    match(here)
    found = store.get([made(50).id, made(51).id])
    assert all(one.placed_at for one in found.values())


TRACKED, CLEAN = "https://courier.example/a?srsltid=7", "https://courier.example/a"


@pytest.mark.parametrize(
    ("kept", "sent", "is_export"), [(TRACKED, TRACKED, False), (CLEAN, TRACKED, True), (TRACKED, TRACKED, True)]
)
def test_a_parameter_that_was_later_known_to_track_makes_no_second_article(
    here: Context, tmp_path: Path, kept: str, sent: str, *, is_export: bool
) -> None:
    """Neither in a list of addresses nor in what another archive kept by the address that it knew."""
    stock(here.es, here.names, [replace(made(1), id=known_id(kept), url=kept, story_id=known_id(kept))])
    given = {"url": sent, "title": "Meeting 1 of NATO", "text": f"{made(1).text} And more.", "first_seen": str(NOW)}
    provenance = {"fetched_at": str(NOW), "page_fetched": True, "extractor": "test"} if is_export else None
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(given | {"provenance": provenance}) + "\n", encoding="utf-8")
    report = import_source(here, str(path), by="ann")
    assert (report.new, report.merged, report.faults) == (0, 1, 0)
    assert [url for _, url in stored(here)] == [kept]


def test_a_live_article_gets_the_versions_that_another_archive_saw(here: Context, tmp_path: Path) -> None:
    live = made(1, text="NATO ministers met. Three were hurt.", first_seen=NOW, source=a_source(feed_id="herald"))
    stock(here.es, here.names, [live])
    before = ArticleStore(here.es, here.names).stored([live.id])[0].value[1]
    older = replace(live, title="An early headline on NATO", text="NATO ministers met.", feeds=("wire",))
    older = replace(older, first_seen=NOW - timedelta(days=2), updated=None)
    newer = replace(live, text="NATO ministers met. Four were hurt.", updated=None, first_seen=NOW)
    newer = replace(
        newer,
        text_hash=text_hash(newer.title, newer.text),
        versions=(
            Version(NOW, live.title, live.text_hash, ()),
            Version(NOW + timedelta(minutes=5), newer.title, text_hash(newer.title, newer.text), ("text",)),
        ),
    )
    report = import_source(here, a_file(tmp_path, [older, newer]), by="ann")
    assert (report.new, report.merged, report.faults) == (0, 2, 0)
    (after,) = ArticleStore(here.es, here.names).stored([live.id])
    article, document = after.value
    assert [version.title for version in article.versions] == [older.title, live.title, live.title]
    assert [version.changed for version in article.versions] == [(), ("title",), ("text",)]
    assert (article.text, article.version, article.feeds) == (newer.text, 3, ("herald", "wire"))
    assert (document["seq"], document["batch"]) == (before["seq"], before["batch"]), "it is no news"


def test_what_cannot_be_used_is_told_by_line_and_costs_itself(here: Context, tmp_path: Path) -> None:
    source = a_file(tmp_path, [made(n) for n in range(4)])
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    lines[1] = "{"
    ancient = made(9, first_seen=NOW - timedelta(days=900), published=None)
    Path(source).write_text("\n".join([*lines, json_line(ancient)]), encoding="utf-8")
    told: list[tuple[str, str]] = []
    report = import_source(here, source, by="ann", fault=lambda name, why: told.append((name, why)))
    assert (report.new, report.faults, report.records) == (3, 2, 5)
    assert [name for name, _ in told] == ["line 2", "line 5"]
    assert "NEWSWATCH_RETENTION_DAYS keeps 400 days" in told[1][1]
    with pytest.raises(NewswatchError, match="its name does not say what it holds"):
        import_source(here, str(tmp_path / "x.zip"), by="ann")
    log = here.audit
    log.refresh()
    assert [(each.who, each.subject) for each in log.listed(what="articles imported")] == [("ann", "lines old.jsonl")]


def test_an_old_installation_comes_over_in_its_order(
    here: Context, es: Elasticsearch, index_prefix: str, elasticsearch_url: str
) -> None:
    old = Names(index_prefix)
    set_up(es, old, here.settings)
    first, second = [made(n) for n in range(5)], [made(n) for n in range(5, 9)]
    stock(es, old, first[::-1], now=NOW - timedelta(days=9))
    with pytest.raises(NewswatchError, match="this installation itself"):
        import_source(here, elasticsearch_url, prefix=here.names.prefix, by="ann")
    with pytest.raises(StoreError, match="prefix by --index-prefix"):
        import_source(here, elasticsearch_url, prefix=f"{index_prefix}not-", by="ann")
    assert import_source(here, elasticsearch_url, prefix=index_prefix, by="ann").new == 5
    stock(es, old, second, now=NOW - timedelta(days=8))
    report = import_source(here, elasticsearch_url, prefix=index_prefix, by="ann")
    assert (report.resumed, report.records, report.new) == (5, 4, 4), "what came since, and nothing twice"
    assert [title for title, _ in stored(here)] == [a.title for a in (*first[::-1], *second)]
    here.es.indices.refresh(index=here.names.batches)
    batches = list(every(here.es, here.names.batches))
    assert {hit["_source"]["state"] for hit in batches} == {BatchState.MATCHED}
    hits = every(here.es, here.names.articles)
    assert all(hit["_source"]["provenance"]["extractor"].startswith(IMPORTED) for hit in hits)
    assert nobody_is_mailed(here)


def test_lost_batches_of_an_import_are_not_taken_for_news(here: Context, tmp_path: Path) -> None:
    recent = made(1, first_seen=NOW - timedelta(hours=1), published=NOW - timedelta(hours=1))
    import_source(here, a_file(tmp_path, [recent]), by="ann")
    here.es.index(index=here.names.deliveries, id="x~y", document={"alert_id": "x"}, refresh=True)
    for hit in [*every(here.es, here.names.batches)]:
        here.es.delete(index=here.names.batches, id=hit["_id"], refresh=True)
    BatchStore(here.es, here.names).open([], now=NOW, lease_s=60)
    assert BatchStore(here.es, here.names).waiting(now=NOW) == []


def test_chunks_are_bounded_by_articles_characters_and_records() -> None:
    from ingest.import_files import Item

    def items(count: int, article: Article | None) -> Iterator[Item]:
        return (Item(n, f"line {n}", n, article) for n in range(count))

    assert [len(chunk) for chunk in chunks(items(1_200, made(1)))] == [500, 500, 200]
    assert [len(chunk) for chunk in chunks(items(4, made(1, text="x" * 15_000_000)))] == [2, 2]
    assert [len(chunk) for chunk in chunks(items(20_001, None))] == [20_000, 1]


def test_the_commands_say_what_came_in_and_who_did_it(
    here: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.context.open_context", lambda *_a, **_m: here)
    source = a_file(tmp_path, [made(n) for n in range(2)])
    with Path(source).open("a", encoding="utf-8") as file:
        file.write("{\n")
    faults, log = tmp_path / "faults.jsonl", tmp_path / "audit.jsonl"
    done = CliRunner().invoke(app, ["import", source, "--json", "--faults", str(faults)])
    assert (done.exit_code, json.loads(done.stdout)["new"]) == (1, 2), done.output
    assert json.loads(faults.read_text())["record"] == "line 3"
    listed = CliRunner().invoke(app, ["audit", "list", "--what", "articles imported", "--json"])
    (record,) = (json.loads(line) for line in listed.stdout.splitlines())
    assert record["who"].endswith("(command line)")
    assert CliRunner().invoke(app, ["audit", "check"]).exit_code == 0
    assert CliRunner().invoke(app, ["audit", "export", str(log)]).exit_code == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["n"] for one in records] == [*range(1, len(records) + 1)]
    here.es.delete(index=here.names.audit_of_month("2026.03"), id=f"{1:012d}", refresh=True)
    broken = CliRunner().invoke(app, ["audit", "check", "--json"])
    assert (broken.exit_code, json.loads(broken.stdout)["faults"]) == (1, ["records 1 to 1 missing at the beginning"])
