"""The demo's webhook: added and confirmed as a user does it, posted to by a saved search, and shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from cli.output import out, printable

if TYPE_CHECKING:
    from cli.demo_steps import Checks
    from embedded.receiver import EventReceiver
    from jobs.context import Context

NAME: Final = "demo"
ADDRESS: Final = f"webhook:{NAME}"
_SHOWN: Final = 160


def watch(context: Context, receiver: EventReceiver) -> None:
    """Add the webhook, have it confirm itself, and save a search that posts to it."""
    from alerts.saved import SavedSearches
    from delivery.verification import Registrar
    from newswatch.alert import SavedSearch, TagFilter

    registrar = Registrar(context.es, context.names, context.settings, context.clock)
    _, receiver.secret = registrar.add_webhook(NAME, receiver.url, "the demo")
    registrar.send_code(ADDRESS)
    search = SavedSearch("wire", "NATO for a program", "", (ADDRESS,), tags=(TagFilter("nato", "main"),))
    SavedSearches(context.es, context.names).save(search, by="the demo")


def has_come(receiver: EventReceiver, titles: Collection[str]) -> bool:
    """Whether an event tells of one of these stories."""
    return any(has_come_in(event, titles) for event in receiver.events)


def check(checks: Checks, receiver: EventReceiver, titles: Collection[str]) -> None:
    """Check the events that came, and show one."""
    told = [event for event in receiver.events if has_come_in(event, titles)]
    ids = Counter(str(event["id"]) for event in receiver.events)
    twice = [event_id for event_id, count in ids.items() if count > 1]
    right = bool(told) and not twice and not receiver.refused
    claim = f"{ADDRESS} confirmed itself and got {len(receiver.events)} signed CloudEvents, each once"
    checks.that(right, claim, f"twice: {twice}; with a wrong signature: {receiver.refused}; told: {len(told)}")
    for event in told[:1]:
        story = event["data"]["stories"][0]
        shown = {
            "specversion": event["specversion"],
            "type": event["type"],
            "id": event["id"],
            "headline": story["headline"],
            "topics": [topic["name"] for topic in story.get("topics", ())],
        }
        out.print(f"    {escape(printable(json.dumps(shown, ensure_ascii=False), _SHOWN * 2))}", soft_wrap=True)


def has_come_in(event: dict[str, object], titles: Collection[str]) -> bool:
    """Whether the event tells of one of these stories."""
    data = event["data"]
    assert isinstance(data, dict)
    return any(story["headline"] in titles for story in data["stories"])
