"""The weekly check of the list: what it finds is told to the operator, and is over once the list is mended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.check import CheckReport, check
from newswatch.feed import Fallback
from newswatch.settings import Settings
from observe.conditions import conditions
from observe.reading import read_pulse
from store.feeds import FeedStore
from tests.factories import a_feed
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow


def told(world: World) -> list[str]:
    world.context.es.indices.refresh(index="*")
    pulse = read_pulse(world.context.es, world.context.names, world.context.settings, world.now)
    return [c.sentence for c in conditions(pulse, Settings()) if c.id == "feeds-replaceable"]


def test_a_source_with_a_replacement_is_told_until_the_list_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.press.publish("one", feed="new")
    old = a_feed("old", url=f"{world.press.url}/gone.xml", site=f"{world.press.url}/")
    new = f"{world.press.url}/new.xml"
    store = FeedStore(world.context.es, world.context.names)
    store.sync([replace(old, fallback=Fallback(new, "feed")), a_feed("new", url=f"{world.press.url}/main.xml")])
    assert check(world.context) == CheckReport(0, 0, 0), "they have not been polled yet"
    monkeypatch.setattr("jobs.check.POLLED", 0)
    assert check(world.context) == CheckReport(2, 2, 1)
    (sentence,) = told(world)
    assert f"The Old by {new}" in sentence
    store.sync([replace(old, url=new), a_feed("new", url=new + "?")])
    assert check(world.context).replaceable == 0
    assert told(world) == []
