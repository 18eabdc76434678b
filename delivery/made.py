"""Makes deliveries of matches, events and notices, and decides what an outcome does to one. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from alerts import schedule
from alerts.kinds.kind import Event
from delivery.kinds import COVERAGE
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome

MUTED: Final = "muted until"
"""How the reason begins for which a muted saved search's deliveries are suppressed."""
JOINED: Final = "joined with the story"
"""How the reason begins for which a delivery on a story that was joined with another is suppressed."""
TOLD: Final = "told under the story"
"""How the reason begins for which a delivery is only a note: it waits, or was sent, under another story's name."""
_ORDER: Final = (DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SUPPRESSED)


def noted_story(reason: str | None) -> str:
    """The story under whose name it is told, if a delivery is only a note for this reason; else empty."""
    return reason.removeprefix(TOLD).strip() if reason and reason.startswith(TOLD) else ""


def mute_rule(search: SavedSearch, now: datetime) -> str | None:
    """The rule that suppresses a muted saved search's deliveries; None if the search is not muted."""
    if search.mute_until is None or search.mute_until <= now:
        return None
    return f"{MUTED} {search.mute_until:%Y-%m-%d %H:%M} UTC"


def match_delivery(match: Match, search: SavedSearch, now: datetime) -> Delivery:
    """The delivery of a match, due by the search's schedule; suppressed while the search is muted."""
    return replace(
        _new_delivery(search, match.story_id, match.article_id, now),
        published=match.published,
        fetched_at=match.fetched_at,
        indexed_at=match.indexed_at,
    )


def event_delivery(event: Event, search: SavedSearch, now: datetime) -> Delivery:
    """The delivery of an event, due by the search's schedule; suppressed while the search is muted."""
    return replace(_new_delivery(search, event.id, "", now), kind=event.kind, headline=event.headline)


def notice_delivery(search: SavedSearch, kind: str, about: str, text: str, now: datetime, due: datetime) -> Delivery:
    """A delivery of a kind of `NOTICES`, due at `due`; suppressed while the search is muted.

    `about` is the same for as long as the notice is about the same thing, so that it is enqueued once.
    """
    # A digest's schedule, because an instant delivery waits for nothing, not even for its time.
    times = search.schedule if kind == COVERAGE else "hourly"
    made = _new_delivery(replace(search, schedule=times), about, "", now)
    return replace(made, kind=kind, headline=text, not_before=due)


def _new_delivery(search: SavedSearch, story_id: str, article_id: str, now: datetime) -> Delivery:
    muted = mute_rule(search, now)
    return Delivery(
        alert_id=search.id,
        alert_name=search.name,
        story_id=story_id,
        article_id=article_id,
        recipients=search.recipients,
        state=DeliveryState.SUPPRESSED if muted else DeliveryState.PENDING,
        created_at=now,
        not_before=schedule.next_due(schedule.parse(search.schedule), now),
        schedule=search.schedule,
        suppressed_by=muted,
    )


def requeued(delivery: Delivery, now: datetime) -> Delivery:
    """A delivery that a mute had suppressed, pending again and due by its schedule."""
    due = schedule.next_due(schedule.parse(delivery.schedule), now)
    return replace(delivery, state=DeliveryState.PENDING, suppressed_by=None, not_before=due)


def with_outcome(delivery: Delivery, outcome: Outcome) -> Delivery:
    """The delivery with the outcome of one recipient. Its state changes once no recipient waits."""
    others = tuple(o for o in delivery.outcomes if o.recipient != outcome.recipient)
    changed = replace(delivery, outcomes=(*others, outcome))
    if changed.waiting or delivery.state is not DeliveryState.PENDING:
        return changed
    state = joint_state({o.state for o in changed.outcomes})
    why = outcome.error if state is DeliveryState.SUPPRESSED else None
    return replace(changed, state=state, sent_at=outcome.at if state is DeliveryState.SENT else None, suppressed_by=why)


def joint_state(states: set[DeliveryState]) -> DeliveryState:
    """The state of a delivery whose recipients have these; suppressed if it has none."""
    return next((state for state in _ORDER if state in states), DeliveryState.SUPPRESSED)


def outcome_for(delivery: Delivery, recipient: str) -> Outcome:
    """The outcome of one recipient so far."""
    return next((o for o in delivery.outcomes if o.recipient == recipient), Outcome(recipient))


def first_outcomes(delivery: Delivery) -> tuple[Outcome, ...]:
    """The outcome of each recipient as its own document begins: what the delivery says, or else that it waits.

    The delivery says something if it is muted, or from before each outcome had a document.
    """
    if delivery.state is DeliveryState.PENDING:
        unsaid = Outcome("")
    else:
        unsaid = Outcome("", DeliveryState.SUPPRESSED, at=delivery.created_at, error=delivery.suppressed_by)
    said = {o.recipient: _noticed(o, delivery) for o in delivery.outcomes}
    named = dict.fromkeys((*delivery.recipients, *said))
    return tuple(said.get(recipient) or replace(unsaid, recipient=recipient) for recipient in named)


def _noticed(outcome: Outcome, delivery: Delivery) -> Outcome:
    return outcome if outcome.notice or not outcome.key else replace(outcome, notice=delivery.notice)


def for_recipient(delivery: Delivery, outcome: Outcome) -> Delivery:
    """The delivery as it concerns one of its recipients."""
    return replace(delivery, recipients=(outcome.recipient,), outcomes=(outcome,), state=outcome.state)
