"""Nonsense in Elasticsearch, beside what is good: each document costs only itself, in every index.

The mappings are strict, so nonsense that gets in lacks fields, or stands where anything may stand (`state`,
`definition`, `detail`, `history`, `told` …), or is of a type that the mapping takes for the right one: a number for a
text, a list for a value, a time without a zone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest
from elasticsearch import BadRequestError
from fastapi import FastAPI
from fastapi.testclient import TestClient

from alerts.saved import SavedSearches
from cli.check import lines, look, summary
from delivery.documents import delivery_document
from delivery.feedback import Label
from delivery.mailbox import Mailbox, Mailboxes
from jobs.deliver import deliver
from jobs.health import health
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.recheck import recheck
from jobs.upkeep import upkeep
from newswatch.batch import Batch, BatchState
from newswatch.delivery import Delivery, DeliveryState
from newswatch.errors import DocumentError
from newswatch.feed import FeedState
from newswatch.pulse import JobPulse
from observe.condition import Condition, Severity
from observe.watched import Watched, as_pulse
from store.article_documents import to_document
from store.configuration import FILES, SETTINGS, Kept, Wrong
from store.elastic.documents import dump
from store.entries import EntryRecord
from store.feed_documents import feed_document
from store.feeds import FeedStore
from store.indices.mapping import plain_indices
from store.names import Names
from store.notices import NoticeStore
from store.quarantine import Quarantine
from store.rechecks import Recheck
from tests.factories import NOW, a_feed, stored_article
from tests.jobs.conftest import World
from tests.jobs.conftest import world as world
from tests.jobs.test_crash import publish_another
from tests.web.conftest import Visitor
from web.app import create_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Json = dict[str, Any]

NONSENSE: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "nonsense",
    -1,
    10**15,
    0.5,
    True,
    [["deep"]],
    {"a": {"b": []}},
    "0000-00-00",
    "2026-03-04T05:06:07",
    "9999-12-31T23:59:59.999Z",
    [None],
    "ü" * 3_000,
)


def spoilt(rng: random.Random, document: Json) -> Json:
    """The document with one to three of its fields, at any depth, dropped or replaced by nonsense."""
    made: Json = _copy(document)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(made))
        if not places:
            break
        holder, key = rng.choice(places)
        if rng.random() < 0.25:
            del holder[key]
        else:
            holder[key] = _copy(rng.choice(NONSENSE))
    return made


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(part) for name, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list | tuple) else value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(items):
        yield value, key
        yield from _places(part)


@dataclass(frozen=True, slots=True)
class Kind:
    """A good document of an index, under an id that is its own."""

    index: Callable[[World], str]
    id: str
    document: Json


def kinds() -> list[Kind]:
    """One of each index, such as `plan`, `match`, `deliver`, `recheck` and `health` would work on."""
    feed = a_feed("spoilt")
    delivery = Delivery(
        "nato", "NATO", "s", "a", ("reader@example.org", "analyst@example.org"), DeliveryState.PENDING, NOW,
        not_before=NOW,
    )  # fmt: skip
    search: Json = {
        "id": "spoilt", "name": "Spoilt", "query": "NATO", "recipients": ["spoilt@example.org"], "enabled": True,
        "schedule": "instant", "tags": [{"tag": "nato", "level": "main"}], "throttle_s": 60,
    }  # fmt: skip
    batch = Batch(77, ("spoilt",), BatchState.PLANNED, NOW - timedelta(hours=3), NOW - timedelta(hours=2))
    waits = replace(batch, number=78, state=BatchState.INDEXED, indexed_at=NOW, counts={"new": 1})
    box = Mailbox("reader@example.org", last_sent_at=NOW, last_by_alert={"nato": NOW}, muted={"x": NOW})
    entry = EntryRecord("main", "e", "https://x.example/e", "a", "h", NOW, NOW, 1, NOW)
    article = to_document(
        stored_article(url="https://x.example/e"),
        Names().topics(),
        batch_id=batch.id,
        seq=waits.seq_from,
        indexed_at=NOW,
    )
    return [
        Kind(lambda w: w.context.names.feeds, "spoilt", feed_document(feed, FeedState("spoilt", feed.url, polls=3))),
        Kind(lambda w: w.context.names.batches, batch.id, dump(batch)),
        Kind(lambda w: w.context.names.batches, waits.id, dump(waits)),
        Kind(lambda w: w.context.names.searches, "spoilt", _search_document(search)),
        Kind(lambda w: w.context.names.deliveries, delivery.id, delivery_document(delivery)),
        Kind(lambda w: w.context.names.mailboxes, box.address, dump(box)),
        Kind(lambda w: w.context.names.rechecks, "r", dump(Recheck("r", NOW, NOW))),
        Kind(lambda w: w.context.names.notices, "feed-health", {"kind": "feed-health", "told": {"x": "gone"}}),
        Kind(lambda w: w.context.names.labels, "l", dump(Label("nato", "s", "a", "reader@example.org", True, NOW))),
        Kind(lambda w: w.context.names.entries, entry.id, dump(entry)),
        Kind(lambda w: w.context.names.quarantine, "q", {"what": "feed", "id": "x", "at": NOW.isoformat(), "count": 2}),
        Kind(_slice, stored_article(url="https://x.example/e").id, article),
        Kind(lambda w: w.context.names.outages, "network", _outages("network")),
        Kind(lambda w: w.context.names.outages, "digests", {"looked_at": NOW.isoformat()}),
        *_observed(),
    ]


def _observed() -> list[Kind]:
    """What is kept of the configuration and of the jobs: a file's head and text, a job's pulse, the watchman's."""
    wrong = Wrong("worker-1", "/etc/newswatch/feeds.yaml", "no", NOW, NOW)
    head = Kept("feeds.yaml", "a" * 64, NOW, NOW, "worker-1", "/etc/newswatch/feeds.yaml", ("b" * 64,), (wrong,))
    heads = [replace(head, name=name) for name in (*FILES, SETTINGS)]
    text = {"name": "feeds.yaml", "hash": "a" * 64, "text": "feeds: []\n"}
    ran = JobPulse(
        "pull", NOW, NOW, NOW, NOW, NOW, "away", 2, "worker-1", "airflow", {"feeds": 1}, {"runs": 3},
        {"offline": NOW, "late": NOW}, {"offline": "refused", "late": "queued"},
    )  # fmt: skip
    pulses = [replace(ran, job=job) for job in ("plan", "pull", "match", "deliver", "clean", "health", "unknown")]
    found = Condition("scheduler", Severity.CRITICAL, "It does not run.", "Start it.", NOW)
    watchman = as_pulse(Watched((found,), 60, 15, {"mail.example": NOW}), NOW, "worker-1")
    return [
        *(Kind(lambda w: w.context.names.configuration, kept.name, dump(kept)) for kept in heads),
        Kind(lambda w: w.context.names.configuration, f"feeds.yaml~{'a' * 64}", text),
        *(Kind(lambda w: w.context.names.pulse, pulse.job, dump(pulse)) for pulse in (*pulses, watchman)),
    ]


def _outages(cause: str) -> Json:
    return {"cause": cause, "outages": [{"since": NOW.isoformat(), "why": "nobody answered"}]}


def _slice(world: World) -> str:
    index = world.context.names.slice_of_month(f"{NOW:%Y.%m}")
    if not world.context.es.indices.exists(index=index):
        world.context.es.indices.create(index=index, aliases={world.context.names.articles: {}})
    return index


def _search_document(definition: Json) -> Json:
    shown = {name: definition[name] for name in ("id", "name", "query", "recipients", "enabled", "schedule")}
    return shown | {"seed": "", "version": 1, "definition": definition, "history": []}


def put(world: World, index: str, document_id: str, document: Json) -> bool:
    """Write it; False: the mapping does not take it."""
    try:
        world.context.es.index(index=index, id=document_id, document=document, refresh=True)
    except BadRequestError:
        return False
    return True


def put_all(world: World, made: list[tuple[Kind, Json]]) -> int:
    """`put` for many; how many of them the mappings take."""
    lines = [line for kind, doc in made for line in ({"index": {"_index": kind.index(world), "_id": kind.id}}, doc)]
    answers = [each["index"]["status"] for each in world.context.es.bulk(operations=lines, refresh=True)["items"]]
    assert set(answers) <= {200, 201, 400}
    return len(answers) - answers.count(400)


def run(world: World) -> None:
    """Every job once."""
    for number in plan(world.context).batches:
        pull(world.context, number)
    match(world.context)
    deliver(world.context)
    recheck(world.context)
    health(world.context)
    upkeep(world.context)


def problems(world: World, kind: str = "document") -> set[str]:
    """The documents (or others) that were set aside, without the prefix of the test."""
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    found = quarantine.listed(kind=kind, size=100).problems
    return {kept.problem.subject.removeprefix(world.context.names.prefix) for kept in found}


def mails_to(world: World, recipient: str) -> int:
    """How many mails the recipient has got."""
    return sum(recipient in str(message_from_bytes(mail)["To"]) for mail in world.mailbox.mails)


def publish_and_expect_mail(world: World, number: int) -> None:
    """A new story on the good feed is indexed, matched and mailed, whatever stands beside it."""
    before = mails_to(world, "analyst@example.org")
    publish_another(world, number)
    world.wait(minutes=20)
    run(world)
    assert mails_to(world, "analyst@example.org") == before + 1, f"the mail on story {number} did not go out"


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """The pages, made once for all rounds of a test; each request reads the pulse anew."""
    monkeypatch.setattr("web.pulse_now.READ_FOR_S", -1)
    app = FastAPI()
    app.mount("/news", create_app(lambda: world.context, Visitor().access()))
    return TestClient(app)


def look_round(world: World, client: TestClient) -> None:
    """Command, page, probe and metrics say something, whatever stands in the pulse."""
    pulse, found = look(world.context.settings)
    told = [*lines(pulse, found)]
    assert told[0].startswith("NEWSWATCH ")
    assert summary(pulse)
    assert client.get("/news/health").status_code in (200, 503)
    assert "newswatch_up 1.0" in client.get("/news/metrics").text
    assert client.get("/news/").status_code == 200


def _spoiling() -> Iterator[list[tuple[Kind, Json]]]:
    """Rounds, each with one field of every document replaced; together every field by nonsense of every type."""
    rng = random.Random(17)
    observed = _observed()
    places = {kind.id: list(_places(_copy(kind.document))) for kind in observed}
    for turn in range(max(map(len, places.values()))):
        made = []
        for kind in observed:
            document = _copy(kind.document)
            holder, key = list(_places(document))[turn % len(places[kind.id])]
            holder[key] = _copy(rng.choice(NONSENSE))
            made.append((kind, document))
        yield made


def test_nonsense_in_what_is_kept_of_jobs_and_configuration_stops_neither_them_nor_who_looks(
    world: World, client: TestClient
) -> None:
    run(world)
    good = {kind.id: world.context.es.get(index=kind.index(world), id=kind.id, source=True) for kind in _observed()[:3]}
    written = 0
    for made in _spoiling():
        written += put_all(world, made)
        look_round(world, client)
        for number in plan(world.context).batches:
            pull(world.context, number)
        deliver(world.context)
        look_round(world, client)
    assert written > 100
    for kind_id, was in good.items():
        assert put(world, world.context.names.configuration, kind_id, was["_source"])
    publish_and_expect_mail(world, 1)
    assert {feed.feed.id for feed in FeedStore(world.context.es, world.context.names).all() if feed.feed.enabled} == {
        "main"
    }, "no feed was dropped by nonsense"


def test_an_empty_document_in_every_index_costs_only_itself(world: World) -> None:
    run(world)
    for index in plain_indices(world.context.names):
        assert put(world, index, "empty", {})
    assert put(world, _slice(world), "empty", {})
    for feed_id, more in (("due", {"enabled": True}), ("dropped", {"enabled": True, "id": "dropped"})):
        assert put(world, world.context.names.feeds, feed_id, more)
    publish_and_expect_mail(world, 1)
    assert {"feeds/due", "feeds/empty", "saved-searches/empty"} <= problems(world)
    feed = world.context.es.get(index=world.context.names.feeds, id="due")["_source"]
    assert feed == {"enabled": True}, "what can't be read is not written over"


def test_nonsense_beside_good_documents(world: World, client: TestClient) -> None:
    """Each round spoils a document of every index at random; seeded, so that a failure comes again."""
    run(world)
    written = 0
    for seed in range(6):
        rng = random.Random(seed)
        for kind in kinds():
            for n in range(4):
                document_id = kind.id if n == 0 else f"{kind.id}{seed}{n}"
                written += put(world, kind.index(world), document_id, spoilt(rng, kind.document))
        publish_and_expect_mail(world, seed)
        look_round(world, client)
    assert written > 100
    assert len(problems(world)) > 20


def _defined(**changes: Any) -> Json:
    whole = {"id": "spoilt", "name": "n", "query": "", "recipients": ["a@b.example"]}
    return {"definition": whole | changes}


def _detailed(**changes: Any) -> Json:
    whole = {"alert_id": "nato", "alert_name": "n", "story_id": "s", "article_id": "a", "state": "pending"}
    return {"detail": whole | {"recipients": ["reader@example.org"], "created_at": NOW.isoformat()} | changes}


ROWS: list[tuple[str, int, Json]] = [
    ("feeds: the state is a text", 0, {"state": "nonsense"}),
    ("feeds: the state is null", 0, {"state": None}),
    ("feeds: the state's url is a list", 0, {"state": {"feed_id": "spoilt", "url": ["x"]}}),
    ("feeds: another's id", 0, {"id": "main"}),
    ("feeds: an unknown full_text", 0, {"full_text": "telepathy"}),
    ("feeds: a time without a zone", 0, {"state": {"feed_id": "spoilt", "url": "u", "last_poll_at": "2026-03-04"}}),
    ("batches: an unknown state that expired", 1, {"feed_ids": [["a"]], "number": [77]}),
    ("batches: counts of texts", 2, {"counts": {"other": "many"}}),
    ("batches: another's number", 2, {"number": 99}),
    ("saved searches: no definition", 3, {"definition": None}),
    ("saved searches: a definition of a list", 3, {"definition": ["x"]}),
    ("saved searches: an unknown kind", 3, _defined(kind="telepathy")),
    ("saved searches: a text for the recipients", 3, _defined(recipients="a@b.example")),
    ("deliveries: no detail", 4, {"detail": None}),
    ("deliveries: detail of another", 4, _detailed(alert_id="other")),
    ("deliveries: outcomes of nonsense", 4, _detailed(outcomes=[1])),
    ("rechecks: no time of mailing", 6, {"mailed_at": None}),
    ("rechecks: read beyond all hours", 6, {"done": -5}),
    ("entries: another's entry, due", 9, {"entry_id": "other"}),
    ("entries: no times, due", 9, {"first_seen": None}),
]  # fmt: skip
"""What is wrong, which of `kinds`, what of the document is replaced."""


def _rounds() -> list[list[tuple[str, int, Json]]]:
    """The rows in rounds in which each kind has one: each costs only itself, so a round costs as much as one row."""
    rounds: dict[int, list[tuple[str, int, Json]]] = {}
    taken: Counter[int] = Counter()
    for row in ROWS:
        rounds.setdefault(taken[row[1]], []).append(row)
        taken[row[1]] += 1
    return [*rounds.values()]


@pytest.mark.parametrize("rows", _rounds(), ids=lambda rows: f"{len(rows)} beside each other")
def test_a_problem_is_noted_and_the_good_are_served(world: World, rows: list[tuple[str, int, Json]]) -> None:
    run(world)
    expected = {}
    for what, which, changes in rows:
        kind = kinds()[which]
        assert put(world, kind.index(world), kind.id, kind.document | changes), what
        expected[what] = f"{kind.index(world)}/{kind.id}".removeprefix(world.context.names.prefix)
    publish_and_expect_mail(world, 1)
    found = problems(world)
    assert [what for what, subject in expected.items() if subject not in found] == []


UNUSABLE: list[tuple[str, Json]] = [
    ("an impossible schedule", _defined(schedule="when I like")),
    ("a duration beyond the calendar", _defined(throttle_s=10**15)),
    ("a silence before time", _defined(silence_s=-1)),
]
"""Saved searches that can be read, so that their page can mend them, and not be worked with."""


@pytest.mark.parametrize("changes", [row[1] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE])
def test_a_saved_search_that_cannot_be_worked_with_is_a_problem_of_the_search(world: World, changes: Json) -> None:
    run(world)
    kind = kinds()[3]
    assert put(world, kind.index(world), kind.id, kind.document | changes)
    publish_and_expect_mail(world, 1)
    assert kind.id in problems(world, "search")
    assert problems(world) == set()
    assert SavedSearches(world.context.es, world.context.names).get(kind.id).id == kind.id


def test_who_has_unsubscribed_gets_no_mail_through_a_spoilt_mailbox(world: World) -> None:
    """Passing a mailbox over must not make a new one of it: it would forget what the recipient wants no more."""
    es, names = world.context.es, world.context.names
    box = dump(Mailbox("analyst@example.org", unsubscribed=("*",))) | {"last_by_alert": "nonsense"}
    assert put(world, names.mailboxes, "analyst@example.org", box)
    world.press.publish("quiet")
    run(world)
    assert world.mailbox.mails == []
    assert es.get(index=names.mailboxes, id="analyst@example.org")["_source"] == box
    assert "mailboxes/analyst@example.org" in problems(world)
    with pytest.raises(DocumentError, match=r"mailboxes/analyst@example.org .* last_by_alert"):
        Mailboxes(es, names).get("analyst@example.org")


def test_a_spoilt_saved_search_is_neither_sown_over_nor_saved_over(world: World) -> None:
    es, names = world.context.es, world.context.names
    run(world)
    spoilt_ = es.get(index=names.searches, id="nato")["_source"] | {"definition": {"nonsense": 1}, "seed": "x"}
    assert put(world, names.searches, "nato", spoilt_)
    run(world)
    assert es.get(index=names.searches, id="nato")["_source"] == spoilt_
    assert "saved-searches/nato" in problems(world)
    saved = SavedSearches(es, names)
    with pytest.raises(DocumentError, match="saved-searches/nato"):
        saved.get("nato")
    saved.delete("nato", by="ann")
    run(world)
    assert saved.get("nato").name == "NATO"


def test_a_thousand_spoilt_ones_take_nobody_s_place(world: World) -> None:
    """`plan` takes so many due feeds, `match` looks for one batch that waits: what can't be read is not counted."""
    settings = world.context.settings.model_copy(update={"feeds_per_poll": 3})
    world.context = replace(world.context, settings=settings)
    run(world)
    for n in range(10):
        assert put(world, world.context.names.feeds, f"a{n}", {"enabled": True, "next_poll_at": "2001-01-01"})
        batch = {"number": -n, "state": "indexed"}
        assert put(world, world.context.names.batches, f"bad{n}", batch)
    publish_and_expect_mail(world, 1)


def test_what_the_operator_was_told_is_told_again_rather_than_never(world: World) -> None:
    es, names = world.context.es, world.context.names
    assert put(world, names.notices, "feed-health", {"told": "nonsense", "pending": [1]})
    health(world.context)
    told = NoticeStore(es, names).read()
    assert told.told == {}
    assert told.place is not None
    assert "notices/feed-health" in problems(world)
