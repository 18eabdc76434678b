"""Which deliveries share a mail, and which an item of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from delivery.compose import plan
from delivery.mailbox import Mailbox
from delivery.outcomes import Sent
from newswatch.delivery import Delivery, DeliveryState, Outcome
from tests.delivery.test_mail import ANN, a_delivery
from tests.factories import NOW, an_article

EVENT = "spike-20260304T00"
"""The id of every spike within these six hours."""


def a_spike(name: str, **changes: Any) -> Delivery:
    spike = a_delivery(an_article(), alert_id=name, article_id="", kind="spike", headline=f"{name}: 31 articles")
    return replace(spike, story_id=EVENT, **changes)


def test_events_of_two_saved_searches_are_two_items_and_none_is_a_reply() -> None:
    both = a_spike("ice"), a_spike("snow")
    group = timedelta(minutes=1)
    (mail,) = plan(Mailbox(ANN), both, {}, {}, now=NOW, group=group).mails
    assert (mail.kind, [item.deliveries for item in mail.items]) == ("group", [(one,) for one in both])

    sent = {EVENT: (Sent("the first one's", NOW),)}
    (mail,) = plan(Mailbox(ANN), both[1:], sent, {}, now=NOW, group=group).mails
    assert mail.kind == "story"
    begun = replace(both[1], outcomes=(Outcome(ANN, DeliveryState.PENDING, key=mail.key),))
    (again,) = plan(Mailbox(ANN), [begun], sent, {}, now=NOW, group=group).mails
    assert (again.kind, again.items[0].mailed) == ("story", {})

    digest = a_spike("snow", schedule="daily at 07:00 UTC", not_before=NOW + timedelta(hours=1))
    (mail,) = plan(Mailbox(ANN), [both[0], digest], {}, {}, now=NOW, group=group).mails
    assert mail.deliveries == both[:1], "the other waits for its digest"
