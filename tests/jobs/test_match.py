"""Matching stays while a mail is held for company, and goes on matching meanwhile."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta

import pytest

from jobs.deliver import LOOK_S, attend
from newswatch.model import Tag
from search.batches import BatchStore
from tests.alerts.press import a_story
from tests.factories import NOW
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow


TEXTS = (
    "Frigates of six navies gathered off Bergen to hunt a submarine that was not there, an exercise of four days.",
    "The budget committee gave its assent to a new fuel depot in Lithuania after an argument over who pays the rent.",
    "A colonel from Ljubljana takes over the training mission, whose instructors had waited since autumn for orders.",
)
"""So unlike one another that nothing takes them for one story."""


def arrive(world: World, n: int) -> None:
    """A story comes in, as `pull` leaves it."""
    batches = BatchStore(world.context.es, world.context.names)
    batch = batches.begin(batches.open([], now=world.now, lease_s=600).number)
    story = a_story(n, title=TEXTS[n - 1][:40], text=TEXTS[n - 1], tags=(Tag("nato", "main", 0.9, ()),))
    world.articles().write([story], batch, batch.seq_of_attempt, now=world.now)
    batches.mark_indexed(batch.number, counts={"new": 1}, now=world.now)


def subjects(world: World) -> list[str]:
    return [str(email.message_from_bytes(mail, policy=email.policy.default)["Subject"]) for mail in world.mailbox.mails]


def test_a_held_mail_goes_when_its_minute_is_over_with_what_came_meanwhile(world: World) -> None:
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        world.wait(seconds=seconds)
        if len(paused) == 3:
            arrive(world, 3)

    arrive(world, 1)
    first = attend(world.context, pause=pause)
    assert first.delivered
    assert (first.delivered.sent, paused) == (1, []), "alone it goes at once, and nobody waits"
    world.wait(seconds=20)
    arrive(world, 2)
    both = attend(world.context, pause=pause)
    assert both.delivered
    assert (len(both.batches), both.owed, both.delivered.sent, both.delivered.later) == (2, 2, 1, None)
    assert subjects(world)[1].startswith("2 stories: ")
    late = (world.now - NOW - timedelta(seconds=60)).total_seconds()
    assert 0 <= late <= LOOK_S + 1, "sent when the minute was over"


def test_nobody_stays_for_a_mail_that_is_held_for_long(world: World) -> None:
    config = world.context.settings.config_dir / "alerts.yaml"
    config.write_text(config.read_text() + "    throttle: 2h\n")
    arrive(world, 1)
    attend(world.context)
    world.wait(seconds=30)
    arrive(world, 2)
    report = attend(world.context, pause=lambda _: pytest.fail("it stays"))
    assert report.delivered
    assert report.delivered.later
    assert report.delivered.later - NOW > timedelta(hours=2)
