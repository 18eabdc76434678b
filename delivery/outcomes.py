"""The outbox by recipient: one document for each delivery and recipient, which says what became of it.

Nobody writes a delivery for one recipient's sake, so that requests and bytes grow with the number of recipients and not
with its square. How a delivery becomes outcomes, and takes its own state from them: `delivery.fanout`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from delivery.documents import (
    RECIPIENTS,
    Addressed,
    outcome_document,
    outcome_id,
    passages_of,
    read_delivery,
    read_outcome,
)
from delivery.fanout import PENDING, Fanout
from delivery.made import TOLD, for_recipient, noted_story
from newswatch.delivery import Delivery, DeliveryState, Outcome
from newswatch.problems import Problem, report_problem
from store.articles import ArticleStore
from store.elastic import bulk
from store.elastic.client import Client
from store.elastic.compare_and_set import until_written
from store.elastic.documents import Document, Stored, all_stored, values
from store.elastic.reading import every, get_hits, get_stored, in_parts
from store.names import Names

_PAGE: Final = 1_000
_GONE: Final = "its delivery is no longer in the index"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery for one of its recipients: what a channel is to carry."""

    delivery: Delivery
    """As it concerns this recipient: no other one is in it."""
    stored: Stored[Addressed]

    @property
    def id(self) -> str:
        """The id of the delivery."""
        return self.delivery.id

    @property
    def outcome(self) -> Outcome:
        """The outcome so far."""
        return self.stored.value.outcome


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that a recipient got on a story."""

    reference: str
    """The channel's name for the mail; empty if it gives none."""
    at: datetime
    article_ids: frozenset[str] = frozenset()
    """The articles on the story that it told."""
    schedules: frozenset[str] = frozenset()
    """The schedules of the saved searches for which it told of the story."""
    has_left: bool = False
    """Whether the story was parted since, and all articles that it told are in another one now."""


@dataclass(slots=True)
class Acknowledged:
    """The result of recording outcomes."""

    written: dict[str, Parcel] = field(default_factory=dict)
    """Id of the outcome's document → the parcel as it is now, also of one that was left as it was."""
    refused: dict[str, str] = field(default_factory=dict)
    """Id of the outcome's document → why Elasticsearch refuses it."""
    beside: tuple[bulk.Written, ...] = ()
    """What became of the other documents written in the same request."""


class Outcomes:
    """The outcomes of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._index, self._deliveries = es, names, names.outcomes, names.deliveries
        self._bodies: dict[str, Delivery] = {}
        """Deliveries without their recipients, which all recipients share and nobody changes."""

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def waiting_for(self, recipients: Collection[str]) -> dict[str, list[Parcel]]:
        """Recipient → everything that waits for it, due or not, oldest first.

        A search finds the ids; because searches may be out of date, the outcomes are then read in real time.
        """
        query = {"bool": {"filter": [PENDING, {"terms": {"waiting": list(recipients)}}]}}
        found: dict[str, list[Parcel]] = defaultdict(list)
        for parcel in self.parcels([hit["_id"] for hit in every(self._es, self._index, query, source=False)]):
            if parcel.outcome.state is DeliveryState.PENDING and parcel.outcome.recipient in recipients:
                found[parcel.outcome.recipient].append(parcel)
        return {who: sorted(own, key=lambda p: (p.delivery.created_at, p.id)) for who, own in found.items()}

    def parcels(self, ids: Iterable[str]) -> list[Parcel]:
        """The parcels of these outcomes, in real time."""
        outcomes = get_stored(self._es, self._index, ids, read_outcome)
        bodies = self._with_bodies({each.value.delivery_id for each in outcomes})
        return [
            Parcel(for_recipient(bodies[each.value.delivery_id], each.value.outcome), each)
            for each in outcomes
            if each.value.delivery_id in bodies
        ]

    def _with_bodies(self, ids: Collection[str]) -> Mapping[str, Delivery]:
        unknown = [name for name in ids if name not in self._bodies]
        if unknown:
            hits = get_hits(self._es, self._deliveries, unknown, but=RECIPIENTS)
            self._bodies |= {each.id: each.value for each in all_stored(hits, read_delivery)}
            self._fail_without({*unknown} - {hit["_id"] for hit in hits})
        return self._bodies

    def _fail_without(self, gone: Collection[str]) -> None:
        """Fail what waits for a delivery that was deleted, which nothing can be told of any more.

        Not within a day: after a restore the delivery may only be matched again.
        """
        if not gone:
            return
        old = {"range": {"created_at": {"lt": "now-1d"}}}
        query = {"bool": {"filter": [PENDING, old, {"terms": {"delivery_id": sorted(gone)}}]}}
        for hit in list(every(self._es, self._index, query, source=False)):
            self._report(hit["_id"], _GONE)
            fields = {"state": DeliveryState.FAILED, "error": _GONE, "waiting": None}
            list(bulk.write(self._es, [bulk.merge(self._index, hit["_id"], fields)]))

    def _report(self, document_id: str, why: str) -> None:
        report_problem(Problem("document", f"{self._index}/{document_id}", why))

    def of(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """The deliveries, each with the outcomes of all its recipients, in real time."""
        wanted = {outcome_id(d.id, r): (d.id, r) for d in deliveries for r in d.recipients}
        found: dict[str, dict[str, Outcome]] = defaultdict(dict)
        for each in get_stored(self._es, self._index, wanted, read_outcome):
            found[each.value.delivery_id][each.value.outcome.recipient] = each.value.outcome
        return [_with_outcomes(d, found.get(d.id, {})) for d in deliveries]

    def select(self, query: Document) -> Iterator[Addressed]:
        """The outcomes that match, as of the last refresh."""
        yield from values(every(self._es, self._index, query), read_outcome)

    def of_deliveries(self, ids: Sequence[str], *states: DeliveryState) -> Iterator[Addressed]:
        """The outcomes of these deliveries in one of the states, as of the last refresh."""
        for part in in_parts(ids):
            about = {"terms": {"delivery_id": list(part)}}
            yield from self.select({"bool": {"filter": [about, {"terms": {"state": list(states)}}]}})

    def sent_to(self, recipients: Collection[str], story_ids: Collection[str]) -> dict[str, dict[str, list[Sent]]]:
        """Recipient → story → the mails on it that the recipient got, oldest first; as of the last refresh.

        A mail that waited when its story was joined with another was sent under its old name, to which a note leads.
        One that told only of what a parting has taken away is marked: what comes later is no reply to it.
        """
        sent = defaultdict[str, list[Addressed]](list)
        leads = defaultdict[str, set[str]](set)
        """Story → the names under which it was told, too."""
        asked, wanted = set[str](), {*story_ids}
        while wanted:
            for each in self._sent_or_noted(recipients, sorted(wanted)):
                if each.outcome.state is DeliveryState.SENT:
                    sent[each.story_id].append(each)
                else:
                    leads[each.story_id].add(noted_story(each.outcome.error))
            asked |= wanted
            wanted = set().union(*leads.values()) - asked
        mails: dict[str, dict[str, dict[str, Sent]]] = defaultdict(lambda: defaultdict(dict))
        for story in story_ids:
            for each in (each for name in sorted(reached(story, leads)) for each in sent[name]):
                of_story = mails[each.outcome.recipient][story]
                of_story[each.outcome.key] = _plus(of_story.get(each.outcome.key), each)
        told = (mail for own in mails.values() for keys in own.values() for mail in keys.values())
        articles = {one for mail in told for one in mail.article_ids if one}
        now = ArticleStore(self._es, self._names).stories_in_reach(articles)  # the others count as where they were
        return {
            who: {story: [_placed(mail, story, now) for mail in _in_order(keys)] for story, keys in own.items()}
            for who, own in mails.items()
        }

    def _sent_or_noted(self, recipients: Collection[str], stories: Sequence[str]) -> Iterator[Addressed]:
        sent = [{"term": {"state": DeliveryState.SENT}}, {"exists": {"field": "at"}}]
        noted = [{"term": {"state": DeliveryState.SUPPRESSED}}, {"prefix": {"error": TOLD}}]
        either = {"bool": {"should": [{"bool": {"filter": sent}}, {"bool": {"filter": noted}}]}}
        for part in in_parts(stories):
            about = {"terms": {"story_id": part}}
            whom = {"terms": {"recipient": list(recipients)}}
            yield from self.select({"bool": {"filter": [about, whom, either]}})

    def told_between(
        self, recipient: str, alert_ids: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, Addressed]:
        """Story → the first mail on it that these saved searches sent the recipient in that time, as of the last
        refresh; at most a thousand."""
        filters = [
            {"terms": {"alert_id": list(alert_ids)}},
            {"term": {"recipient": recipient}},
            {"term": {"kind": "story"}},
            {"range": {"sent_at": {"gt": start.isoformat(), "lte": end.isoformat()}}},
        ]
        answer = self._es.search(
            index=self._index, query={"bool": {"filter": filters}}, size=_PAGE, sort=[{"created_at": "asc"}]
        )
        found: dict[str, Addressed] = {}
        for each in values(answer["hits"]["hits"], read_outcome):
            found.setdefault(each.story_id, each)
        return found

    # ── recording ────────────────────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(
        self, parcels: Iterable[Parcel], change: Callable[[Parcel], Outcome], beside: Sequence[Document] = ()
    ) -> Acknowledged:
        """Record outcomes: apply `change` to each parcel, again to one that another worker has changed meanwhile.

        An outcome that `change` returns unchanged is not written. The actions `beside` are part of the first request.

        Raises:
            StoreError: one was changed by others on every try, or the index can't be written to.
        """
        done, left, also = Acknowledged(), list(parcels), list(beside)

        def attempt() -> bool | None:
            nonlocal left, also
            changed = [(parcel, change(parcel)) for parcel in left]
            done.written |= {parcel.stored.id: parcel for parcel, new in changed if new == parcel.outcome}
            fresh = [(parcel, new) for parcel, new in changed if new != parcel.outcome]
            actions = (bulk.replace(parcel.stored, outcome_document(parcel.delivery, new)) for parcel, new in fresh)
            results = list(bulk.write(self._es, [*actions, *also])) if fresh or also else []
            if also:
                done.beside, also = tuple(results[len(fresh) :]), []
            again = []
            for (parcel, new), result in zip(fresh, results, strict=False):
                if result.own_fault:
                    done.refused[result.id] = result.reason or ""
                elif bulk.require(result):
                    done.written[result.id] = _as_written(parcel, new, result)
                else:
                    again.append(result.id)
            left = self.parcels(again)
            return None if left else True

        until_written(attempt, lambda: f"Outcomes keep being changed by others: {', '.join(p.id for p in left)}")
        return done

    def keep_passages(self, deliveries: Iterable[Delivery]) -> list[Document]:
        """The actions that keep the passages of deliveries that had none, once for all their recipients."""
        actions = []
        for each in deliveries:
            body = self._bodies.get(each.id)
            if each.passages and body is not None and not body.passages:
                self._bodies[each.id] = replace(body, passages=each.passages)
                actions.append(bulk.merge(self._deliveries, each.id, {"detail": {"passages": passages_of(each)}}))
        return actions

    def requeue(
        self, deliveries: Document, outcomes: Document, why: str, change: Callable[[Delivery], Delivery]
    ) -> int:
        """Let what was suppressed for a reason that begins with `why` wait again; returns the number of deliveries.

        The query `deliveries` finds them, and `outcomes` their outcomes.

        `change` gives a delivery its new time. The deliveries are written first: killed in between, the call finds the
        outcomes again.
        """
        fanout = Fanout(self._es, self._names)
        fanout.refresh()
        fanout.spread(deliveries)
        suppressed = [outcomes, {"term": {"state": DeliveryState.SUPPRESSED}}]
        query = {"bool": {"filter": [*suppressed, {"prefix": {"error": why}}]}}
        parcels = self.parcels([hit["_id"] for hit in every(self._es, self._index, query, source=False)])
        moved = {p.id: change(replace(self._bodies[p.id], outcomes=())) for p in parcels}
        opened = [bulk.merge(self._deliveries, name, _requeued(new)) for name, new in moved.items()]
        list(map(bulk.require, bulk.write(self._es, opened)))
        self._bodies |= moved
        again = [replace(p, delivery=for_recipient(moved[p.id], p.outcome)) for p in parcels]
        self.acknowledge(again, partial(_waiting_again, why))
        # Again, as a worker that settled them in between found that nobody waits.
        list(map(bulk.require, bulk.write(self._es, opened)))
        return len(moved)


def _requeued(new: Delivery) -> Document:
    assert new.not_before is not None
    fields = {"state": new.state, "not_before": new.not_before.isoformat(), "suppressed_by": None, "sent_at": None}
    return fields | {"detail": fields}


def _waiting_again(why: str, parcel: Parcel) -> Outcome:
    """The outcome, pending again if it was suppressed for a reason that begins with `why`."""
    was = parcel.outcome
    suppressed = was.state is DeliveryState.SUPPRESSED and (was.error or "").startswith(why)
    return Outcome(was.recipient, attempts=was.attempts) if suppressed else was


def _as_written(parcel: Parcel, outcome: Outcome, result: bulk.Written) -> Parcel:
    value = replace(parcel.stored.value, outcome=outcome)
    return Parcel(for_recipient(parcel.delivery, outcome), result.stored(value))


def _plus(sent: Sent | None, each: Addressed) -> Sent:
    """`sent` with what another delivery in the same mail told."""
    assert each.outcome.at is not None
    was = sent or Sent(each.outcome.reference, each.outcome.at)
    return replace(was, article_ids=was.article_ids | {each.article_id}, schedules=was.schedules | {each.schedule})


def _placed(mail: Sent, story: str, now: Mapping[str, str]) -> Sent:
    """The mail, marked if the story has none of its articles; `now` has the story of each that is still stored."""
    return replace(mail, has_left=all(now.get(one, story) != story for one in mail.article_ids))


def _in_order(mails: Mapping[str, Sent]) -> list[Sent]:
    return sorted(mails.values(), key=lambda sent: sent.at)


def reached(story: str, leads: Mapping[str, Collection[str]]) -> set[str]:
    """A story, and all to which its notes lead, be it by others. Pure."""
    found, waiting = {story}, [story]
    while waiting:
        fresh = {*leads.get(waiting.pop(), ())} - found
        found |= fresh
        waiting += fresh
    return found


def _with_outcomes(delivery: Delivery, found: Mapping[str, Outcome]) -> Delivery:
    """The delivery with the outcomes found, in the order of its recipients; else with those in its own document."""
    said = {o.recipient: o for o in delivery.outcomes} | dict(found)
    order = dict.fromkeys((*delivery.recipients, *said))
    return replace(delivery, outcomes=tuple(said[r] for r in order if r in said))
