"""The address book as people see it, and what they type for routes. Pure, but for what the book knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from delivery.address_book import AddressBook, AddressError, Entry
from delivery.channels.registry import parse_address
from delivery.routing import is_subscriber
from newswatch.config import did_you_mean
from newswatch.subscriber import GROUP, PERSON, Address, Route, Subscriber

MOST_ROUTES: Final = 200
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MOST_PARTS: Final = 10
"""Words of a route that are read; it has at most four, so that further ones are told as wrong or twice."""
_TOPIC: Final = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?")


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as a list shows it: without any key."""

    id: str
    shown: str
    owner: str
    state: str
    """"confirmed", "waits to be confirmed", "switched off: …"; for people and groups the number of routes."""
    created_at: datetime | None
    shared: bool = False


def overview(entries: Iterable[Entry]) -> list[Listed]:
    """The entries for a list, in their order."""
    return [_listed(entry) for entry in entries]


def _listed(entry: Entry) -> Listed:
    if isinstance(entry, Subscriber):
        routes = "; ".join(map(route_text, entry.routes))
        return Listed(entry.id, routes, entry.owner, "", entry.created_at)
    return Listed(entry.id, entry.shown, entry.owner, state_of(entry), entry.created_at, entry.shared)


def state_of(address: Address) -> str:
    """Whether messages go to an address, and why not."""
    if address.disabled_at:
        return f"switched off: {address.disabled_why}"
    return "confirmed" if address.verified_at else "waits to be confirmed"


def route_text(route: Route) -> str:
    """A route as `route_of` reads it."""
    hours = f"{route.start:%H:%M}-{route.end:%H:%M}" if route.start and route.end else ""
    parts = (
        route.to,
        hours,
        "weekdays" if route.weekdays else "",
        f"main={','.join(route.main)}" if route.main else "",
    )
    return " ".join(filter(None, parts))


def route_of(text: str) -> Route:
    """The route that a line says: an address, then in any order hours, `weekdays`, and the topics it must be about.

    Raises:
        AddressError: it says something else.
    """
    first, *rest = text.split()[:_MOST_PARTS] or [""]
    try:
        to = parse_address(first)
    except ValueError as error:
        raise AddressError(f"This route can't be used: {error}.") from error
    start: time | None = None
    end: time | None = None
    weekdays, main = False, tuple[str, ...]()
    for part in rest:
        hours = _HOURS.fullmatch(part)
        if (hours and start is not None) or (part.startswith("main=") and main):
            what = "hours" if hours else "topics"
            raise AddressError(f"{part[:50]!r}: a route has its {what} once: give {to} a route of its own for each.")
        if hours:
            start, end = time(int(hours[1]), int(hours[2])), time(int(hours[3]), int(hours[4]))
        elif part == "weekdays":
            weekdays = True
        elif part.startswith("main=") and all(map(_TOPIC.fullmatch, part[5:].split(","))):
            main = tuple(dict.fromkeys(part[5:].split(",")))
        else:
            raise AddressError(f"{part[:50]!r} in a route is none of: hours (08:00-18:00); weekdays; main=TOPIC,TOPIC.")
    return Route(to, start, end, weekdays, main)


def subscriber_of(
    subscriber_id: str,
    routes: Sequence[str],
    book: AddressBook,
    *,
    topics: Collection[str],
    name: str,
    zone: str,
    owner: str,
    now: datetime,
) -> Subscriber:
    """The person or group that is asked for, checked against the address book.

    `topics` are those of the taxonomy; where none can be read, a route may name any.

    Raises:
        AddressError: a name, route, topic or zone can't be used, or a route leads to what is not in the book.
    """
    try:
        known_id = parse_address(subscriber_id)
    except ValueError as error:
        if ":" not in subscriber_id:
            raise AddressError(f"{subscriber_id[:100]!r} is neither {PERSON}:NAME nor {GROUP}:NAME.") from error
        raise AddressError(f"This name can't be used: {error}.") from error
    if not is_subscriber(known_id):
        raise AddressError(f"{subscriber_id[:100]!r} is neither {PERSON}:NAME nor {GROUP}:NAME.")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise AddressError(f"{zone[:50]!r} is not the name of a time zone, such as Europe/Brussels.") from error
    if not 1 <= len(routes) <= MOST_ROUTES:
        raise AddressError(f"{known_id} needs 1 to {MOST_ROUTES} routes.")
    read = tuple(map(route_of, routes))
    _check_topics(read, topics)
    _check_targets(known_id, read, book)
    kind = known_id.partition(":")[0]
    was = book.subscriber(known_id)
    return Subscriber(
        known_id,
        "person" if kind == PERSON else "group",
        name[:200] or known_id.partition(":")[2],
        was.owner if was else owner,
        read,
        zone,
        was.created_at if was else now,
        now,
    )


def _check_topics(routes: Sequence[Route], topics: Collection[str]) -> None:
    """A route for a topic that no article can have would never hold, in silence."""
    for topic in (one for route in routes for one in route.main):
        if topics and topic not in topics:
            raise AddressError(f"{topic[:50]!r} is not a topic of the taxonomy{did_you_mean(topic, topics) or '.'}")


def _check_targets(known_id: str, routes: Sequence[Route], book: AddressBook) -> None:
    if known_id.startswith(f"{PERSON}:") and any(is_subscriber(route.to) for route in routes):
        raise AddressError("A person's routes lead to addresses; only a group's lead to people and groups.")
    wanted = [route.to for route in routes if ":" in route.to and route.to != known_id]
    known = book.many(wanted)
    missing = [one for one in wanted if one not in known]
    if any(route.to == known_id for route in routes):
        raise AddressError(f"{known_id} can't be a route of itself.")
    if missing:
        raise AddressError(f"{missing[0]} is not in the address book: add it first.")
