"""A story is parted and joined on a real Elasticsearch, and its mails follow."""

from __future__ import annotations

import pytest

from delivery.outbox import Outbox
from jobs.match import match
from jobs.parting import join, split
from newswatch.article import Tag
from newswatch.errors import NewswatchError
from store.batches import BatchStore
from tests.alerts.press import a_story
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow

TEXT = "Frigates of six navies gathered off Bergen to hunt a submarine that was not there, an exercise of {} days."


def arrive(world: World, *numbers: int) -> list[str]:
    """Reports that are taken for one story come in; their ids."""
    batches = BatchStore(world.context.es, world.context.names)
    batch = batches.begin(batches.open([], now=world.now, lease_s=600).number)
    tags = (Tag("nato", "main", 0.9, ()),)
    stories = [
        a_story(n, title="Frigates hunt a submarine off Bergen", text=TEXT.format(n), tags=tags) for n in numbers
    ]
    world.articles().write(stories, batch, batch.seq_of_attempt, now=world.now)
    batches.mark_indexed(batch.number, counts={"new": len(numbers)}, now=world.now)
    match(world.context)
    return [story.id for story in stories]


def test_parting_and_joining_keep_what_mails_promise(world: World) -> None:
    one, two, three = (arrive(world, n)[0] for n in (1, 2, 3))
    outbox = Outbox(world.context.es, world.context.names)
    before = world.articles().get([one, two, three])
    (story,) = {article.story_id for article in before.values()}
    outbox.refresh()
    (only,) = outbox.on_stories([story])
    first = only.article_id
    other, third = (id for id in (one, two, three) if id != story)

    done = split(world.context, story, [other], "ana")
    assert (done.story_id, done.moved, done.mails) == (other, 1, 1)
    moved = world.articles().get([other])[other]
    assert (moved.story_id, moved.duplicate_of, moved.placed_by) == (other, None, "ana")
    again = split(world.context, story, [other], "ana")
    assert (again.moved, again.mails) == (0, 0), "run again it goes on, and mails nobody twice"
    outbox.refresh()
    assert [one.article_id for one in outbox.on_stories([other])] == [other]
    assert [one.article_id for one in outbox.on_stories([story])] == [first]

    match(world.context)
    assert world.articles().get([other])[other].story_id == other, "it is never joined again"

    for wrong in ([story], ["nobody"], []):
        with pytest.raises(NewswatchError):
            split(world.context, story, wrong, "ana")

    united = join(world.context, story, other, "ana")
    assert (united.story_id, united.moved, united.mails) == (story, 1, 1)
    assert {a.story_id for a in world.articles().get([other, third]).values()} == {story}
    with pytest.raises(NewswatchError):
        join(world.context, story, story, "ana")
