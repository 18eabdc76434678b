"""What the watchman remembers, and what follows from a look: which conditions begin, grow worse and end, who is told.

Everything here is pure and counts looks, not seconds, so that no jump of a clock begins or ends a condition. A
condition must be seen in several looks in a row before it begins, and be away for several before it is over; each way
of telling hears of each beginning and each end once, however long the way was closed.

    Look      what the probes have seen, and what they could not judge
    Episode   one condition from its beginning to its end, and which way has been told what of it
    Draft     what is being told by one way; kept until its outcome is known, so that a repetition is the same message
    Memory    all of that, as it is kept on the disk
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from observe.condition import Condition, Severity

ASLEEP = "asleep"
"""Stands for the time in which nobody looked: before the start, or while the machine was suspended."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How many looks in a row change the watchman's mind."""

    begin: int = 3
    """Looks that must see a condition before it is told."""
    end: int = 4
    """Looks that must not see it before it is over."""
    settle: int = 4
    """Looks after the end of a cause in which its consequences are not yet believed."""
    wake: int = 8
    """The same after a time in which nobody looked: every job needs a moment to run again."""


_JOBS_NEED = ("elasticsearch", "disk", "airflow", "scheduler", "dag-processor", ASLEEP)
CAUSES: Mapping[str, tuple[str, ...]] = {
    "elasticsearch": (ASLEEP,),
    "airflow": (ASLEEP,),
    "scheduler": ("airflow", ASLEEP),
    "dag-processor": ("airflow", ASLEEP),
    "triggerer": ("airflow", ASLEEP),
    "network": ("elasticsearch", ASLEEP),
    "feeds-failing": ("network", "elasticsearch"),
    "polling": _JOBS_NEED,
    "matching": _JOBS_NEED,
    "mails-waiting": ("mail-server", *_JOBS_NEED),
    "fast-lane": ("elasticsearch", "disk", ASLEEP),
    "job:deliver": ("mail-server", *_JOBS_NEED),
    "job:*": _JOBS_NEED,
    "search:*": ("elasticsearch", "disk"),
}
"""Condition (a pattern) → the conditions that explain it. While one of these is critical, it is not told by itself."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A condition as one look has seen it."""

    condition: Condition
    sources: tuple[str, ...] = ()
    """The probes that have seen it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What all probes have seen at one time."""

    at: datetime
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    """Condition id → what was seen."""
    blind: frozenset[str] = frozenset()
    """Probes that could judge nothing: what only they have seen may have ended or not."""
    unknown: frozenset[str] = frozenset()
    """Ids that could not be judged."""

    def doubts(self, condition_id: str, sources: Collection[str]) -> bool:
        """Whether the absence of a condition says nothing, because the probes that saw it could not look."""
        return condition_id in self.unknown or any(source in self.blind for source in sources)


@dataclass(frozen=True, slots=True)
class Episode:
    """One condition from its beginning to its end."""

    condition: Condition
    """As last seen, with the severity that has been confirmed."""
    began_at: datetime
    sources: tuple[str, ...] = ()
    over_at: datetime | None = None
    """None: it stands."""
    times: int = 1
    """How often it came and went; several are one episode for ways that were told of none of them."""
    told: Mapping[str, str] = field(default_factory=dict)
    """Way → "warning" or "critical", as it was told; "over" once it was told of the end."""

    @property
    def key(self) -> tuple[str, datetime]:
        """What tells it from every other episode."""
        return (self.condition.id, self.began_at)


OVER = "over"


class Change(StrEnum):
    """What a message says of an episode."""

    NEW = "new"
    WORSE = "worse"
    OVER = "over"
    PASSED = "passed"
    """It began and ended before this way could be told."""


@dataclass(frozen=True, slots=True)
class Item:
    """One change that is told, with the episode as it was then."""

    change: Change
    episode: Episode


@dataclass(frozen=True, slots=True)
class Draft:
    """What is being told by one way."""

    key: str
    """The idempotency key of the message."""
    at: datetime
    items: tuple[Item, ...]
    standing: tuple[Condition, ...] = ()
    """What stands besides, as it was then."""


@dataclass(frozen=True, slots=True)
class Count:
    """A condition on its way to an episode, or an episode on its way to its end; in looks."""

    seen: int = 0
    critical: int = 0
    """Looks in a row in which it was critical."""
    mild: int = 0
    """Looks in a row in which it was seen and was not critical."""
    away: int = 0
    first_at: datetime | None = None
    """When the present row of looks began."""
    sources: tuple[str, ...] = ()
    """The probes that saw it last."""


@dataclass(frozen=True, slots=True)
class Memory:
    """All that the watchman knows."""

    episodes: tuple[Episode, ...] = ()
    """Those that stand, and those whose end has not been told by every way."""
    drafts: Mapping[str, Draft] = field(default_factory=dict)
    """Way → what is being told by it."""
    counts: Mapping[str, Count] = field(default_factory=dict)
    """Not kept on the disk: after a restart rows of looks begin anew."""
    settling: Mapping[str, int] = field(default_factory=dict)
    """Cause that has ended → looks until its consequences are believed. Not kept on the disk."""

    @property
    def standing(self) -> tuple[Episode, ...]:
        """The episodes that are not over."""
        return tuple(episode for episode in self.episodes if episode.over_at is None)


def awake(memory: Memory, rules: Rules) -> Memory:
    """The memory after a time in which nobody looked: rows of looks begin anew, jobs get time to run again."""
    return replace(memory, counts={}, settling={**memory.settling, ASLEEP: rules.wake})


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def advance(memory: Memory, look: Look, rules: Rules, ways: Collection[str]) -> Memory:
    """What is known after one more look. `ways` are the ways of telling there are now."""
    standing = {episode.condition.id: episode for episode in memory.standing}
    explained = _explained(memory, look)
    counts: dict[str, Count] = {}
    begun: list[Episode] = []
    changed: dict[tuple[str, datetime], Episode] = {}
    for condition_id in dict.fromkeys([*standing, *look.sightings, *memory.counts]):
        count = memory.counts.get(condition_id, Count())
        sighting, episode = look.sightings.get(condition_id), standing.get(condition_id)
        if episode is None:
            count = _counted(condition_id, count, sighting, look, explained)
            if sighting and count.seen >= rules.begin:
                begun.append(_begun(sighting, count, look))
        else:
            count, changed[episode.key] = _continued(episode, count, sighting, look, rules)
        if count != Count():
            counts[condition_id] = count
    episodes = [*(changed.get(episode.key, episode) for episode in memory.episodes), *begun]
    known = replace(memory, episodes=tuple(episodes), counts=counts, settling=_settling(memory, look, rules))
    return tidied(known, ways)


def _counted(condition_id: str, count: Count, sighting: Sighting | None, look: Look, causes: frozenset[str]) -> Count:
    """The row of looks of a condition that has not begun."""
    if _is_explained(condition_id, causes):
        return Count()
    if sighting is None:
        return count if look.doubts(condition_id, count.sources) else Count()
    is_critical = sighting.condition.severity is Severity.CRITICAL
    critical = count.critical + 1 if is_critical else 0
    return Count(count.seen + 1, critical, first_at=count.first_at or look.at, sources=sighting.sources)


def _begun(sighting: Sighting, count: Count, look: Look) -> Episode:
    began_at = count.first_at or look.at
    since = sighting.condition.since
    condition = replace(sighting.condition, since=min(since, began_at) if since else began_at)
    return Episode(condition, began_at, sighting.sources)


def _continued(
    episode: Episode, count: Count, sighting: Sighting | None, look: Look, rules: Rules
) -> tuple[Count, Episode]:
    """A standing episode after one more look."""
    if sighting is None:
        if look.doubts(episode.condition.id, episode.sources):
            return count, episode
        count = Count(away=count.away + 1, first_at=count.first_at if count.away else look.at)
        if count.away < rules.end:
            return count, episode
        return Count(), replace(episode, over_at=count.first_at or look.at)
    is_critical = sighting.condition.severity is Severity.CRITICAL
    critical, mild = (count.critical + 1, 0) if is_critical else (0, count.mild + 1)
    count = Count(count.seen + 1, critical, mild=mild)
    condition = _severity_confirmed(episode.condition, sighting.condition, count, rules)
    return count, replace(episode, condition=condition, sources=sighting.sources)


def _severity_confirmed(was: Condition, seen: Condition, count: Count, rules: Rules) -> Condition:
    """The condition with the severity that enough looks have seen, in the words that were seen with it.

    One that has become milder is told to nobody, but pages show it, and it explains no other any more.
    """
    if seen.severity is not was.severity:
        is_confirmed = count.critical >= rules.begin or count.mild >= rules.end
        if not is_confirmed:
            return was
    return replace(seen, since=was.since)


def _explained(memory: Memory, look: Look) -> frozenset[str]:
    """The causes that stand, are about to stand, or have ended a moment ago."""
    seen = {id_ for id_, sighting in look.sightings.items() if sighting.condition.severity is Severity.CRITICAL}
    return frozenset(seen | _critical(memory) | set(memory.settling))


def _critical(memory: Memory) -> set[str]:
    return {episode.condition.id for episode in memory.standing if episode.condition.severity is Severity.CRITICAL}


def _is_explained(condition_id: str, causes: frozenset[str]) -> bool:
    """Whether a cause explains the condition; the first pattern that fits decides."""
    pattern = next((pattern for pattern in CAUSES if fnmatchcase(condition_id, pattern)), None)
    return pattern is not None and not causes.isdisjoint(CAUSES[pattern])


def _settling(memory: Memory, look: Look, rules: Rules) -> dict[str, int]:
    """Cause → looks left; a cause that is critical now starts its time anew."""
    left = {cause: looks - 1 for cause, looks in memory.settling.items() if looks > 1}
    now = {id_ for id_, sighting in look.sightings.items() if sighting.condition.severity is Severity.CRITICAL}
    return left | dict.fromkeys(now | _critical(memory), rules.settle)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def tidied(memory: Memory, ways: Collection[str]) -> Memory:
    """The memory without ways that no longer exist, and without episodes whose end every way knows."""
    drafts = {way: draft for way, draft in memory.drafts.items() if way in ways}
    drafted = {item.episode.key for draft in drafts.values() for item in draft.items}
    known = [
        replace(episode, told={way: what for way, what in episode.told.items() if way in ways})
        for episode in memory.episodes
    ]
    kept = [episode for episode in known if episode.over_at is None or not _all_know(episode, ways)]
    return replace(memory, episodes=_merged(kept, drafted), drafts=drafts)


def _all_know(episode: Episode, ways: Collection[str]) -> bool:
    return all(episode.told.get(way) == OVER for way in ways)


def _merged(episodes: Iterable[Episode], drafted: Collection[tuple[str, datetime]]) -> tuple[Episode, ...]:
    """Episodes of one condition that have ended and of which every way knows the same are one that came several times.

    So a way that stays closed for days costs no more than one episode for each condition.
    """
    merged: dict[object, Episode] = {}
    for episode in episodes:
        is_free = episode.over_at is not None and episode.key not in drafted
        untold = is_free and all(told == OVER for told in episode.told.values())
        group: object = (episode.condition.id, *sorted(episode.told)) if untold else episode.key
        first = merged.get(group)
        merged[group] = _together(first, episode) if first else episode
    return tuple(merged.values())


def _together(first: Episode, later: Episode) -> Episode:
    is_worse = first.condition.severity is Severity.CRITICAL and later.condition.severity is Severity.WARNING
    worst = first.condition if is_worse else replace(later.condition, since=first.condition.since)
    return replace(first, condition=worst, over_at=later.over_at, times=first.times + later.times)


def news(memory: Memory, way: str) -> tuple[Item, ...]:
    """What one way has still to be told, in the order in which it began."""
    changes = ((change_of(episode, way), episode) for episode in memory.episodes)
    return tuple(Item(change, episode) for change, episode in changes if change)


def change_of(episode: Episode, way: str) -> Change | None:
    """What the way has to be told of the episode; None: nothing."""
    told = episode.told.get(way)
    if episode.over_at is not None:
        return None if told == OVER else Change.OVER if told else Change.PASSED
    if told is None:
        return Change.NEW
    is_worse = told == Severity.WARNING and episode.condition.severity is Severity.CRITICAL
    return Change.WORSE if is_worse else None


def drafted(memory: Memory, way: str, at: datetime) -> tuple[Memory, Draft | None]:
    """The memory with the next message of the way in it, and that message; None: there is nothing to tell.

    A draft that is there already is the next message, as its outcome is unknown.
    """
    if draft := memory.drafts.get(way):
        return memory, draft
    items = news(memory, way)
    if not items:
        return memory, None
    told = {item.episode.key for item in items}
    besides = tuple(episode.condition for episode in memory.standing if episode.key not in told)
    draft = Draft(_key(way, at, items), at, items, besides)
    return replace(memory, drafts={**memory.drafts, way: draft}), draft


def _key(way: str, at: datetime, items: tuple[Item, ...]) -> str:
    """Of the way, the time and what is told: so two installations with one mailbox never make the same."""
    content = repr((way, at, [(item.change, *item.episode.key) for item in items]))
    return f"watch.{hashlib.sha256(content.encode()).hexdigest()[:32]}"


def delivered(memory: Memory, way: str, ways: Collection[str]) -> Memory:
    """The memory once the way's draft was accepted."""
    draft = memory.drafts.get(way)
    if draft is None:
        return memory
    said = {item.episode.key: _said(item) for item in draft.items}
    episodes = tuple(
        replace(episode, told={**episode.told, way: said[episode.key]}) if episode.key in said else episode
        for episode in memory.episodes
    )
    return tidied(replace(_without(memory, way), episodes=episodes), ways)


def _said(item: Item) -> str:
    return OVER if item.change in (Change.OVER, Change.PASSED) else str(item.episode.condition.severity)


def refused(memory: Memory, way: str) -> Memory:
    """The memory once it is sure that nobody got the way's draft: the next one is made anew, of what is true then."""
    return _without(memory, way)


def _without(memory: Memory, way: str) -> Memory:
    return replace(memory, drafts={other: draft for other, draft in memory.drafts.items() if other != way})
