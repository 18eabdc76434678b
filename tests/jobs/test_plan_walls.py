"""A feed, an entry or a list that is wrong costs itself: the others are planned, polled and indexed beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html import escape

import pytest

from jobs.plan import Plan, plan
from jobs.pull.batch import PullReport, pull
from newswatch.errors import ConfigError
from newswatch.feed import FeedHealth, FeedState
from newswatch.problems import Problem
from store.batches import BatchStore
from store.feed_documents import feed_document
from store.feeds import FeedRecord, FeedStore
from store.quarantine import Quarantine
from tests.jobs.conftest import World, configure

pytestmark = pytest.mark.slow

BAD = (
    "http://a*b.example/feed",
    "http://a..b.example/x",
    "http://xn--localhost-/a",
    "http://[",
    "nonsense",
    "file:///etc/passwd",
)


def poll(world: World) -> tuple[Plan, PullReport]:
    planned, total = plan(world.context), PullReport(0)
    for number in planned.batches:
        total = total.plus(**pull(world.context, number).counts())
    return planned, total


def records(world: World) -> dict[str, FeedRecord]:
    return {record.feed.id: record for record in FeedStore(world.context.es, world.context.names).all()}


def problems(world: World) -> dict[str, Problem]:
    quarantine = Quarantine(world.context.es, world.context.names)
    quarantine.refresh()
    return {kept.problem.subject: kept.problem for kept in quarantine.listed(size=100).problems}


def spoil(world: World, stored: str, *names: str, **document: object) -> None:
    """Edit the stored feeds by hand, as a redirect that was taken over once, or a user of Kibana, has left them."""
    for name in names:
        record = records(world)[name]
        state = replace(record.state, url=stored, next_poll_at=None)
        body = feed_document(record.feed, state) | document
        world.context.es.index(index=world.context.names.feeds, id=name, document=body, refresh=True)


def test_a_repetition_of_a_plan_hands_out_what_its_first_try_has_leased(world: World) -> None:
    """The first try died, or could not report, after it had leased the feeds: they must not wait for their lease."""
    lost = plan(world.context, planned_by="run-1")
    assert lost.feeds == 1
    assert plan(world.context, planned_by="run-2").batches == ()
    again = plan(world.context, planned_by="run-1")
    assert (again.batches, again.feeds) == (lost.batches, lost.feeds)
    BatchStore(world.context.es, world.context.names).open([], now=world.now, lease_s=600, planned_by="run-1")
    *_, half = plan(world.context, planned_by="run-1").batches
    assert pull(world.context, half).feeds == 0, "it died before it had leased any"
    pull(world.context, *lost.batches)
    assert plan(world.context, planned_by="run-1").batches == (), "what a worker has begun is its own"


def three_feeds(world: World) -> None:
    world.press.publish("one")
    world.press.publish("two", feed="second")
    world.press.publish("three", feed="third")
    configure(world.context.settings.config_dir, world.press)


@pytest.mark.parametrize("url", BAD)
def test_a_stored_address_that_is_none_costs_its_feed_one_poll(world: World, url: str) -> None:
    """It stopped `plan` for all feeds, until the document was mended by hand."""
    three_feeds(world)
    poll(world)
    spoil(world, url, "second")
    world.wait(minutes=10)
    planned, polled = poll(world)
    assert (planned.feeds, polled.feeds) == (2, 2)
    assert "second" in problems(world)
    state = records(world)["second"].state
    assert state.url == f"{world.press.url}/second.xml", "it goes back to where it is configured"
    assert state.former_urls == (url,)
    assert plan(world.context).feeds == 1, "and is polled again at once"


def test_a_feed_whose_own_address_is_none_is_shown_and_put_off(world: World) -> None:
    three_feeds(world)
    poll(world)
    spoil(world, BAD[0], "second", url=BAD[0], origin="store")
    feeds = FeedStore(world.context.es, world.context.names)
    (bad,) = [found for found in feeds.due(world.now + timedelta(days=1), 9) if found.id == "second"]
    second = world.press.feeds.pop("second")
    configure(world.context.settings.config_dir, world.press)  # else it would be corrected from there
    world.wait(minutes=10)
    planned, polled = poll(world)
    assert (planned.feeds, polled.feeds) == (2, 2)
    state = records(world)["second"].state
    assert state.health is FeedHealth.FAILING
    assert BAD[0] in state.health_why
    assert (state.next_poll_at or world.now) > world.now + timedelta(minutes=30)
    assert bad.value.state.failures + 1 == state.failures
    problem = problems(world)["second"]
    assert (problem.kind, problem.stage, problem.url) == ("feed", "plan", BAD[0])
    assert "no valid host name" in problem.reason
    world.press.feeds["second"] = second
    configure(world.context.settings.config_dir, world.press)
    planned, polled = poll(world)
    assert polled.feeds == 1, "a corrected configuration makes it due at once"


def test_bad_addresses_take_no_place_of_good_ones(world: World) -> None:
    three_feeds(world)
    poll(world)
    spoil(world, BAD[1], "second", "third")
    world.wait(minutes=10)
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"feeds_per_poll": 2}))
    planned, _ = poll(world)
    assert planned.feeds == 1


def test_what_waits_for_a_worker_takes_room_in_the_next_poll(world: World) -> None:
    three_feeds(world)
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"feeds_per_poll": 2}))
    first = plan(world.context)
    assert first.feeds == 2
    assert plan(world.context).feeds == 0, "as many as may wait do so"
    batches = BatchStore(world.context.es, world.context.names)
    assert batches.feeds_not_begun(now=world.now) == 2
    batches.begin(first.batches[0])
    assert batches.feeds_not_begun(now=world.now) == 0
    world.wait(seconds=world.context.settings.lease_s + 1)
    assert plan(world.context).feeds == 2, "a lease that is over takes no room"


def test_a_feed_that_rests_or_is_held_with_a_bad_address_stops_nobody(world: World) -> None:
    three_feeds(world)
    poll(world)
    later = world.now + timedelta(hours=1)
    spoil(world, BAD[2], "second", lease_batch=99, lease_until=later.isoformat())
    spoil(world, BAD[3], "third", paused_until=later.isoformat())
    record = records(world)["third"]
    document = feed_document(record.feed, replace(record.state, paused_until=later, next_poll_at=later))
    world.context.es.index(index=world.context.names.feeds, id="third", document=document, refresh=True)
    world.wait(minutes=10)
    planned, polled = poll(world)
    assert (planned.feeds, polled.feeds) == (1, 1)


def test_a_feed_that_breaks_plan_costs_itself(world: World) -> None:
    three_feeds(world)

    def fault(kind: str, subject: str) -> None:
        if (kind, subject) == ("feed", "second"):
            raise RuntimeError("broken for a test")

    world.context = replace(world.context, fault=fault)
    planned, _ = poll(world)
    assert planned.feeds == 2
    assert problems(world)["second"].reason == "RuntimeError: broken for a test"


@pytest.mark.parametrize(
    "text",
    [
        "feeds:\n  - {url: 'http://a..b.example/x', title: X}\n",
        'feeds:\n  - {url: "https://a.example/x\\ny", title: X}\n',
        "feeds:\n  - {url: 'https://a.example/', title: X, country: Belgium}\n",
        "feeds: [\n",
        "feeds: 2026-99-99\n",
        "feeds: \x07\n",
        "",
        None,
    ],
)
def test_a_wrong_list_keeps_no_known_feed_from_being_polled(world: World, text: str | None) -> None:
    three_feeds(world)
    path = world.context.settings.config_dir / "feeds.yaml"
    before = path.read_text(encoding="utf-8")
    poll(world)
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    world.wait(minutes=10)
    planned, polled = poll(world)
    assert polled.feeds == 3
    assert planned.config_error
    assert str(path) in planned.config_error
    assert problems(world)["feeds.yaml"].reason == planned.config_error
    assert all(record.feed.enabled for record in records(world).values())
    path.write_text(before, encoding="utf-8")
    assert plan(world.context).config_error is None
    assert problems(world) == {}, "what is mended is shown no more"


def test_a_wrong_list_is_an_error_where_no_feed_is_known(world: World) -> None:
    path = world.context.settings.config_dir / "feeds.yaml"
    path.write_text("feeds:\n  - {url: 'http://a..b.example/x', title: X}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 2: feeds.0.url.*no valid host name"):
        plan(world.context)


@pytest.mark.parametrize(
    "link", ["http://a..b.example/x", "http://xn--localhost-/a", "http://a b.example/", "http://["]
)
@pytest.mark.parametrize("guid", ["", "<guid isPermaLink='false'>g</guid>", "<guid>http://a..b.example/x</guid>"])
def test_an_entry_with_a_bad_link_is_indexed_with_its_text_beside_twenty_good_ones(
    world: World, link: str, guid: str
) -> None:
    """The whole batch died of it, at every lease."""
    good = "".join(
        f"<item><title>Good {n}</title><link>{world.press.url}/articles/{n}</link></item>" for n in range(20)
    )
    bad = f"<title>Bad link</title><link>{escape(link)}</link>{guid}<description>Its text stays.</description>"
    head = f"<rss version='2.0'><channel><title>Odd</title><link>{world.press.url}</link>"
    world.press.publish("beside")
    world.press.feeds["odd"] = []
    world.press.raw["/odd.xml"] = f"{head}{good}<item>{bad}</item></channel></rss>".encode()
    configure(world.context.settings.config_dir, world.press, {"odd": "feed"})
    _, polled = poll(world)
    assert (polled.feeds, polled.failed, polled.not_a_feed, polled.quarantined) == (2, 0, 0, 0)
    assert polled.new == 22
    world.context.es.indices.refresh(index=world.context.names.articles)
    found = world.context.es.search(index=world.context.names.articles, query={"match": {"summary": "Its text stays"}})
    (hit,) = [hit["_source"] for hit in found["hits"]["hits"] if hit["_source"]["title"] == "Bad link"]
    assert hit["summary"] == "Its text stays."
    assert any("is not an http(s) URL: dropped" in problem for problem in hit["problems"])


def test_a_redirect_to_what_is_no_address_is_never_taken_over(world: World) -> None:
    """A state that a hostile server has pushed three times to another place is a state as any."""
    state = FeedState("main", f"{world.press.url}/main.xml", redirect_to=BAD[0], redirect_seen=2)
    world.press.publish("one")
    plan(world.context)
    record = records(world)["main"]
    document = feed_document(record.feed, state)
    world.context.es.index(index=world.context.names.feeds, id="main", document=document, refresh=True)
    world.wait(minutes=20)
    for _ in range(4):
        world.wait(minutes=10)
        poll(world)
    assert records(world)["main"].state.url == f"{world.press.url}/main.xml"
