"""Deliveries: what the recipients of a saved search are to receive, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newswatch.alert import Passage


class DeliveryState(StrEnum):
    """Where a delivery is on its way."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a delivery for one of its recipients."""

    recipient: str
    state: DeliveryState = DeliveryState.PENDING
    key: str = ""
    """The idempotency key of the message that carries it; empty: none was begun."""
    reference: str = ""
    """What the channel calls that message, so that later ones can follow it; empty where it has no names."""
    subject: str = ""
    """Of that message."""
    at: datetime | None = None
    """When it entered this state."""
    attempts: int = 0
    error: str | None = None
    notice: str = ""
    """Hash of the correction note that the article already carried in that message; empty if it had none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A story for the recipients of a saved search: at most one for each saved search and story."""

    alert_id: str
    alert_name: str
    story_id: str
    article_id: str
    recipients: tuple[str, ...]
    state: DeliveryState
    created_at: datetime
    """When it was matched."""
    passages: tuple[Passage, ...] = ()
    not_before: datetime | None = None
    sent_at: datetime | None = None
    """When its last recipient received it."""
    kind: str = "story"
    """What it reports: a `story`, `update`, `correction` or `retraction`, or an event of a kind of saved search."""
    schedule: str = "instant"
    version: int = 1
    """Of the article, for a correction: each version is reported once."""
    outcomes: tuple[Outcome, ...] = ()
    """Of those recipients of whom they were asked for."""
    suppressed_by: str | None = None
    """Which rule kept it from being sent."""
    headline: str = ""
    """For an event, which has no article: the sentence that reports it."""
    notice: str = ""
    """Hash of the correction note that the article already carried when it was mailed; empty if it had none."""
    published: datetime | None = None
    fetched_at: datetime | None = None
    indexed_at: datetime | None = None

    @property
    def id(self) -> str:
        """`alert~story`, unique by construction. Later deliveries on the story append kind, article and version."""
        pair = story_delivery(self.alert_id, self.story_id)
        return pair if self.kind == "story" else f"{pair}~{self.kind}~{self.article_id}~{self.version}"

    @property
    def waiting(self) -> tuple[str, ...]:
        """Recipients who have neither received it nor been refused for good."""
        if self.state is not DeliveryState.PENDING:
            return ()
        done = {o.recipient for o in self.outcomes if o.state is not DeliveryState.PENDING}
        return tuple(r for r in self.recipients if r not in done)

    @property
    def refused(self) -> tuple[str, ...]:
        """Recipients whom their channel refused for good, each with its answer."""
        return tuple(f"{o.recipient}: {o.error}" for o in self.outcomes if o.state is DeliveryState.FAILED)

    @property
    def last_error(self) -> str | None:
        """The last error that a channel answered, if any."""
        return next((o.error for o in reversed(self.outcomes) if o.error), None)


def story_delivery(alert_id: str, story_id: str) -> str:
    """The id of a saved search's delivery on a story: there is one."""
    return f"{alert_id}~{story_id}"
