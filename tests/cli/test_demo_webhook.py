"""The demo's webhook, against the real outbox: it confirms itself, gets a signed event, and a wrong one is refused."""

from __future__ import annotations

import pytest
from elasticsearch import Elasticsearch

from cli import demo_webhook
from cli.demo_steps import Checks
from delivery.deliver import deliver
from delivery.outbox import Outbox
from embedded.receiver import open_receiver
from jobs.context import Context
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from store.names import Names
from tests.alerts.press import Press, a_story
from tests.delivery.conftest import settings
from tests.factories import NOW

__all__ = ["settings"]


@pytest.mark.slow
def test_the_demos_webhook_gets_one_signed_event(es: Elasticsearch, names: Names, settings: Settings) -> None:
    story, checks = a_story(1), Checks()
    with open_receiver() as receiver:
        here = settings.model_copy(update={"channel_allow_hosts": (receiver.pair,)})
        demo_webhook.watch(Context(here, es, names, lambda: NOW), receiver)
        Press(es, names).publish(story)
        made = Delivery("wire", "Wire", story.story_id, story.id, (demo_webhook.ADDRESS,), DeliveryState.PENDING, NOW)
        Outbox(es, names).add([made])
        assert deliver(es, names, here, now=NOW).sent == 1
        demo_webhook.check(checks, receiver, {story.title})
        assert checks.failed == []
        assert receiver.take({}, b'{"type": "newswatch.stories.v1"}')[0] == 401
        demo_webhook.check(checks, receiver, {story.title})
    assert len(checks.failed) == 1
