"""What real jobs leave in the pulse, and which conditions follow: above all whether any publisher can be reached."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from embedded.processes import free_port
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from newswatch.errors import ConfigError
from observe.condition import Condition
from observe.conditions import conditions
from observe.pulse import Pulse
from observe.reading import read_pulse
from observe.rules.polling import OFFLINE_AFTER, UNANSWERED_AFTER
from store.feeds import FeedStore
from store.indices.mapping import plain_indices
from tests.jobs.conftest import World
from tests.jobs.test_pull import Town, in_town, nowhere, poll, town

pytestmark = pytest.mark.slow
__all__ = ["town"]


def pulse(world: World) -> Pulse:
    es, names = world.context.es, world.context.names
    es.indices.refresh(index=[*plain_indices(names)])
    return read_pulse(es, names, world.context.settings, world.context.clock())


def wrong(world: World) -> dict[str, Condition]:
    return {condition.id: condition for condition in conditions(pulse(world), world.context.settings)}


def wait(world: World, delta: timedelta) -> None:
    world.wait(seconds=delta.total_seconds())


@in_town
@pytest.mark.parametrize("dead", ["refuse", "no name"])
def test_a_network_that_is_gone_is_a_condition_until_somebody_answers(world: World, town: Town, dead: str) -> None:
    urls = [f"{press.url}/main.xml" for press in town.presses] if dead == "refuse" else nowhere(3)
    with ExitStack() as closed:
        for press in town.presses if dead == "refuse" else ():
            closed.callback(press.close)
        closed.close()
        town.configure(*urls)
        poll(world)
        began = pulse(world).reach.offline_since
        assert began is not None
        for _ in range(5):
            world.wait(minutes=2)
            poll(world)
            assert wrong(world).keys() == {"network"}
        assert pulse(world).reach.offline_since == began
        why = {"refuse": "connection refused", "no name": "Domain name not found"}[dead]
        assert re.search(rf"comes in: f\d: \S+ can't be reached: {why}\.", wrong(world)["network"].sentence)
    hosts = (*world.context.settings.fetch_allow_hosts, world.press.host)
    settings = world.context.settings.model_copy(update={"fetch_allow_hosts": hosts})
    world.context = replace(world.context, settings=settings)
    town.configure(f"{world.press.url}/main.xml", *urls)
    world.wait(minutes=2)
    poll(world)
    assert wrong(world) == {}
    assert pulse(world).reach.reached_at is not None


@contextmanager
def hanging(count: int) -> Iterator[list[str]]:
    """Addresses of different hosts where connections are accepted, and nothing is ever answered."""
    with ExitStack() as servers:
        urls = []
        for number in range(2, 2 + count):
            server = servers.enter_context(socket.create_server((f"127.0.0.{number}", 0)))
            urls.append(f"{server.getsockname()[0]}:{server.getsockname()[1]}")
        yield urls


@in_town
def test_hosts_that_never_answer_are_one_outage(world: World, town: Town) -> None:
    with hanging(3) as hosts:
        impatient = {"fetch_allow_hosts": tuple(hosts), "fetch_read_timeout_s": 0.5, "fetch_concurrency": 8}
        settings = world.context.settings.model_copy(update=impatient)
        world.context = replace(world.context, settings=settings)
        town.configure(*(f"http://{host}/main.xml" for host in hosts))
        report = poll(world)
    assert (report.silent, report.reached, report.offline) == (3, 0, 3)
    wait(world, OFFLINE_AFTER)
    assert wrong(world).keys() == {"network"}


@in_town
def test_the_only_feed_is_out_of_reach(world: World, town: Town) -> None:
    town.configure(*nowhere(1))
    assert (poll(world).silent, poll(world).feeds) == (1, 0)
    assert wrong(world) == {}, "it may be one slow answer"
    wait(world, UNANSWERED_AFTER)
    assert wrong(world)["network"].sentence.startswith("The only feed can't be reached")


@in_town
def test_one_dead_host_of_many_is_no_outage(world: World, town: Town) -> None:
    _, other, third = town.presses
    town.configure(f"{other.url}/main.xml", f"{third.url}/main.xml")
    poll(world)
    third.close()
    world.wait(minutes=5)
    assert (poll(world).silent, wrong(world)) == (1, {})
    store = FeedStore(world.context.es, world.context.names)
    (well,) = [found for found in store.due(world.now.replace(year=2030), 9) if found.id == "f0"]
    store.save([(well, replace(well.value.state, next_poll_at=world.now + timedelta(days=6)))])
    for _ in range(3):
        world.wait(minutes=30)
        report = poll(world)
        assert (report.feeds, report.silent, report.reached) == (1, 1, 1), "alone: another is asked"
        wait(world, UNANSWERED_AFTER)
        assert "network" not in wrong(world)


def test_a_poll_in_which_no_feed_is_due_changes_nothing(world: World) -> None:
    poll(world)
    reached = pulse(world).reach.reached_at
    world.wait(seconds=20)
    assert plan(world.context).batches == ()
    assert (pulse(world).reach.reached_at, wrong(world)) == (reached, {})
    assert pulse(world).jobs["plan"].ended_at == world.now


def test_an_error_page_is_an_answer(world: World) -> None:
    world.press.broken["/main.xml"] = 503
    assert (poll(world).failed, wrong(world)) == (1, {})
    assert pulse(world).reach.reached_at == world.now


def test_a_day_in_figures(world: World) -> None:
    world.press.publish("one")
    poll(world)
    match(world.context)
    assert deliver(world.context).sent == 1
    jobs = pulse(world).jobs
    assert (jobs["pull"].totals["new"], jobs["pull"].totals["reached"], jobs["plan"].totals["feeds"]) == (1, 1, 1)
    assert (jobs["match"].last["matches"], jobs["match"].last["batches"], jobs["deliver"].totals["sent"]) == (1, 1, 1)
    accepted = pulse(world).mail.accepted_at
    assert accepted
    assert wrong(world) == {}
    assert accepted - world.now < timedelta(minutes=1)
    assert not [job for job in jobs.values() if job.under_way]


def test_a_mail_server_that_is_away_is_a_condition_until_it_takes_a_mail(world: World) -> None:
    world.press.publish("one")
    poll(world)
    match(world.context)
    context = world.context
    dead = context.settings.model_copy(update={"smtp_port": free_port()})
    assert deliver(replace(context, settings=dead)).down
    began = world.now
    world.wait(minutes=5)
    assert deliver(replace(context, settings=dead)).down
    condition = wrong(world)["mail-server"]
    assert (condition.since, list(wrong(world))) == (began, ["mail-server"])
    assert "refused" in condition.sentence
    world.wait(minutes=5)
    assert deliver(context).sent == 1
    assert wrong(world) == {}


def test_a_job_that_fails_is_a_condition_until_it_works(world: World) -> None:
    poll(world)
    es, names = world.context.es, world.context.names
    es.indices.put_settings(index=names.searches, settings={"index.blocks.read": True})
    for _ in range(2):
        with pytest.raises(Exception, match="blocked"):
            match(world.context)
    told = wrong(world)["matching"]
    assert (str(told.severity), told.since) == ("critical", world.now)
    assert names.searches in told.sentence
    es.indices.put_settings(index=names.searches, settings={"index.blocks.read": None})
    match(world.context)
    assert wrong(world) == {}


def test_a_taxonomy_that_was_never_right_is_one_condition(world: World) -> None:
    (world.context.settings.config_dir / "taxonomy.yaml").write_text("tags: 7\n", encoding="utf-8")
    world.press.publish("one")
    for _ in range(3):
        with pytest.raises(ConfigError, match=r"taxonomy\.yaml"):
            poll(world)
        world.wait(minutes=11)
    assert "taxonomy.yaml" in pulse(world).jobs["pull"].why
