"""Parting a story and joining two, as a person decides. Articles are placed once, so the decision stays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.match import match_batch
from alerts.saved import SavedSearches
from delivery.outbox import Outbox
from delivery.parting import Owed, after_split, owed_again
from jobs.context import Context
from jobs.uniting import unite
from newswatch.alert import Match, SavedSearch
from newswatch.batch import SEQ_PER_BATCH, Batch, BatchState
from newswatch.delivery import Delivery
from newswatch.errors import NewswatchError
from store.articles import ArticleStore
from store.audit import Deed
from store.elastic.turns import BRIEF_S, MATCHING, turn
from store.story_members import Member, StoryMembers


@dataclass(frozen=True, slots=True)
class Parted:
    """What was done."""

    story_id: str
    """The story that the articles are in now."""
    moved: int
    """Articles."""
    mails: int
    """Deliveries that were enqueued, or noted as told."""


def split(context: Context, story_id: str, article_ids: Collection[str], by: str) -> Parted:
    """Move articles, with their copies, from a story to one of their own; it has the name of the first of them.

    Run again after a failure it goes on, and mails nobody twice.

    Raises:
        NewswatchError: they are not in the story, or none would be left in it, or its first report is among them.
        StoreError: run it again.
    """
    wanted = frozenset(article_ids)
    members, outbox = StoryMembers(context.es, context.names), Outbox(context.es, context.names)
    with turn(context.es, context.names, MATCHING, most_s=BRIEF_S) as hold:
        here = members.of([story_id, *wanted])
        parted = _parted(here, story_id, wanted)
        to = parted[0].id
        ids = frozenset(member.id for member in parted)
        rest = [member for member in here if member.id not in ids and member.value[0].story_id == story_id]
        if not rest:
            raise NewswatchError(f"Nothing would be left of the story {story_id}: choose some of its articles.")
        outbox.settle([story_id], context.clock())
        told = outbox.on_stories([story_id])
        searches = _searches(context, told)
        matches = _matches(context, [*parted, *rest], searches)
        by_id = {search.id: search for search in searches}
        owed = list(after_split(told, matches, by_id, parted=ids, to=to, now=context.clock()))
        hold()
        context.audit.record(Deed(by, "story split", story_id, details=f"{len(parted)} articles to {to}"))
        moved = members.move(parted, to, by)
        created = outbox.add(owed).created
        withdrawn = _withdrawn(outbox, owed, by_id, story_id, to, ids, rest, context.clock())
        again = outbox.owe_again(withdrawn, context.clock())
        return Parted(to, moved, created + again)


def join(context: Context, story_id: str, other_id: str, by: str) -> Parted:
    """Move all articles of the story `other_id` to the story `story_id`.

    Raises:
        NewswatchError: one of them does not exist, or both are one.
        StoreError: run it again.
    """
    if story_id == other_id:
        raise NewswatchError("A story can't be joined with itself.")
    members, outbox = StoryMembers(context.es, context.names), Outbox(context.es, context.names)
    with turn(context.es, context.names, MATCHING, most_s=BRIEF_S) as hold:
        moving = members.of([other_id])
        articles = ArticleStore(context.es, context.names)
        if not moving and (now := articles.stories_now([other_id])[other_id]) not in (story_id, other_id):
            raise NewswatchError(f"The story {other_id} was joined with {now}: name that one.")
        if not members.of([story_id]):
            raise NewswatchError(f"There is no story {story_id}, or it is older than what is kept.")
        outbox.refresh()
        if not moving and not outbox.on_stories([other_id]):
            raise NewswatchError(f"There is no story {other_id}, or it is older than what is kept.")
        hold()
        context.audit.record(Deed(by, "stories joined", story_id, details=f"{len(moving)} articles of {other_id}"))
        done = unite(context, {other_id: story_id}, moving, hold, by=by)
        return Parted(story_id, done.moved, done.noted)


def _parted(here: Sequence[Member], story_id: str, wanted: Collection[str]) -> list[Member]:
    """The wanted articles and their copies, in order of publication; those that were moved already, too."""
    by_id = {member.id: member for member in here}
    if not wanted:
        raise NewswatchError("Name the articles to part.")
    strange = sorted(id for id in wanted if id not in by_id)
    if strange:
        raise NewswatchError(f"Not in the story {story_id}: {', '.join(strange)}.")
    if story_id in wanted:
        raise NewswatchError(f"The story has its name from the article {story_id}: part the others instead.")
    parted = [m for m in here if m.id in wanted or (m.value[0].duplicate_of in wanted and m.id != story_id)]
    first = parted[0].id if parted[0].id in wanted else min(wanted, key=[m.id for m in parted].index)
    elsewhere = sorted(m.id for m in parted if m.value[0].story_id not in (story_id, first))
    if elsewhere:
        raise NewswatchError(f"Not in the story {story_id}: {', '.join(elsewhere)}.")
    return sorted(parted, key=lambda member: member.id != first)


def _withdrawn(
    outbox: Outbox,
    owed: Sequence[Delivery],
    searches: Collection[str],
    story_id: str,
    to: str,
    parted: Collection[str],
    rest: Sequence[Member],
    now: datetime,
) -> list[Owed]:
    """What was withdrawn when the stories were joined, and is owed now that they are parted."""
    # On the story that has its name back, be it under another name to which its note leads.
    mine = {one.alert_id: one.id for one in owed if one.story_id == to}
    back = [
        one
        for one in outbox.settled([to], now)
        if one.id in mine.values() or (one.alert_id in mine and one.story_id != story_id)
    ]
    told = {one.article_id for one in back if one.id in mine.values()}
    # On the story that is left: its readers were told of what has left it.
    stay = {member.id for member in rest}
    left = [one for one in outbox.settled([story_id], now) if one.alert_id in searches]
    return [*owed_again(back, {*parted, *told}), *owed_again(left, stay, parted)]


def _searches(context: Context, told: Sequence[Delivery]) -> list[SavedSearch]:
    """The saved searches that had a mail on the story: from others the join has hidden nothing."""
    ids = {delivery.alert_id for delivery in told}
    enabled = SavedSearches(context.es, context.names).enabled(now=context.clock())
    return [search for search in enabled if search.id in ids]


def _matches(context: Context, members: Sequence[Member], searches: Sequence[SavedSearch]) -> list[Match]:
    """The matches of these articles, in order of publication.

    Raises:
        NewswatchError: a search can't be run, so that it is unknown what its readers are owed.
    """
    place = {member.id: n for n, member in enumerate(members)}
    now, found = context.clock(), list[Match]()
    for number in sorted({int(member.value[1]["seq"]) // SEQ_PER_BATCH for member in members}) if searches else ():
        batch = Batch(number, (), BatchState.MATCHED, now, now)
        report = match_batch(context.es, context.names, batch, searches)
        if report.failed:
            raise NewswatchError(f"{next(iter(report.failed))} can't be run: {next(iter(report.failed.values()))}")
        found += [match for match in report.matches if match.article_id in place]
    return sorted(found, key=lambda match: place[match.article_id])
