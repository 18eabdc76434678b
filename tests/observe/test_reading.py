"""The reading of the pulse from a real node: each part, and what happens if one can't be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.failing import failing
from alerts.saved import SavedSearches
from delivery.mailbox import Mailbox, Mailboxes
from delivery.outbox import Outbox
from newswatch.alert import Match, SavedSearch
from newswatch.batch import BatchState
from newswatch.feed import Feed, FeedHealth, FeedState
from newswatch.problems import Problem
from newswatch.settings import Settings
from observe.condition import Severity
from observe.conditions import conditions
from observe.pulse import Pulse, Storage
from observe.reading import read_pulse
from observe.watched import WATCHMAN
from store.articles import ArticleStore
from store.batches import BatchStore
from store.elastic import bulk
from store.elastic.client import Client, connect
from store.elastic.documents import dump
from store.feed_documents import feed_document
from store.generations import create_slice
from store.indices.mapping import plain_indices
from store.keys import KeyStore, Refusal
from store.keys import Request as KeyRequest
from store.names import Names
from store.pulse import PulseStore
from store.quarantine import Quarantine
from tests.factories import NOW, a_feed, stored_article
from tests.lost_slice import lost_slice
from tests.store.doors import Door, dropping

pytestmark = pytest.mark.slow

ANN, BOB = "ann@example.org", "bob@example.org"


def before(**delta: float) -> datetime:
    return NOW - timedelta(**delta)


@pytest.fixture
def settings(elasticsearch_url: str, names: Names, tmp_path: Path) -> Settings:
    return Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix, data_dir=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with connect(settings) as es:
        yield es


def read(client: Client, names: Names, settings: Settings, now: datetime = NOW) -> Pulse:
    client.indices.refresh(index=[*plain_indices(names)], ignore_unavailable=True)
    return read_pulse(client, names, settings, now)


def feeds(client: Client, names: Names, *states: tuple[Feed, FeedState]) -> None:
    actions = (bulk.create(names.feeds, feed.id, feed_document(feed, state)) for feed, state in states)
    assert all(bulk.require(written) for written in bulk.write(client, actions))


def a_state(name: str, health: FeedHealth, **changes: object) -> tuple[Feed, FeedState]:
    feed = a_feed(name)
    state = FeedState(name, feed.url, health=health, next_poll_at=NOW + timedelta(hours=1))
    return feed, replace(state, **changes)  # type: ignore[arg-type]


def test_an_empty_installation_is_well(client: Client, names: Names, settings: Settings) -> None:
    pulse = read(client, names, settings)
    assert pulse.storage.status == "green"
    assert pulse.storage.disk == "green"
    assert pulse.storage.disk_free is not None
    assert pulse.storage.installed_at is not None
    assert pulse == Pulse(NOW, storage=pulse.storage)


def test_a_node_without_newswatch_is_well(client: Client, elasticsearch_url: str, tmp_path: Path) -> None:
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix="nothing-here-", data_dir=tmp_path)
    pulse = read_pulse(client, Names.of(settings), settings, NOW)
    assert (pulse.unread, pulse.storage.installed_at, conditions(pulse, settings)) == ({}, None, ())


def test_the_feeds_by_health_and_how_many_are_overdue(client: Client, names: Names, settings: Settings) -> None:
    feeds(
        client,
        names,
        a_state("a", FeedHealth.OK),
        a_state("b", FeedHealth.OK, next_poll_at=before(minutes=2)),
        a_state("c", FeedHealth.OK, next_poll_at=before(seconds=30)),
        a_state("d", FeedHealth.FAILING, health_since=before(hours=3)),
        a_state("e", FeedHealth.FAILING, health_since=before(hours=2)),
        a_state("f", FeedHealth.GONE, health_since=before(hours=1), next_poll_at=NOW + timedelta(days=365_000)),
    )
    client.index(
        index=names.feeds,
        id="off",
        document=feed_document(replace(a_feed("off"), enabled=False), FeedState("off", "https://x.example/")),
    )
    held = a_state("held", FeedHealth.OK, next_poll_at=before(minutes=2))
    lease = {"lease_batch": 3, "lease_until": (NOW + timedelta(minutes=1)).isoformat()}
    client.index(index=names.feeds, id="held", document=feed_document(*held) | lease)
    reach = read(client, names, settings).reach
    assert (reach.enabled, reach.states, reach.due) == (7, {"ok": 4, "failing": 2, "gone": 1}, 1)
    assert reach.failing_since == before(hours=2)


def test_what_the_jobs_recorded(client: Client, names: Names, settings: Settings) -> None:
    store = PulseStore(client, names)
    moments = {"reached": before(minutes=9), "offline": before(minutes=5), "unanswered": before(minutes=6)}
    store.change("pull", lambda was: replace(was, moments=moments, reasons={"offline": "The Herald: no such name"}))
    down = {"down": before(minutes=4), "accepted": before(hours=1)}
    store.change("deliver", lambda was: replace(was, moments=down, reasons={"down": "refused"}))
    store.change(WATCHMAN, lambda was: replace(was, started_at=before(days=1), beat_at=before(seconds=9)))
    pulse = read(client, names, settings)
    assert set(pulse.jobs) == {"pull", "deliver"}
    reach, mail = pulse.reach, pulse.mail
    assert (reach.reached_at, reach.offline_since, reach.unanswered_since, reach.why) == (
        moments["reached"],
        moments["offline"],
        moments["unanswered"],
        "The Herald: no such name",
    )
    assert (mail.accepted_at, mail.down_since, mail.why) == (down["accepted"], down["down"], "refused")
    assert (pulse.watch_began_at, pulse.watched_at) == (before(days=1), before(seconds=9))
    assert pulse.watched_until == NOW + timedelta(seconds=111), "then what it saw is dropped, and itself taken for dead"


def test_the_batches_that_wait_and_the_newest_article(client: Client, names: Names, settings: Settings) -> None:
    store = BatchStore(client, names)
    batches = [store.open([], now=before(hours=1), lease_s=60) for _ in range(3)]
    store.mark_indexed(batches[0].number, counts={}, now=before(minutes=50))
    store.mark_matched(store.get(batches[0].number), now=before(minutes=40))
    store.mark_indexed(batches[1].number, counts={}, now=before(minutes=30))
    store.mark_indexed(batches[2].number, counts={}, now=before(minutes=20))
    ArticleStore(client, names).write([stored_article()], batches[2], batches[2].seq_of_attempt, now=before(minutes=21))
    client.indices.refresh(index=names.articles)
    pulse = read(client, names, settings)
    waiting = pulse.waiting
    assert (waiting.batches, waiting.batch_since, waiting.matched_at) == (2, before(minutes=30), before(minutes=40))
    assert pulse.newest_article_at == before(minutes=21)
    assert batches[0].state is BatchState.PLANNED


def search(recipients: tuple[str, ...] = (ANN,), **changes: object) -> SavedSearch:
    return replace(SavedSearch("ice", "Ice in the north", "ice", recipients), **changes)  # type: ignore[arg-type]


def enqueued(client: Client, names: Names, wanted: SavedSearch, *stories: str, at: datetime) -> None:
    SavedSearches(client, names).save(wanted, by="ann")
    Outbox(client, names).enqueue([Match(wanted.id, story, story) for story in stories], [wanted], at)


def test_the_mails_that_are_due_and_not_sent(client: Client, names: Names, settings: Settings) -> None:
    enqueued(client, names, search((ANN, BOB)), "s1", "s2", at=before(minutes=10))
    waiting = read(client, names, settings).waiting
    assert (waiting.mails, waiting.mail_since, waiting.refused) == (4, before(minutes=10), 0)
    refused = Mailbox(
        BOB, failures=3, failing_since=before(hours=2), retry_at=NOW + timedelta(minutes=3), last_error="full"
    )
    client.index(index=names.mailboxes, id=BOB, document=dump(refused), refresh=True)
    waiting = read(client, names, settings).waiting
    assert (waiting.mails, waiting.mail_since) == (4, before(minutes=10))
    assert (waiting.refused, waiting.refused_since, waiting.refused_why) == (1, before(hours=2), "full")
    assert read(client, names, settings).mail.states == {"pending": 2}


def test_mails_that_are_held_back_are_not_due(client: Client, names: Names, settings: Settings) -> None:
    enqueued(client, names, search(throttle_s=3_600), "s1", at=before(minutes=10))
    box = Mailbox(ANN, last_sent_at=before(minutes=30), last_by_alert={"ice": before(minutes=30)})
    client.index(index=names.mailboxes, id=ANN, document=dump(box), refresh=True)
    assert read(client, names, settings).waiting.mails == 0
    daily = search(id="daily", schedule="daily at 07:00 Europe/Brussels")
    enqueued(client, names, daily, "s2", at=before(minutes=10))
    assert read(client, names, settings).waiting.mails == 0


def test_a_recipient_who_is_being_served_is_not_refused(client: Client, names: Names, settings: Settings) -> None:
    enqueued(client, names, search(), "s1", at=before(minutes=1))
    held = Mailboxes(client, names).claim([ANN], "me", NOW, timedelta(minutes=1))[ANN]
    noted = replace(held.value, failures=1, failing_since=NOW, retry_at=NOW + timedelta(minutes=1))
    assert Mailboxes(client, names).keep({ANN: (held, noted)})
    waiting = read(client, names, settings).waiting
    assert (waiting.refused, waiting.mail_since) == (0, before(minutes=1))


def test_the_searches_that_fail_by_their_names(client: Client, names: Names, settings: Settings) -> None:
    saved = SavedSearches(client, names)
    for wanted in (search(), search(id="off", enabled=False), search(id="mended")):
        saved.save(wanted, by="ann", now=before(days=1))
    failed = [Problem("search", name, "too many clauses", "match") for name in ("ice", "off", "mended", "gone")]
    quarantine = Quarantine(client, names)
    quarantine.note(
        [*failed, Problem("search", "alerts.yaml", "wrong", "seed"), Problem("feed", "x", "y")], now=before(hours=2)
    )
    quarantine.note(failed, now=before(hours=1))
    saved.save(search(id="mended", query="snow"), by="ann", now=before(minutes=1))
    pulse = read(client, names, settings)
    (failing,) = pulse.failing_searches
    assert (failing.id, failing.name, failing.since, failing.why) == (
        "ice",
        "Ice in the north",
        before(hours=2),
        "too many clauses",
    )
    assert (pulse.problems, pulse.problem_kinds) == (6, {"search": 5, "feed": 1})


def test_searches_that_are_not_even_run_fail_too(client: Client, names: Names, settings: Settings) -> None:
    """One whose query in alerts.yaml can't be run, and one whose document can't be read."""
    saved, quarantine = SavedSearches(client, names), Quarantine(client, names)
    saved.seed([search(id="unclosed", name="Unclosed", query="(ice"), search(id="edited")], now=before(hours=1))
    well = client.get(index=names.searches, id="edited")["_source"]
    client.index(index=names.searches, id="edited", document=well | {"definition": {"id": "edited", "recipients": 3}})
    quarantine.note([Problem("document", f"{names.searches}/edited", "recipients: 3", "match")], now=before(minutes=9))
    quarantine.note([Problem("document", f"{names.mailboxes}/x", "no", "match")], now=before(minutes=9))
    pulse = read(client, names, settings)
    assert {failing.id: (failing.name, failing.since) for failing in pulse.failing_searches} == {
        "unclosed": ("Unclosed", before(hours=1)),
        "edited": ("Ice in the north", before(minutes=9)),
    }
    assert all(failing.why for failing in pulse.failing_searches)
    client.index(index=names.searches, id="edited", document=well)
    client.update(index=names.searches, id="unclosed", doc={"enabled": False})
    assert read(client, names, settings).failing_searches == ()


def test_readers_and_the_operator_are_told_of_the_same_searches(
    client: Client, names: Names, settings: Settings
) -> None:
    """Two ways lead to them: one request among the pulse's, and the repositories, for what mails say."""
    wanted = {"on": None, "later": NOW + timedelta(days=1), "now": NOW, "past": before(days=1)}
    saved = SavedSearches(client, names)
    for name, expires_at in wanted.items():
        saved.save(search(id=name, expires_at=expires_at), by="ann", now=before(days=2))
    unclosed = [search(id=f"{name}-wrong", query="(ice", expires_at=at) for name, at in wanted.items()]
    saved.seed(unclosed, now=before(days=2))
    failed = [Problem("search", name, "too many clauses", "match") for name in wanted]
    Quarantine(client, names).note(failed, now=before(hours=1))
    told = {each.id for each in read(client, names, settings).failing_searches}
    assert told == {"on", "later", "on-wrong", "later-wrong"} == set(failing(client, names, NOW))


def test_the_api_keys_that_end_without_their_hashes(client: Client, names: Names, settings: Settings) -> None:
    keys = KeyStore(client, names)
    asked = [KeyRequest(f"key {n}", "ann", ["read"], n) for n in (5, 20, 90)]
    made = [keys.create(each, by="ann", now=NOW) for each in asked]
    keys.create(KeyRequest("never used", "ann", ["read"], 6), by="ann", now=NOW)
    assert not [each for each in made if isinstance(keys.admitted(each.text, NOW), Refusal)]
    keys.revoke(made[0].key.id, by="ann", now=NOW)
    client.indices.refresh(index=names.keys)
    (ending,) = read_pulse(client, names, settings, NOW).keys
    assert (ending.name, ending.owner, ending.expires_at) == ("key 20", "ann", NOW + timedelta(days=20))
    assert made[1].key.hash not in str(ending)


def test_documents_of_nonsense_cost_only_themselves(client: Client, names: Names, settings: Settings) -> None:
    PulseStore(client, names).change("plan", lambda was: replace(was, ended_at=NOW))
    client.index(index=names.pulse, id="pull", document={"last": "three"})
    client.index(index=names.quarantine, id="x", document={"what": "search", "stage": "match", "id": "ice"})
    client.index(index=names.mailboxes, id=ANN, document={"address": BOB})
    enqueued(client, names, search(), "s1", at=before(minutes=10))
    pulse = read(client, names, settings)
    assert (set(pulse.jobs), pulse.failing_searches, pulse.unread) == ({"plan"}, (), {})


@pytest.mark.parametrize(
    ("index", "part"),
    [
        ("feeds", "feeds"),
        ("pulse", "jobs"),
        ("batches", "batches"),
        ("quarantine", "problems"),
        ("deliveries", "outbox"),
    ],
)
def test_a_part_that_cant_be_read_is_named_and_the_others_stand(
    client: Client, names: Names, settings: Settings, index: str, part: str
) -> None:
    PulseStore(client, names).change("plan", lambda was: replace(was, ended_at=NOW))
    feeds(client, names, a_state("a", FeedHealth.OK))
    client.indices.put_settings(index=f"{names.prefix}{index}", settings={"index.blocks.read": True})
    pulse = read(client, names, settings)
    client.indices.put_settings(index=f"{names.prefix}{index}", settings={"index.blocks.read": None})
    assert part in pulse.unread
    assert (pulse.reach.enabled, set(pulse.jobs)) == (int(part != "feeds"), set() if part == "jobs" else {"plan"})
    told = {condition.id: condition.sentence for condition in conditions(pulse, settings)}
    assert f"the {part}" in told["elasticsearch"]


def test_a_disk_at_flood_stage(client: Client, names: Names, settings: Settings) -> None:
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=names.feeds, settings={block: True})
    client.indices.put_settings(index=names.batches, settings={"index.blocks.write": True})
    pulse = read(client, names, settings)
    for index in (names.feeds, names.batches):
        client.indices.put_settings(index=index, settings={block: None, "index.blocks.write": None})
    assert pulse.storage.read_only == (names.feeds,)
    assert pulse.storage.takes_notes
    assert [condition.id for condition in conditions(pulse, settings)] == ["disk"]


def test_a_full_disk_takes_no_notes(client: Client, names: Names, settings: Settings) -> None:
    block = "index.blocks.read_only_allow_delete"
    client.indices.put_settings(index=names.pulse, settings={block: True})
    pulse = read(client, names, settings)
    client.indices.put_settings(index=names.pulse, settings={block: None})
    assert not pulse.storage.takes_notes


def test_elasticsearch_that_refuses_or_hangs_is_told_in_seconds(elasticsearch_url: str) -> None:
    door = Door(int(elasticsearch_url.rsplit(":", 1)[1]), mood="silent after HEAD")
    with dropping() as dropped:
        for url in ("http://127.0.0.1:1", dropped, door.url):
            settings = Settings(elasticsearch_url=url)
            began = time.monotonic()
            with connect(settings) as client:
                pulse = read_pulse(client, Names.of(settings), settings, NOW)
            assert time.monotonic() - began < 45, "a request that nobody answers takes a minute"
            assert url in pulse.storage.away
            assert pulse == Pulse(NOW, storage=Storage(away=pulse.storage.away))
            assert [condition.id for condition in conditions(pulse, settings)] == ["elasticsearch"]
    door.close()


def test_a_reading_takes_few_requests(client: Client, names: Names, settings: Settings) -> None:
    asked: list[str] = []
    transport = client.transport
    perform = transport.perform_request

    def counted(method: str, target: str, **kwargs: object) -> object:
        asked.append(f"{method} {target}")
        return perform(method, target, **kwargs)  # type: ignore[arg-type]

    transport.perform_request = counted  # type: ignore[method-assign, assignment]
    read_pulse(client, names, settings, NOW)
    assert len(asked) <= 8, asked


def test_a_month_out_of_reach_is_named(client: Client, names: Names, settings: Settings) -> None:
    create_slice(client, names, "2026.02")
    with lost_slice(client, names, "2026.02") as index:
        pulse = read_pulse(client, names, settings, NOW)
        assert (pulse.storage.status, pulse.storage.lost) == ("red", (index,))
        (told,) = (one for one in conditions(pulse, settings) if one.id == "elasticsearch")
        assert f"its state is red: {index})" in told.sentence
    assert read_pulse(client, names, settings, NOW).storage.lost == ()


def test_a_month_that_somebody_has_closed_is_named(client: Client, names: Names, settings: Settings) -> None:
    index = create_slice(client, names, "2026.02")
    assert read(client, names, settings).storage.closed == ()
    client.indices.close(index=index)
    pulse = read(client, names, settings)
    client.indices.open(index=index)
    assert (pulse.storage.closed, pulse.storage.lost) == ((index,), ())
    (told,) = (one for one in conditions(pulse, settings) if one.id == "elasticsearch" and index in one.sentence)
    assert (told.severity, f"POST {index}/_open" in told.next_step) == (Severity.CRITICAL, True)
