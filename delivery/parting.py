"""What is owed to readers when a person parts a story or joins two: nobody is mailed twice, and nothing is lost. Pure.

A story is mailed once to each saved search, so a report in the wrong story was mailed to nobody. When it is parted, it
is enqueued for the searches that match it and had a mail on the story. Who was mailed the report itself is noted as
told.

A mail that waits when its story is joined with another keeps the name of its story, under which it may have been begun;
the other story gets a note. So what a story's readers are told is told by its own deliveries and by those that its
notes lead to (`told_under`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from delivery.made import JOINED, MUTED, TOLD, match_delivery, noted_story
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome

TELLING: Final = ("story", "update")
"""The kinds of deliveries that tell of an article."""
Owed = tuple[str, str]
"""The id of a delivery, and one of its recipients."""


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


def owed_again(
    deliveries: Iterable[Delivery], articles: Collection[str], gone: Collection[str] | None = None
) -> Iterator[Owed]:
    """What a join has withdrawn on a story with these articles, and is owed again now that it was parted.

    `deliveries` are those on it, and those that its notes lead to. Of each saved search a reader is owed one, if no
    other one tells of the articles; and if one told of the articles `gone`, where they are given.
    """
    for made in _by_alert(deliveries).values():
        here = [one for one in made if one.article_id in articles]
        told = {*_sureness(here)}
        others = None if gone is None else _sureness(one for one in made if one.article_id in gone)
        for one in here:
            for outcome in one.outcomes:
                reader = outcome.recipient
                if _is_withdrawn(outcome) and reader not in told and (others is None or reader in others):
                    told.add(reader)
                    yield one.id, reader


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


def after_joins(
    deliveries: Iterable[Delivery],
    into: Mapping[str, str],
    *,
    updated: Collection[str] = frozenset(),
    left: Collection[str] = frozenset(),
) -> AfterJoins:
    """What joining stories asks for: `into` says which one each is joined with; `deliveries` are those on all of them,
    and those that their notes lead to.

    `updated` are the saved searches with updates, whose later reports all stay. Whoever was told of an article that has
    `left` the stories was told of none, and what waits of it stays.

    Of several stories that are joined with one, each is told after those before it. For each saved search a reader is
    told of one of them: of the one whose mail was sent or begun, else of the first whose mail waits, else of the first
    whose mail a mute holds back.
    """
    of_story: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        of_story[delivery.story_id].append(delivery)
    # What moves now is counted in its turn. Counted by its notes, too, each of two would be told by the other.
    elsewhere = {story: made for story, made in of_story.items() if story not in into}
    told: list[Delivery] = []
    withdrawn: list[Withdrawal] = []
    before: dict[str, list[Delivery]] = {}
    # Killed after the notes were written, a run finds them.
    copied = frozenset(_keys(one for story in into for one in of_story[story]))
    for story, to in into.items():
        known, of_other = _by_alert(of_story[to]), _by_alert(of_story[story])
        for alert_id, made in of_other.items():
            told += _noted(made, known.get(alert_id, ()), to)
        first = before.get(to) or [one for one in _with_noted(of_story[to], elsewhere) if one.article_id not in left]
        counted = {one.id for one in first}
        second = _with_noted(of_story[story], elsewhere)
        second = [one for one in second if one.id not in counted and one.article_id not in left]
        found = _withdrawn(_by_alert(first), to, _by_alert(second), story, copied)
        withdrawn += (_without_updates(each) if each.deliveries[0].alert_id in updated else each for each in found)
        before[to] = [*first, *second]
        of_story[to] += of_story[story]
    return AfterJoins(tuple(told), tuple(withdrawn))


def _withdrawn(
    first: Mapping[str, Sequence[Delivery]],
    to: str,
    second: Mapping[str, Sequence[Delivery]],
    story: str,
    copied: frozenset[str],
) -> Iterator[Withdrawal]:
    """What is not to be sent of two stories, by saved search: of what a reader has on both, the surer stays.

    The first may have notes of mails with the keys `copied`, and is none the surer for them.
    """
    for alert_id in second.keys() & first.keys():
        own = (made for made in first[alert_id] if not (_is_later(made, to) and _keys([made]) & copied))
        one, other = _sureness(own), _sureness(second[alert_id])
        both = frozenset(one.keys() & other.keys())
        if readers := frozenset(reader for reader in both if one[reader] >= other[reader]):
            yield Withdrawal(tuple(second[alert_id]), to, readers)
        if readers := both - readers:
            yield Withdrawal(tuple(first[alert_id]), story, readers)


def _without_updates(withdrawal: Withdrawal) -> Withdrawal:
    return replace(withdrawal, deliveries=tuple(one for one in withdrawal.deliveries if one.kind != "update"))


def _sureness(deliveries: Iterable[Delivery]) -> dict[str, int]:
    """Reader → how sure it is that one of these mails is read: 3, it may have been sent; 2, it waits; 1, it is held."""
    found: dict[str, int] = {}
    for outcome in (outcome for one in deliveries for outcome in one.outcomes):
        waits = outcome.state is DeliveryState.PENDING
        begun = outcome.state is DeliveryState.SENT or (waits and outcome.key)
        sure = 3 if begun else 2 if waits else 1 if _is_held(outcome) else 0
        if sure > found.get(outcome.recipient, 0):
            found[outcome.recipient] = sure
    return found


def _is_later(delivery: Delivery, story: str) -> bool:
    """Whether it tells of a later report on the story, or is a note beside the story's own delivery."""
    return delivery.story_id == story and delivery.kind == "update"


def _keys(deliveries: Iterable[Delivery]) -> set[str]:
    """The keys of the mails that carry them."""
    return {outcome.key for one in deliveries for outcome in one.outcomes if outcome.key}


def _with_noted(made: Iterable[Delivery], elsewhere: Mapping[str, Sequence[Delivery]]) -> list[Delivery]:
    """The deliveries, and those of `elsewhere` that their notes lead to, be it by other notes."""
    found = {one.id: one for one in made}
    waiting = list(found.values())
    while waiting:
        one = waiting.pop()
        led = (other for story in told_under(one) for other in elsewhere.get(story, ()))
        fresh = [other for other in led if other.alert_id == one.alert_id and other.id not in found]
        found |= {other.id: other for other in fresh}
        waiting += fresh
    return list(found.values())


def told_under(delivery: Delivery) -> frozenset[str]:
    """The other stories under whose names a delivery, which is a note of them, is sent."""
    reasons = (delivery.suppressed_by, *(o.error for o in delivery.outcomes if o.state is DeliveryState.SUPPRESSED))
    return frozenset(filter(None, map(noted_story, reasons)))


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


def joined(outcome: Outcome, to: str, readers: Collection[str], now: datetime) -> Outcome:
    """What waits for a reader, or is held back by a mute, on a story that was joined: not to be sent to `readers`.

    They are told of the story `to`. A mail that was begun stays, as it may have been sent.
    """
    waits = outcome.state is DeliveryState.PENDING and not outcome.key
    if outcome.recipient not in readers or not (waits or _is_held(outcome)):
        return outcome
    return replace(outcome, state=DeliveryState.SUPPRESSED, at=now, error=f"{JOINED} {to}")


def _is_withdrawn(outcome: Outcome) -> bool:
    """Whether a mail is not sent because its story was joined with another one, of which the reader is told."""
    return outcome.state is DeliveryState.SUPPRESSED and (outcome.error or "").startswith(JOINED)


def _is_held(outcome: Outcome) -> bool:
    """Whether a mute holds a mail back that is sent when the search is no longer muted."""
    return outcome.state is DeliveryState.SUPPRESSED and (outcome.error or "").startswith(MUTED)


def _as_told(delivery: Delivery, to: str) -> Delivery:
    """The note that a story was told by a delivery on another one, so that later reports follow it."""
    noted = replace(delivery, story_id=to, kind="story")
    told = f"{TOLD} {delivery.story_id}"
    if delivery.state in (DeliveryState.PENDING, DeliveryState.SUPPRESSED):
        return replace(noted, state=DeliveryState.SUPPRESSED, suppressed_by=told, outcomes=())
    # What a mute holds back waits again on the delivery itself, not on its note, too.
    held = DeliveryState.SUPPRESSED
    return replace(noted, outcomes=tuple(replace(o, error=told) if o.state is held else o for o in delivery.outcomes))


def _by_alert(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Saved search → its deliveries that tell of an article, oldest first."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in sorted(deliveries, key=lambda one: (one.created_at, one.id)):
        if delivery.kind in TELLING:
            found[delivery.alert_id].append(delivery)
    return found
