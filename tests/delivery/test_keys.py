"""The key that signs links can be changed without killing links, and two machines with two keys are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from delivery.links import Link, LinkError, Links, key_mark
from jobs.deliver import deliver
from jobs.match import match
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.conditions import conditions
from observe.pulse import Pulse
from observe.reading import read_pulse
from tests.factories import NOW
from tests.jobs.conftest import World
from tests.jobs.conftest import world as world
from tests.jobs.test_crash import publish_another
from tests.jobs.test_pull import poll

OLD, NEW = SecretStr("the old key of this test"), SecretStr("the new key of this test")
LINK = Link("mute", "ann@reader.example", "*", "story")


def links(**given: Any) -> Links:
    return Links(Settings(**given))


def test_a_changed_key_leaves_old_links_working_and_signs_new_ones() -> None:
    before, after = links(secret_key=OLD), links(secret_key=NEW, secret_key_before=OLD)
    assert after.read(before.token(LINK)) == LINK
    assert after.read_story(before.story_token("s")).story_id == "s"
    assert links(secret_key=NEW).read(after.token(LINK)) == LINK, "the new one signs"
    with pytest.raises(LinkError, match="not valid"):
        links(secret_key=NEW).read(before.token(LINK))
    with pytest.raises(LinkError, match="not valid"):
        before.read(after.token(LINK))


def test_a_key_of_its_own_can_become_the_one_before(tmp_path: Path) -> None:
    own = links(data_dir=tmp_path)
    token = own.token(LINK)
    made = SecretStr((tmp_path / "secret-key").read_text())
    assert links(secret_key=NEW, secret_key_before=made).read(token) == LINK


def test_a_mark_tells_keys_apart_and_makes_none(tmp_path: Path) -> None:
    assert key_mark(Settings(data_dir=tmp_path)) == ""
    assert [*tmp_path.iterdir()] == []
    old, new = key_mark(Settings(secret_key=OLD)), key_mark(Settings(secret_key=NEW, secret_key_before=OLD))
    assert len({old, new}) == 2
    assert "key" not in old


def test_two_machines_with_two_keys_are_told() -> None:
    noted = {"moments": {"signed": NOW}, "reasons": {"signed": "a"}}
    job = JobPulse("deliver", started_at=NOW, ended_at=NOW, host="worker-2", **noted)  # type: ignore[arg-type]
    told = {c.id: c for c in conditions(Pulse(NOW, {"deliver": job}, key_mark="b"), Settings())}
    assert "signed on worker-2 by another key" in str(told["signing-key"])
    for mark in ("a", ""):
        assert "signing-key" not in {c.id for c in conditions(Pulse(NOW, {"deliver": job}, key_mark=mark), Settings())}


@pytest.mark.slow
def test_who_sends_says_by_which_key(world: World) -> None:
    context = replace(world.context, settings=world.context.settings.model_copy(update={"secret_key": OLD}))
    world.context = context
    publish_another(world, 1)
    poll(world)
    match(context)
    assert deliver(context).sent == 1
    context.es.indices.refresh(index=context.names.pulse)
    seen = read_pulse(context.es, context.names, Settings(secret_key=NEW), world.now)
    assert seen.jobs["deliver"].reasons["signed"] == key_mark(context.settings) != seen.key_mark
    assert "signing-key" in {condition.id for condition in conditions(seen, Settings(secret_key=NEW))}
