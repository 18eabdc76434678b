"""What is owed to readers when a person parts a story or joins two: nobody is mailed twice, and nothing is lost. Pure.

A story is mailed once to each saved search, so a report in the wrong story was mailed to nobody. When it is parted, it
is enqueued for the searches that match it and had a mail on the story. Who was mailed the report itself is noted as
told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from delivery.made import JOINED, match_delivery
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome

_TELL = ("story", "update")


def after_split(
    deliveries: Sequence[Delivery],
    matches: Sequence[Match],
    searches: Mapping[str, SavedSearch],
    *,
    parted: Collection[str],
    to: str,
    now: datetime,
) -> Iterator[Delivery]:
    """The deliveries to create after the articles `parted` moved to the story `to`.

    `deliveries` are those on the story until now; `matches` are those of its articles, in order of publication.
    """
    for alert_id, made in _by_alert(deliveries).items():
        told = {delivery.article_id for delivery in made}
        own = [match for match in matches if match.saved_search_id == alert_id]
        gone = [match for match in own if match.article_id in parted]
        stay = [match for match in own if match.article_id not in parted]
        known = next((delivery for delivery in made if delivery.article_id in parted), None)
        if known:
            yield _as_told(known, to)
        elif gone:
            yield match_delivery(gone[0]._replace(story_id=to), searches[alert_id], now)
        if stay and told <= set(parted):
            # The story's own delivery told of what has left it.
            yield replace(match_delivery(stay[0], searches[alert_id], now), kind="update")


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Deliveries on a story that are not to be sent to those who are told of another."""

    deliveries: tuple[Delivery, ...]
    to: str
    """The other story."""
    readers: frozenset[str]


@dataclass(frozen=True, slots=True)
class AfterJoins:
    """What is to be done in the outbox when stories are joined."""

    told: tuple[Delivery, ...]
    """To create, as notes of what was told."""
    withdrawn: tuple[Withdrawal, ...]


def after_joins(deliveries: Iterable[Delivery], into: Mapping[str, str]) -> AfterJoins:
    """What joining stories asks for: `into` says which one each is joined with; `deliveries` are those on all of them.

    Of several stories that are joined with one, each is told after those before it.
    """
    of_story: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        of_story[delivery.story_id].append(delivery)
    told: list[Delivery] = []
    withdrawn: list[Withdrawal] = []
    for story, to in into.items():
        known, of_other = _by_alert(of_story[to]), _by_alert(of_story[story])
        for alert_id, made in of_other.items():
            told += _noted(made, known.get(alert_id, ()), to)
        readers = told_of(of_story[to])
        both = {alert_id: made for alert_id, made in of_other.items() if readers.get(alert_id)}
        withdrawn += [Withdrawal(tuple(made), to, readers[alert_id]) for alert_id, made in both.items()]
        of_story[to] += of_story[story]
    return AfterJoins(tuple(told), tuple(withdrawn))


def _noted(made: Sequence[Delivery], known: Sequence[Delivery], to: str) -> Iterator[Delivery]:
    """The notes of what a saved search tells of the story that moves, beside what is `known` of the other one.

    Each of its reports, as a later version of one matches again: an unknown one would be mailed as an update.
    """
    articles = {delivery.article_id for delivery in known}
    for delivery in made:
        if delivery.article_id not in articles:
            noted = _as_told(delivery, to)
            yield replace(noted, kind="update") if articles else noted
            articles.add(delivery.article_id)


def told_of(deliveries: Sequence[Delivery]) -> dict[str, frozenset[str]]:
    """Saved search → the readers who have, or get, a mail on a story by these deliveries."""
    tells = (DeliveryState.PENDING, DeliveryState.SENT)
    return {
        alert_id: frozenset(o.recipient for one in made for o in one.outcomes if o.state in tells)
        for alert_id, made in _by_alert(deliveries).items()
    }


def joined(outcome: Outcome, to: str, readers: Collection[str], now: datetime) -> Outcome:
    """What waits for a reader on a story that was joined to the story `to`: not to be sent to those of `readers`.

    They are told of `to`. A mail that was begun stays, as it may have been sent.
    """
    if outcome.state is not DeliveryState.PENDING or outcome.key or outcome.recipient not in readers:
        return outcome
    return replace(outcome, state=DeliveryState.SUPPRESSED, at=now, error=f"{JOINED} {to}")


def _as_told(delivery: Delivery, to: str) -> Delivery:
    """The note that a story was told by a delivery on another one, so that later reports follow it."""
    noted = replace(delivery, story_id=to, kind="story")
    told = f"told under the story {delivery.story_id}"
    if delivery.state in (DeliveryState.PENDING, DeliveryState.SUPPRESSED):
        return replace(noted, state=DeliveryState.SUPPRESSED, suppressed_by=told, outcomes=())
    # What a mute holds back waits again on the delivery itself, not on its note, too.
    held = DeliveryState.SUPPRESSED
    return replace(noted, outcomes=tuple(replace(o, error=told) if o.state is held else o for o in delivery.outcomes))


def _by_alert(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Saved search → its deliveries that tell of an article, oldest first."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda one: (one.created_at, one.id)):
        if delivery.kind in _TELL:
            found[delivery.alert_id].append(delivery)
    return found
