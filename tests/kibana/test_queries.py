"""Every saved search and every panel, asked of a real Elasticsearch that holds the newsroom's articles.

Beside it stands what Python makes of the same documents: queries as predicates, buckets as loops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from delivery import documents
from delivery.feedback import Label
from embedded.newsroom_site.content import load_outlets, load_stories
from ingest.urls import article_id
from jobs.pull.batch import PullReport
from kibana.build import build
from kibana.build import panel_id as build_panel_id
from kibana.definition import load
from newswatch.article import Article, Provenance, Source
from newswatch.batch import Batch, BatchState
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.feed import FeedHealth, FeedState
from newswatch.outages import Cause, Outage
from newswatch.problems import Problem
from newswatch.pulse import JobPulse
from store import outages
from store.articles import ArticleStore
from store.elastic import bulk
from store.elastic.documents import Document, dump
from store.feed_documents import feed_document
from store.names import Names
from store.outages import OwnOutages
from store.quarantine import Quarantine, article_problem
from tests.kibana.translate import Range, Translator, rows
from tests.taxonomies import shipped_tagger
from transforms.enrich import enrich

pytestmark = pytest.mark.slow

Json = dict[str, Any]
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WEEK = Range(NOW - timedelta(days=7), NOW)
DEFINITION = load(Names().topics())
NATO, TERRORISM = "nato", "counter-terrorism"


def carries(field: str, *values: str) -> Callable[[Json], bool]:
    return lambda doc: bool({*doc.get(field, ())} & {*values})


def unsure(doc: Json) -> bool:
    return any(tag in doc["tags"] and doc["scores"][tag] < 0.6 for tag in (NATO, TERRORISM))


PREDICATES: dict[str, Callable[[Json], bool]] = {
    "": lambda _: True,
    "tags:*": lambda doc: bool(doc["tags"]),
    "tags:nato": carries("tags", NATO),
    'tags:"counter-terrorism"': carries("tags", TERRORISM),
    "tags_main:nato": carries("tags_main", NATO),
    'tags_main:"counter-terrorism"': carries("tags_main", TERRORISM),
    'tags:(nato OR "counter-terrorism")': carries("tags", NATO, TERRORISM),
    'tags:nato AND NOT tags:"counter-terrorism"': lambda doc: NATO in doc["tags"] and TERRORISM not in doc["tags"],
    'tags:"counter-terrorism" AND NOT tags:nato': lambda doc: TERRORISM in doc["tags"] and NATO not in doc["tags"],
    '(tags:nato AND tags:"counter-terrorism")': lambda doc: {NATO, TERRORISM} <= {*doc["tags"]},
    '(tags:nato AND tags:"counter-terrorism") AND tags_main:(nato OR "counter-terrorism")': lambda doc: (
        {NATO, TERRORISM} <= {*doc["tags"]} and bool({NATO, TERRORISM} & {*doc["tags_main"]})
    ),
    '(tags:nato AND scores.nato:<0.6) OR (tags:"counter-terrorism" AND scores.counter-terrorism:<0.6)': unsure,
    "version:>1": lambda doc: doc["version"] > 1,
    "enabled:true": lambda doc: doc["enabled"],
    "enabled:true AND NOT health:(ok OR new)": lambda doc: doc["enabled"] and doc["health"] not in ("ok", "new"),
    "enabled:true AND last_error:*": lambda doc: doc["enabled"] and "last_error" in doc,
    "state:sent": lambda doc: doc["state"] == "sent",
    "state:sent AND lag_s:*": lambda doc: doc["state"] == "sent" and "lag_s" in doc,
    "state:pending": lambda doc: doc["state"] == "pending",
    "state:indexed": lambda doc: doc["state"] == "indexed",
    "enabled:true AND health:(failing OR gone)": lambda doc: doc["enabled"] and doc["health"] in ("failing", "gone"),
    "relevant:true": lambda doc: doc["relevant"],
    "relevant:false": lambda doc: not doc["relevant"],
    "failing_since:*": lambda doc: "failing_since" in doc,
    "state:failed": lambda doc: doc["state"] == "failed",
}
"""What each query of the definition means, said once more by somebody who doesn't know Lucene's syntax."""


# ── the newsroom, in the index ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Archive:
    """What Elasticsearch holds, index by index, and who can ask it."""

    es: Elasticsearch
    translator: Translator
    documents: dict[str, list[Json]]
    objects: dict[tuple[str, str], Json]

    def named(self, kind: str) -> list[Json]:
        return [one for (of_kind, _), one in self.objects.items() if of_kind == kind]


def newsroom() -> Iterator[Article]:
    """The demo's stories, tagged by the real tagger; and two of a week ago."""
    tagger = shipped_tagger()
    outlets = {outlet.id: outlet for outlet in load_outlets()}
    for story in load_stories():
        outlet = outlets[story.outlet]
        published = NOW - timedelta(minutes=story.minutes_ago)
        source = Source(outlet.id, outlet.name, outlet.domain, outlet.country, outlet.kind, outlet.owner)
        url = f"https://{outlet.domain}/{story.slug}"
        article = Article(
            id=article_id(url),
            url=url,
            title=story.title,
            summary=story.summary,
            text=story.body,
            text_status="full",
            source=source,
            first_seen=published + timedelta(minutes=1),
            published=published,
            language=story.language,
            provenance=Provenance(NOW, page_fetched=True, extractor="test"),
            feeds=(outlet.id,),
            story_id=article_id(f"https://newsroom.example/{story.copy_of}") if story.copy_of else "",
        )
        yield enrich(article, tagger)


def a_week_ago(article: Article) -> Article:
    url = article.url + "-before"
    past = article.published - timedelta(days=7) if article.published else None
    return replace(article, id=article_id(url), url=url, published=past, story_id=article_id(url))


def feed_documents() -> Iterator[tuple[str, Document]]:
    healths = [FeedHealth.OK, FeedHealth.OK, FeedHealth.FAILING, FeedHealth.NEW, FeedHealth.STALE, FeedHealth.FAILING]
    for outlet, health in zip(load_outlets(), healths * 3, strict=False):
        feed = outlet.as_feed("http://127.0.0.1:1")
        error = f"{outlet.domain} answers 503" if health is FeedHealth.FAILING else None
        yield feed.id, feed_document(feed, FeedState(feed.id, feed.url, health=health, last_error=error))
    off = replace(load_outlets()[0].as_feed("http://127.0.0.1:1"), id="off", enabled=False)
    yield off.id, feed_document(off, FeedState(off.id, off.url, health=FeedHealth.FAILING, last_error="gone"))


def batch_documents() -> Iterator[tuple[str, Document]]:
    for number in range(1, 9):
        state = (BatchState.MATCHED, BatchState.INDEXED, BatchState.PLANNED)[(number >= 5) + (number >= 7)]
        counts = PullReport(number, new=number, updated=1, quarantined=number % 2).counts()
        when = NOW - timedelta(hours=number)
        batch = Batch(number, ("a",), state, when, when, counts=counts)
        yield batch.id, dump(batch)


def pulse_documents() -> Iterator[tuple[str, Document]]:
    for job in ("plan", "pull", "match"):
        well = replace(JobPulse(job), started_at=NOW, beat_at=NOW, ended_at=NOW, host="a", totals={"runs": 3.0})
        yield job, dump(well)
    broken = replace(JobPulse("deliver"), started_at=NOW, beat_at=NOW, failed_at=NOW, host="b", failures=4)
    yield "deliver", dump(replace(broken, failing_since=NOW - timedelta(hours=1), why="the mail server is away"))


def label_documents(articles: list[Article]) -> Iterator[tuple[str, Document]]:
    for number, article in enumerate(articles[:6]):
        tags, when = tuple(tag.tag for tag in article.tags), NOW - timedelta(hours=number)
        reader, search = f"{number % 2}@example.org", ("nato", "terrorism")[number % 3 == 0]
        yield str(number), dump(Label(search, article.story_id, article.id, reader, number % 3 > 0, when, tags))


def outage_documents() -> Iterator[tuple[str, Document]]:
    for number, cause in enumerate((Cause.MAIL, Cause.POLLING)):
        until = NOW if number else None
        yield cause, outages.stored(OwnOutages(cause, (Outage(NOW - timedelta(hours=1), until, "away"),)))


def outcome_documents(articles: list[Article]) -> Iterator[tuple[str, Document]]:
    states = [DeliveryState.SENT, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.PENDING]
    for number, (article, state) in enumerate(zip(articles, states * 3, strict=False)):
        when = NOW - timedelta(hours=number)
        outcome = Outcome("a@example.org", state, at=when)
        name = ("NATO", "Counter-terrorism")[number % 2]
        delivery = Delivery(
            name.lower(),
            name,
            article.story_id,
            article.id,
            ("a@example.org",),
            state,
            when,
            published=when - timedelta(minutes=5 + number) if number else None,
            fetched_at=when - timedelta(seconds=30),
        )
        document_id = documents.outcome_id(delivery.id, outcome.recipient)
        yield document_id, documents.outcome_document(delivery, outcome)


@pytest.fixture(scope="module")
def archive(es: Elasticsearch, module_names: Names) -> Archive:
    names = module_names
    batch = Batch(1, (), BatchState.PLANNED, NOW, NOW, attempts=1)
    store, articles = ArticleStore(es, names), list(newsroom())
    tagged = [article for article in articles if article.tags]
    assert len(tagged) > 8
    old = [a_week_ago(article) for article in tagged[:2]]
    report = store.write([*articles, *old], batch, batch.seq_of_attempt, now=NOW)
    assert not report.refused
    edited = replace(tagged[0], title=f"{tagged[0].title} (corrected)", updated=NOW)
    assert store.write([edited], batch, report.next_seq, now=NOW).updated
    actions = [
        bulk.put(index, name, document)
        for index, documents in (
            (names.feeds, feed_documents()),
            (names.batches, batch_documents()),
            (names.outcomes, outcome_documents(tagged)),
            (names.pulse, pulse_documents()),
            (names.labels, label_documents(tagged)),
            (names.outages, outage_documents()),
        )
        for name, document in documents
    ]
    assert all(result.reason is None for result in bulk.write(es, actions))
    quarantine = Quarantine(es, names)
    for number, article in enumerate(articles[:3]):
        quarantined = replace(article, source=replace(article.source, feed_id=f"feed-{number % 2}"))
        quarantine.note([article_problem(quarantined, "too large")], now=NOW - timedelta(hours=number))
    for hours in (30, 3, 1):
        quarantine.note(
            [Problem("search", "nato", f"too many words {hours}", "match")], now=NOW - timedelta(hours=hours)
        )
    quarantine.note([Problem("recipient", "a@=b", "no address", "deliver")], now=NOW - timedelta(hours=2))
    objects = {(one["type"], one["id"]): one for one in build(DEFINITION, names.prefix)}
    return Archive(es, Translator(objects, DEFINITION.settings), stored(es, names), objects)


def stored(es: Elasticsearch, names: Names) -> dict[str, list[Json]]:
    held: dict[str, list[Json]] = {}
    for view in DEFINITION.data_views.values():
        index = names.prefix + view.index
        es.indices.refresh(index=index)
        hits = es.search(index=index, size=1_000)["hits"]["hits"]
        held[index] = [hit["_source"] | {"_id": hit["_id"]} for hit in hits]
    return held


def value_at(doc: Json, path: str) -> Any:
    for part in path.split("."):
        doc = doc.get(part) if isinstance(doc, dict) else None  # type: ignore[assignment]
    return doc


def within(doc: Json, field: str | None, span: Range) -> bool:
    said = value_at(doc, field) if field else None
    return field is None or (said is not None and span.start <= datetime.fromisoformat(said) <= span.end)


# ── saved searches ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DEFINITION.searches)
def test_a_saved_search_finds_what_it_says(archive: Archive, name: str) -> None:
    search = DEFINITION.searches[name]
    (one,) = (found for found in archive.named("search") if found["attributes"]["title"] == search.title)
    index, query = archive.translator.search(one, WEEK)
    found = {hit["_id"] for hit in archive.es.search(index=index, query=query, size=1_000)["hits"]["hits"]}
    time = DEFINITION.data_views[search.data_view].time
    expected = {
        doc["_id"] for doc in archive.documents[index] if PREDICATES[search.query](doc) and within(doc, time, WEEK)
    }
    assert found == expected
    assert found, "it finds nothing here: nothing is shown"
    assert len(found) < len(archive.documents[index]), "it finds everything"


def test_the_canonical_story_is_in_all_three(archive: Archive) -> None:
    (story,) = (s for s in load_stories() if s.slug == "nato-joins-coalition")
    for title in ("NATO", "Counter-terrorism", "Several topics"):
        (one,) = (found for found in archive.named("search") if found["attributes"]["title"] == title)
        index, query = archive.translator.search(one, WEEK)
        hits = archive.es.search(index=index, query=query, size=1_000)["hits"]["hits"]
        assert any(hit["_source"]["title"].startswith(story.title) for hit in hits), title


# ── panels ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PANELS = [
    pytest.param(dashboard, panel.id, id=f"{dashboard}-{panel.id}")
    for dashboard, found in DEFINITION.dashboards.items()
    for panel in found.panels
    if panel.data_view
]


@pytest.mark.parametrize(("dashboard", "panel_id"), PANELS)
def test_a_panel_shows_what_the_documents_say(archive: Archive, dashboard: str, panel_id: str) -> None:
    (panel,) = (found for found in DEFINITION.dashboards[dashboard].panels if found.id == panel_id)
    (one,) = (lens for lens in archive.named("lens") if lens["id"] == build_panel_id(dashboard, panel_id))
    layer = next(iter(one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()))
    columns = {name: layer["columns"][name] for name in layer["columnOrder"]}
    view = DEFINITION.data_views[str(panel.data_view)]
    shown = False
    for shift, index, request, wanted in archive.translator.panel(one, WEEK):
        answer = archive.es.search(index=index, **request)
        table = rows(columns, wanted, answer["aggregations"])
        span = WEEK.earlier(shift or None)
        time = panel.x.time if panel.x and panel.x.time else view.time
        docs = [doc for doc in archive.documents[index] if PREDICATES[panel.query](doc) and within(doc, time, span)]
        expected = oracle(columns, wanted, docs)
        assert table.keys() <= expected.keys()
        for keys, values in table.items():
            assert all(map(same, values, expected[keys])), (keys, values, expected[keys])
        limits = [c["params"]["size"] for c in columns.values() if c["operationType"] == "terms"]
        assert len(table) == len(expected) or len(table) >= min(limits, default=0)
        shown = shown or bool(table)
    assert shown, "the panel is empty: nothing is shown"


VERDICTS = ("by-search", "by-topic", "over-time", "labels")
MEANINGS: dict[tuple[str, str], Callable[[Json], bool]] = {
    ("volume", "NATO"): lambda doc: NATO in doc["tags"] and TERRORISM not in doc["tags"],
    ("volume", "Counter-terrorism"): lambda doc: TERRORISM in doc["tags"] and NATO not in doc["tags"],
    ("volume", "Several"): lambda doc: {NATO, TERRORISM} <= {*doc["tags"]},
    ("sources", "NATO"): lambda doc: NATO in doc["tags"],
    ("sources", "Counter-terrorism"): lambda doc: TERRORISM in doc["tags"],
    ("mails", "Sent"): lambda doc: "sent_at" in doc,
    **{(panel, "Relevant"): lambda doc: doc["relevant"] for panel in VERDICTS},
    **{(panel, "Not relevant"): lambda doc: not doc["relevant"] for panel in VERDICTS},
    ("mails", "Failed"): lambda doc: doc["state"] == "failed",
}
"""What a reader takes the label of a filter to mean."""


def labelled_filters() -> Iterator[tuple[str, str, str, str]]:
    """Panel, data view, label and query of every filter that a reader sees by its label."""
    for dashboard in DEFINITION.dashboards.values():
        for panel in dashboard.panels:
            found = [(value.label, value.only) for value in panel.y if value.only]
            found += [pair for bucket in panel.buckets for pair in (bucket.filters or {}).items()]
            yield from ((panel.id, str(panel.data_view), label, query) for label, query in found)


@pytest.mark.parametrize(("panel_id", "view", "label", "query"), list(labelled_filters()))
def test_a_label_says_what_its_filter_does(archive: Archive, panel_id: str, view: str, label: str, query: str) -> None:
    (index,) = (name for name in archive.documents if name.endswith(f"-{DEFINITION.data_views[view].index}"))
    documents = archive.documents[index]
    meant = [doc["_id"] for doc in documents if MEANINGS[panel_id, label](doc)]
    assert [doc["_id"] for doc in documents if PREDICATES[query](doc)] == meant
    assert 0 < len(meant) < len(documents)


def same(one: Any, other: Any) -> bool:
    return bool(one == pytest.approx(other, rel=1e-6)) if isinstance(one, float) and other is not None else one == other


def oracle(columns: dict[str, Json], wanted: list[str], docs: list[Json]) -> dict[tuple[Any, ...], list[Any]]:
    """The table as Python makes it."""
    groups: dict[tuple[Any, ...], list[Json]] = defaultdict(list)
    buckets = [column for column in columns.values() if column["isBucketed"]]
    for doc in docs:
        for keys in keys_of(doc, buckets):
            groups[keys].append(doc)
    if not buckets:
        groups.setdefault((), [])
    return {keys: [measure(columns[name], found) for name in wanted] for keys, found in groups.items()}


def keys_of(doc: Json, buckets: list[Json]) -> Iterator[tuple[Any, ...]]:
    if not buckets:
        yield ()
        return
    for key in bucket_keys(doc, buckets[0]):
        for rest in keys_of(doc, buckets[1:]):
            yield (key, *rest)


def bucket_keys(doc: Json, column: Json) -> list[Any]:
    if column["operationType"] == "filters":
        return [f["label"] for f in column["params"]["filters"] if PREDICATES[f["input"]["query"]](doc)]
    value = value_at(doc, column["sourceField"])
    if value is None:
        return []
    if column["operationType"] == "date_histogram":
        hour = datetime.fromisoformat(value).replace(minute=0, second=0, microsecond=0)
        return [int(hour.timestamp() * 1000)]
    return sorted(set(value)) if isinstance(value, list) else [value]


def measure(column: Json, docs: list[Json]) -> Any:
    if "filter" in column:
        docs = [doc for doc in docs if PREDICATES[column["filter"]["query"]](doc)]
    values = [v for doc in docs if (v := value_at(doc, column["sourceField"])) is not None]
    match column["operationType"]:
        case "count":
            return len(docs)
        case "unique_count":
            return len(set(values))
        case "sum":
            return sum(values)
        case "max":
            return max(map(as_number, values), default=None)
        case "percentile":
            return percentile(sorted(values), column["params"]["percentile"])
        case "last_value":
            newest = max(docs, key=lambda doc: datetime.fromisoformat(value_at(doc, column["params"]["sortField"])))
            return newest[column["sourceField"]]
        case other:
            raise AssertionError(other)


def as_number(value: Any) -> float:
    """A number, or a moment in milliseconds."""
    return datetime.fromisoformat(value).timestamp() * 1000 if isinstance(value, str) else float(value)


def percentile(ordered: list[float], share: float) -> float | None:
    """Between the two values that lie beside it, as Elasticsearch reckons where it has all of them."""
    if not ordered:
        return None
    at = share / 100 * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
