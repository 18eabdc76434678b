"""Joins stories that report one event, with what their readers are owed: for a person, and after each batch.

Matching joins stories across languages as soon as a batch's articles are placed, before saved searches are matched:
what has just begun is mailed under the story that it belongs to. A story that was mailed may be joined, too; then
nobody is told of it again (`delivery.parting`).

What is to be joined is noted on the batch first, and carried out again by whoever goes on after a crash. Mails are
noted before articles move, because a story without articles can't be found any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from alerts.saved import SavedSearches
from delivery.mailbox import Mailbox, Mailboxes
from delivery.outbox import Outbox
from delivery.parting import after_joins
from jobs.context import Context
from jobs.encoder import encoder_of
from newswatch.batch import Batch, BatchState
from newswatch.delivery import Delivery
from newswatch.errors import NewswatchError, StoreError
from store.across import Across
from store.articles import ArticleStore
from store.batches import BatchStore
from store.elastic.documents import Stored
from store.story_members import Member, StoryMembers

log = logging.getLogger(__name__)

_LOOKS = 2
"""Looks at the mails that wait. A mail that is begun after the last was begun before the stories were one."""

Hold = Callable[[], None]
"""Raises if another worker may have the turn of matching by now."""


@dataclass(frozen=True, slots=True)
class United:
    """What was done."""

    moved: int
    """Articles."""
    noted: int
    """Deliveries that were noted as told."""


def join_across(context: Context, waiting: Stored[Batch], hold: Hold) -> Stored[Batch]:
    """Join the stories that the articles of a batch, which are placed, show to be one in several languages.

    Returns the batch as it is stored then. Run again, it goes on.

    Raises:
        StoreError: Elasticsearch is unavailable, or the turn is lost: nothing is lost; run it again.
    """
    if waiting.value.state is BatchState.MATCHED and not waiting.value.abandoned:
        return waiting  # it was joined then, and some saved search could not be run
    if waiting.value.joined:
        _carry_out(context, waiting.value.joined, hold)
    encoder = encoder_of(context)
    if encoder is None:
        return waiting
    across, batches = Across(context.es, context.names, encoder), BatchStore(context.es, context.names)
    for stories in across.touched(waiting.value):
        found = [(join.other_id, join.story_id) for join in across.joins(stories, waiting.value)]
        if not found:
            continue
        hold()
        noted = batches.note_joined(waiting, found)
        if noted is None:  # it was indexed again, and will be matched again as a whole
            return waiting
        waiting = noted
        _carry_out(context, found, hold)
    return waiting


def _carry_out(context: Context, joins: Sequence[tuple[str, str]], hold: Hold) -> None:
    """Join pairs of stories, one after the other; a story that meanwhile moved on is joined where it is now."""
    into = _followed(context, joins)
    members = StoryMembers(context.es, context.names)
    try:
        moving = members.of(into) if into else []
        # Noted before, and parted by a person since: what he has decided stays.
        formed = {member.value[0].story_id for member in moving if member.value[0].placed_by}
        into = {story: to for story, to in into.items() if story not in formed}
        united = unite(context, into, moving, hold)
    except StoreError:
        raise
    except NewswatchError as error:
        if len(into) == 1:  # it has more articles than can be moved: it stays what it is
            log.warning("The story %s is not joined with %s: %s", *next(iter(into.items())), error)
            return
        for one, other in into.items():
            _carry_out(context, [(one, other)], hold)
    else:
        if united.moved:  # not what was carried out before
            log.info("%s stories joined across languages: %s articles moved", len(into), united.moved)


def _followed(context: Context, joins: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Story → the one that it is to be joined with in the end."""
    now = ArticleStore(context.es, context.names).stories_now(to for _, to in joins)
    into: dict[str, str] = {}
    for one, other in joins:
        to = now[other]
        into = {story: to if at == one else at for story, at in into.items()} | {one: to}
    return {story: to for story, to in into.items() if story != to}


def unite(context: Context, into: Mapping[str, str], moving: Sequence[Member], hold: Hold, *, by: str = "") -> United:
    """Move the articles `moving` of the stories that `into` names to the ones that it leads to.

    Without `by`, nobody has decided it. Call it with the turn of matching; run again, it goes on.

    Raises:
        StoreError: run it again.
    """
    outbox, now = Outbox(context.es, context.names), context.clock()
    noted = 0
    outbox.refresh()
    if outbox.on_stories(into):
        stories = {*into, *into.values()}
        # Of two mails that wait, the one to be withdrawn may be begun just before: by a second look the other one is.
        for _ in range(_LOOKS):
            told = outbox.settled(stories, now)
            hold()
            searches = SavedSearches(context.es, context.names).of({one.alert_id for one in told})
            updated = {search.id for search in searches.values() if search.updates}
            plan = after_joins(told, into, updated=updated, left=_left(context, told, stories))
            noted += outbox.add(plan.told).created
            if not plan.withdrawn:
                break
            outbox.withdraw(plan.withdrawn, now)
    else:
        told = []
    hold()
    moved = StoryMembers(context.es, context.names).unite(moving, into, by)
    _acknowledge(context, told, into, now)
    return United(moved, noted)


def _left(context: Context, told: Sequence[Delivery], stories: Collection[str]) -> set[str]:
    """The articles that were told, and are in none of these stories any more: a person has parted them."""
    now = ArticleStore(context.es, context.names).stories_of(one.article_id for one in told if one.article_id)
    return {id_ for id_, story in now.items() if story not in stories}


def _acknowledge(context: Context, told: Sequence[Delivery], into: Mapping[str, str], now: datetime) -> None:
    """Whoever wanted no more mails on a story wants none on the one that it is joined with.

    After its articles have moved: from then on, who says so says it of both (`delivery.feedback`).
    """
    readers = sorted({one.recipient for delivery in told if delivery.story_id in into for one in delivery.outcomes})
    boxes = Mailboxes(context.es, context.names)
    for box in boxes.many(readers):
        if box is not None and (stories := box.acknowledged.keys() & into.keys()):
            boxes.change(box.address, partial(_acknowledged, stories={into[story] for story in stories}, now=now))


def _acknowledged(box: Mailbox, stories: Collection[str], now: datetime) -> Mailbox:
    return replace(box, acknowledged=dict.fromkeys(stories, now) | dict(box.acknowledged))
