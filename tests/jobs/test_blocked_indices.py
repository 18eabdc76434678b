"""Each index in turn is blocked, full, closed or gone: one sentence names it, nothing is lost, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes

import pytest
from elasticsearch import Elasticsearch, NotFoundError

from jobs.context import open_context
from jobs.deliver import deliver
from jobs.health import health
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from jobs.recheck import recheck
from newswatch.batch import SEQ_PER_BATCH
from newswatch.errors import MissingIndexError, StoreError
from newswatch.problems import Bulkhead
from observe import record
from store.batches import BatchStore
from store.feeds import FeedStore
from store.indices.mapping import plain_indices
from store.indices.setup import set_up
from store.names import Names
from store.quarantine import Quarantine
from tests.factories import NOW, a_feed
from tests.jobs.conftest import World
from tests.jobs.test_crash import poll_only, publish_another, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def block(setting: str) -> tuple[Callable[[Elasticsearch, str], object], Callable[[Elasticsearch, str], object]]:
    """Sets and removes a block of an index."""
    return (
        lambda es, index: es.indices.put_settings(index=index, settings={setting: True}),
        lambda es, index: es.indices.put_settings(index=index, settings={setting: None}),
    )


BREAKS = {
    "index.blocks.write": block("index.blocks.write"),
    "flood-stage": block("index.blocks.read_only_allow_delete"),
    "closed": (
        lambda es, index: es.indices.close(index=index),
        lambda es, index: (
            es.indices.open(index=index),
            es.cluster.health(index=index, wait_for_status="yellow", timeout="30s"),
        ),
    ),
}


def is_broken(es: Elasticsearch, index: str, how: str) -> bool:
    """Whether the index is still as the test left it."""
    blocks = es.indices.get_settings(index=index, expand_wildcards="all")[index]["settings"]["index"].get("blocks", {})
    return how != "flood-stage" or "read_only_allow_delete" in blocks


def trouble(world: World) -> list[str]:
    """What the jobs end with, each run as far as it comes."""
    told = []
    for job in (poll_only, match, deliver, recheck, health):
        try:
            job(world.context)
        except StoreError as error:
            told.append(str(error))
    return told


@pytest.mark.parametrize("how", list(BREAKS))
def test_each_index_in_turn(world: World, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "END_PAUSE_S", 0.0)  # the pulse stays blocked for longer than its tries are apart
    es, names = world.context.es, world.context.names
    breaks, mends = BREAKS[how]
    publish_another(world, 0)
    world.wait(minutes=20)
    run(world.context)
    needed = (
        names.feeds,
        names.batches,
        names.entries,
        names.deliveries,
        names.mailboxes,
        names.slice_of_month(f"{NOW:%Y.%m}"),
    )
    # What the jobs can do without is broken at once: if that stops nothing, none of it does alone.
    spared = [
        names.subscribers,
        names.labels,
        names.pulse,
        names.configuration,
        names.readers,
        names.keys,
        names.audit,
        names.imports,
        names.milestones,
        names.months,
    ]
    ours = (*plain_indices(names), names.slice_of_month(f"{NOW:%Y.%m}"))
    for number, broken in enumerate([*([index] for index in ours if index not in spared), spared], 1):
        publish_another(world, number)
        world.wait(minutes=20)
        for index in broken:
            breaks(es, index)
        told = trouble(world)
        # A slice may be named by the alias that it was asked for by.
        called = [names.articles if names.parse_slice(index) else index for index in broken]
        assert all(how in one and any(index in one for index in called) for one in told), told
        assert all("upgrade" not in one and "\n" not in one for one in told)
        assert not told or broken is not spared, told
        # Elasticsearch looks at the disk twice a minute and removes a block of its own.
        if all(is_broken(es, index, how) for index in broken):
            assert told or not set(needed) & set(broken), f"{broken} is {how}, and nobody says so"
        for index in broken:
            mends(es, index)
        if told or len(world.mailbox.mails) <= number:  # jobs that all came to their end need no second run
            world.wait(minutes=20)
            run(world.context)
        ids = [message_from_bytes(mail)["Message-ID"] for mail in world.mailbox.mails]
        assert len(set(ids)) == len(ids) == number + 1, f"a mail is lost or twice after {broken} was {how}"


def test_a_refusal_is_no_conflict(world: World) -> None:
    es, names = world.context.es, world.context.names
    feeds, batches = FeedStore(es, names), BatchStore(es, names)
    feeds.sync([a_feed("herald")])
    due = feeds.due(NOW, 10)
    batch = batches.open(["herald"], now=NOW, lease_s=60)
    BREAKS["index.blocks.write"][0](es, names.feeds)
    for refused in (
        lambda: feeds.lease(due, batch),
        lambda: feeds.save([(due[0], due[0].value.state)]),
        lambda: feeds.sync([a_feed("new")]),
    ):
        with pytest.raises(StoreError, match=f"{names.feeds} is blocked .index.blocks.write"):
            refused()
    BREAKS["index.blocks.write"][0](es, names.batches)
    with pytest.raises(StoreError, match=f"{names.batches} is blocked"):
        batches.reap(now=NOW.replace(hour=23))


def test_a_missing_index_is_made_anew_as_it_was_and_told(world: World) -> None:
    es, names = world.context.es, world.context.names
    run(world.context)
    mappings = {index: es.indices.get_mapping(index=index)[index] for index in plain_indices(names)}
    for number, index in enumerate(plain_indices(names), 1):
        es.indices.delete(index=index)
        with pytest.raises(NotFoundError):
            es.index(index=index, id="x", document={"x": 1})
        publish_another(world, number)
        world.wait(minutes=20)
        run(world.context)
        open_context(world.context.settings, clock=world.clock)
        assert es.indices.get_mapping(index=index)[index] == mappings[index]
        ids = [message_from_bytes(mail)["Message-ID"] for mail in world.mailbox.mails]
        assert len(set(ids)) == len(ids) == number, f"after {index} was deleted"
    quarantine = Quarantine(es, names)
    quarantine.refresh()
    assert any("created again" in kept.problem.reason for kept in quarantine.listed(kind="document", size=100).problems)


def test_an_index_with_a_guessed_mapping_is_recognised(world: World) -> None:
    es, names = world.context.es, world.context.names
    es.indices.delete_index_template(name=names.plain_template())
    es.indices.delete(index=names.labels)
    es.indices.create(index=names.labels)
    es.index(index=names.labels, document={"alert_id": "x", "relevant": True})
    with pytest.raises(StoreError, match=rf"{names.labels} can't be used: .*`DELETE INDEX`") as told:
        open_context(world.context.settings)
    assert "\n" not in str(told.value)
    es.indices.delete(index=names.labels)
    assert names.labels in set_up(es, names, world.context.settings)


def test_without_its_index_a_batch_number_lies_above_all_that_names_one(world: World) -> None:
    es, names = world.context.es, world.context.names
    publish_another(world, 1)
    run(world.context)
    highest = BatchStore(es, names).open([], now=world.now, lease_s=1).number
    es.indices.refresh(index=names.articles)
    es.indices.delete(index=names.batches)
    set_up(es, names, world.context.settings)
    newest = es.search(index=names.articles, size=1, sort=[{"seq": "desc"}])["hits"]["hits"][0]["sort"][0]
    assert BatchStore(es, names).open([], now=world.now, lease_s=1).number > newest // SEQ_PER_BATCH
    es.index(index=names.feeds, id="x", document={"lease_batch": highest + 50}, refresh=True)
    assert BatchStore(es, names).open([], now=world.now, lease_s=1).number == highest + 51
    nonsense = {"number": 92_233_720_368}
    es.index(index=names.batches, id="nonsense", document=nonsense, refresh=True)
    assert BatchStore(es, names).open([], now=world.now, lease_s=1).number == highest + 52


def test_what_a_lost_batch_brought_is_matched_and_nothing_is_mailed_twice(world: World) -> None:
    publish_another(world, 1)
    run(world.context)
    assert len(world.mailbox.mails) == 1
    publish_another(world, 2)
    world.wait(minutes=20)
    for number in plan(world.context).batches:
        pull(world.context, number)  # and then, before anybody has matched it:
    world.context.es.indices.refresh(index=world.context.names.articles)
    world.context.es.indices.delete(index=world.context.names.batches)
    publish_another(world, 3)
    world.wait(minutes=20)
    run(world.context)
    texts = [str(message_from_bytes(mail).get_payload(0)) for mail in world.mailbox.mails]
    titles = [story.title for story in world.press.feeds["main"]]
    assert [sum(title in text for text in texts) for title in titles] == [1, 1, 1]


def test_what_is_broken_for_all_is_not_set_aside(es: Elasticsearch, names: Names) -> None:
    es.indices.close(index=names.feeds)
    bulkhead = Bulkhead("plan")
    with pytest.raises(Exception, match="closed"):
        bulkhead.attempt("feed", "f", lambda: es.search(index=names.feeds))
    assert bulkhead.problems == ()


def test_without_the_index_of_a_kind_unknown_nothing_is_made(world: World) -> None:
    assert not world.context.restore("somebody-elses")
    with pytest.raises(MissingIndexError, match="somebody-elses is missing"), world.context.stage("x"):
        world.context.es.search(index="somebody-elses")


def test_plan_takes_a_blocked_store_for_no_standstill(world: World) -> None:
    """It was silent: every refusal was taken for a feed that somebody else has."""
    BREAKS["index.blocks.write"][0](world.context.es, world.context.names.feeds)
    with pytest.raises(StoreError, match="feeds is blocked"):
        plan(world.context)
