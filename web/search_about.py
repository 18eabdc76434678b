"""What the page of a saved search tells of it: what it finds and has mailed, its quality, its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from alerts.query import check_meaning
from alerts.saved import Change, SavedSearches
from delivery.feedback import quality
from delivery.listing import deliveries
from delivery.mailbox import Mailboxes
from delivery.spellings import Spellings
from delivery.watching import watching
from jobs.applied import alerts_if_usable, taken_out
from jobs.configuration import Alerts
from jobs.context import Context
from newswatch.alert import SavedSearch
from newswatch.errors import DocumentError, QueryError
from newswatch.feed_address import Target
from newswatch.problems import Problem
from newswatch.topics import Topics
from search.spelling import unsought
from store.articles import ArticleStore
from store.quarantine import Quarantine
from web import drafts
from web.feeds_out.pages import offered
from web.search_shown import counted, problems_of

WATCHED_DAYS = 7


def about(here: Context, user: str, search: SavedSearch, zone: tzinfo) -> Mapping[str, Any]:
    """What the page tells of a saved search that exists, with times in `zone`."""
    saved = SavedSearches(here.es, here.names)
    recent = deliveries(here.es, here.names, alert_id=search.id, size=5)
    told = [d.article_id for d in recent.page if d.article_id]
    found, uncounted = counted(here, user, [search])
    alerts = alerts_if_usable(here)
    is_listed = _lists(alerts, search.id)
    return {
        "quality": quality(here.es, here.names, [search.id])[0],
        "recent": recent,
        "titles": ArticleStore(here.es, here.names).in_reach(told).articles if told else {},
        "problem": problems_of(here, [search]).get(search.id),
        "taken_as_word": _taken_as_word(here, search),
        "unsought": unsought(search.query),
        "versions": versions(search, saved.history(search.id), here.names.shown_topics()),
        "set_aside": Quarantine(here.es, here.names).get(Problem("search", search.id, "").id),
        "refusals": _refusals(here, search),
        "listed": is_listed,
        "taken_out": "" if is_listed else taken_out(here, alerts).get(search.id, ""),
        "counts": found.get(search.id),
        "uncounted": uncounted,
        "watch": watching(here.es, here.names, [search], days=WATCHED_DAYS, now=here.clock(), zone=zone),
        "watched_days": WATCHED_DAYS,
        "feed": offered(here, user, Target("saved-search", search.id)),
    }


def _taken_as_word(here: Context, search: SavedSearch) -> str:
    """Which word of its query a search would take for a name; empty if none."""
    try:
        check_meaning(here.names, search.query)
    except QueryError as error:
        return str(error)
    return ""


def _refusals(here: Context, search: SavedSearch) -> list[tuple[str, str, datetime | None]]:
    """Recipients who get no mail of it: address, what, until when."""
    boxes, found, now = Mailboxes(here.es, here.names), list[tuple[str, str, datetime | None]](), here.clock()
    spellings = Spellings(here.es, here.names)
    spellings.learn(search.recipients)
    for recipient in search.recipients:
        written_to = spellings.of(recipient)
        try:
            box = boxes.get(written_to)
        except DocumentError as error:
            found.append((recipient, f"gets no mail, as its mailbox can't be read ({error.reason})", None))
            continue
        if box.bounced_at:
            which = "it" if written_to == recipient else f"{written_to}, which is the same mailbox,"
            again = f"Correct the address, or, if it is in order again, run `newswatch mails resume {written_to}`"
            found.append((recipient, f"gets no mail, as mails to {which} come back ({box.bounced_why}). {again}", None))
        elif search.id in box.unsubscribed or "*" in box.unsubscribed:
            found.append((recipient, "has unsubscribed by a link in a mail", None))
        elif (until := box.muted.get(search.id)) and until > now:
            found.append((recipient, "has muted it by a link in a mail", until))
    return found


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a saved search: who made it, when, and what it changed. The first one's maker is not on record."""

    number: int
    at: datetime | None
    by: str
    changes: Sequence[tuple[str, str, str]]


def versions(search: SavedSearch, history: Sequence[Change], topics: Topics) -> list[VersionRow]:
    """Every version, newest first. Pure."""
    states = [*(change.search for change in history), search]
    later = [
        VersionRow(after.version, change.replaced_at, change.replaced_by, drafts.changed(change.search, after, topics))
        for change, after in zip(history, states[1:], strict=True)
    ]
    return [*reversed(later), VersionRow(states[0].version, None, states[0].owner, ())]


def listed(here: Context, alert_id: str) -> bool:
    """Whether the file lists it; one that can't be read lists nothing that could come back."""
    return _lists(alerts_if_usable(here), alert_id)


def _lists(alerts: Alerts | None, alert_id: str) -> bool:
    return alerts is not None and any(search.id == alert_id for search in alerts[0])
