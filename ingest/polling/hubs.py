"""WebSub (https://www.w3.org/TR/websub/): links to hubs, what to ask of one, whether a push is the hub's. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ingest.addresses import absolute
from newswatch.feed import FeedState

LEASE_S: Final = 864_000
"""Seconds for which a subscription is asked: ten days, as the specification suggests."""
ROUNDS: Final = 20
"""Rounds of one feed, after which they begin anew: it names another hub or topic once in years."""
LEAST_LEASE_S: Final = 60
MOST_LEASE_S: Final = 30 * 86_400
"""Bounds of the lease that a hub grants."""
UNANSWERED: Final = timedelta(minutes=10)
"""How long a hub may take to verify that we have asked; then it is asked again, after twice as long each time."""
DENIED: Final = timedelta(days=1)
"""How long a hub that has refused is left alone; also the longest wait for an answer."""
SILENT: Final = timedelta(seconds=90)
"""A poll that finds something this much later than the last push was first: the hub is silent."""
_PARAMETER: Final = r"\s*;\s*[\w!#$&+.^`|~-]{1,40}\s*=\s*(?:\"[^\"]{0,200}\"|[^\s\";,]{0,200})"
_LINK: Final = re.compile(rf"<([^<>]{{1,2000}})>((?:{_PARAMETER})*)")
_RELATION: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", re.IGNORECASE)
_ALGORITHMS: Final = ("sha1", "sha256", "sha384", "sha512")
_LINK_CHARS: Final = 8_190


class SubscriptionState(StrEnum):
    """How far a subscription is."""

    ASKED = "asked"
    """The hub has been asked and has not verified it."""
    ACTIVE = "active"
    DENIED = "denied"
    """The hub has refused, or can't be asked."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed's subscription to its hub."""

    feed_id: str
    hub: str
    topic: str
    state: SubscriptionState = SubscriptionState.ASKED
    round: int = 1
    """Its address and secret follow from it. It grows when the feed names another hub or topic."""
    at: datetime | None = None
    """When the hub was last asked."""
    until: datetime | None = None
    """The end of the lease that the hub has granted."""
    pushed_at: datetime | None = None
    """When it last pushed something that was signed rightly."""
    missed: int = 0
    """How often in a row it was asked in vain."""
    refused: int = 0
    """Pushes with a wrong signature, or none."""
    why: str = ""
    """Why it was denied."""

    def is_active(self, now: datetime) -> bool:
        """Whether the hub pushes: it has verified the subscription, and its lease runs."""
        return self.state is SubscriptionState.ACTIVE and self.until is not None and now < self.until


def hub_links(header: str, base: str) -> dict[str, str]:
    """Relation (`hub`, `self`) → the first address with it in a Link header (RFC 8288)."""
    found: dict[str, str] = {}
    for target, parameters in _LINK.findall(header[:_LINK_CHARS]):
        relation = _RELATION.search(parameters)
        address = absolute(target.strip(), base)
        for name in (relation[1] or relation[2] or "").lower().split() if relation and address else ():
            if name in ("hub", "self") and address:
                found.setdefault(name, address)
    return found


def to_ask(was: Subscription | None, state: FeedState, now: datetime) -> Subscription | None:
    """The subscription that must be asked for now, as it is then; None: there is none, or nothing is to be done."""
    if not state.hub or not state.topic:
        return None
    fresh = Subscription(state.feed_id, state.hub, state.topic, at=now)
    if was is None:
        return fresh
    if (was.hub, was.topic) != (state.hub, state.topic):
        return Subscription(state.feed_id, state.hub, state.topic, round=was.round % ROUNDS + 1, at=now)
    waited = now - (was.at or now)
    if was.state is SubscriptionState.DENIED:
        is_due = waited >= DENIED
    elif was.state is SubscriptionState.ACTIVE and was.until and now < was.until:
        lease = was.until - (was.at or now)
        is_due = was.until - now < lease / 4 and waited >= UNANSWERED
    else:
        is_due = waited >= min(DENIED, UNANSWERED * 2 ** min(was.missed, 10))
    if not is_due:
        return None
    return Subscription(
        was.feed_id,
        was.hub,
        was.topic,
        state=SubscriptionState.ACTIVE if was.is_active(now) else SubscriptionState.ASKED,
        round=was.round,
        at=now,
        until=was.until,
        pushed_at=was.pushed_at,
        missed=was.missed + 1,
        refused=was.refused,
    )


def pushes_well(was: Subscription | None, state: FeedState, now: datetime) -> bool:
    """Whether the hub is relied on: it has pushed, and no poll has found anything that it did not push."""
    if was is None or not was.is_active(now) or was.pushed_at is None:
        return False
    return state.last_new_at is None or state.last_new_at <= was.pushed_at + SILENT


def key_of(secret_key: str, purpose: str, feed_id: str, round_: int) -> str:
    """The secret, or the unguessable part of the callback's address, of one round of a feed's subscription."""
    text = f"newswatch hub {purpose}|{round_}|{feed_id}"
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(body: bytes, secret: str, header: str) -> bool:
    """Whether X-Hub-Signature (`sha256=…`) is that of the body under the secret."""
    algorithm, _, signature = header.strip().partition("=")
    if algorithm.lower() not in _ALGORITHMS:
        return False
    wanted = hmac.new(secret.encode(), body, algorithm.lower()).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.strip().lower().encode("utf-8", "replace"))


def granted(asked: Mapping[str, str]) -> int | None:
    """The lease in a hub's verification, in seconds and within our bounds; None: it states none that can be read."""
    text = asked.get("hub.lease_seconds", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        return None
    return min(max(int(text), LEAST_LEASE_S), MOST_LEASE_S)
