"""Who gets messages: people and groups, and the addresses of webhooks and chats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from typing import Final, Literal

WEBHOOK: Final = "webhook"
CHAT: Final = "chat"
PERSON: Final = "person"
GROUP: Final = "group"
NAME: Final = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
"""What stands after the colon in `webhook:ops`, `chat:desk`, `person:ann` and `group:night`."""
AddressKind = Literal["mail", "webhook", "chat"]
SubscriberKind = Literal["person", "group"]


@dataclass(frozen=True, slots=True)
class Address:
    """An address that messages can go to, and whether its owner has confirmed it. It holds no secret in the clear."""

    id: str
    """As recipients of saved searches name it: `webhook:ops`, `chat:desk`, or a mail address."""
    kind: AddressKind
    owner: str
    """The user who gave it."""
    shown: str
    """What people may see of where it leads: scheme and host."""
    created_at: datetime
    sealed: str = ""
    """The address and its keys (`newswatch.sealing`); empty for a mail address, which is no secret."""
    verified_at: datetime | None = None
    challenge: str = ""
    """Hash of the code that was sent there and is not confirmed yet."""
    challenge_until: datetime | None = None
    tries: int = 0
    """Wrong codes since it was sent."""
    disabled_at: datetime | None = None
    disabled_why: str = ""
    shared: bool = False
    """Whether every user may name it as a recipient; otherwise only its owner may."""

    @property
    def is_open(self) -> bool:
        """Whether messages go there."""
        return self.verified_at is not None and self.disabled_at is None


@dataclass(frozen=True, slots=True)
class Route:
    """One of a subscriber's addresses, and when messages go there."""

    to: str
    """Id of an address; for a group also of a person."""
    start: time | None = None
    end: time | None = None
    """Only from `start` to `end`, in the subscriber's zone; over midnight if `start` is later. None: at any time."""
    weekdays: bool = False
    """Only from Monday to Friday."""
    main: tuple[str, ...] = ()
    """Only stories of which all these topics are a main subject."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person or a group, who can be a recipient of saved searches as `person:ID` or `group:ID`."""

    id: str
    """`person:ann` or `group:night`."""
    kind: SubscriberKind
    name: str
    owner: str
    routes: tuple[Route, ...]
    """At least one. A story for which no route holds goes to the first, so that none is lost."""
    zone: str = "UTC"
    created_at: datetime | None = None
    updated_at: datetime | None = None


def holds(route: Route, at: datetime, zone: tzinfo, main: frozenset[str]) -> bool:
    """Whether the route takes a story with these main subjects at that time. Pure."""
    here = at.astimezone(zone)
    if route.weekdays and here.weekday() >= 5:
        return False
    if not main.issuperset(route.main):
        return False
    if route.start is None or route.end is None or route.start == route.end:
        return True
    now = here.time().replace(tzinfo=None)
    if route.start < route.end:
        return route.start <= now < route.end
    return now >= route.start or now < route.end
