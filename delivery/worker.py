"""Serves the recipients who are due, many at once: the steps of `delivery.deliver`.

One thread claims, plans and writes mails for fifty recipients together; the channel's lines, a thread each, send them
and record each outcome. So Elasticsearch is asked a few times for fifty mails and once for each, and a receiver that
dawdles holds up one line.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from alerts.saved import SavedSearches
from delivery.channels.channel import Channel
from delivery.channels.lines import Lines
from delivery.channels.registry import channel_of
from delivery.compose import Mail, MailPlan, plan, try_out
from delivery.composing import Composed, Composer, LeftOut
from delivery.due import grouping, look, taken
from delivery.fanout import OLD_AT_ONCE, PENDING, Fanout
from delivery.holding import Holding, postpone, released
from delivery.mailbox import Mailbox, Mailboxes, is_suspect
from delivery.outcomes import Acknowledged, Outcomes, Parcel, Sent
from delivery.report import DeliverReport
from delivery.sending import Letter, Served, Verdict, begun, is_ours, judged
from newswatch.alert import SavedSearch
from newswatch.delivery import DeliveryState, Outcome
from newswatch.problems import Bulkhead, Problem
from newswatch.settings import Settings
from store.elastic import bulk
from store.elastic.beats import Beat
from store.elastic.client import Client
from store.elastic.documents import Document
from store.names import Names

AT_ONCE: Final = 50
"""Recipients who are claimed, and whose mails are written, together."""
AHEAD: Final = 2 * AT_ONCE
"""Mails that may wait for a channel's lines; more are not written yet."""
WRITE_FOR: Final = timedelta(seconds=2)
"""Time for writing mails before those that are written are sent: briefings take a while, and articles change."""

Going = Future[tuple[Served, DeliverReport]]


@dataclass(frozen=True, slots=True)
class _Written:
    """A mail that was composed."""

    served: Served
    mail: Mail
    made: Composed


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The mails that were given to lines, and what came of the others."""

    going: set[Going]
    more: list[Served]
    """Those who get none for now, and for whom there are more."""
    report: DeliverReport


class Worker:
    """One worker, for one run."""

    def __init__(
        self,
        es: Client,
        names: Names,
        settings: Settings,
        clock: Callable[[], datetime],
        lines: Lines,
        walls: Bulkhead,
    ) -> None:
        self._es, self._names, self._settings, self._clock, self._lines = es, names, settings, clock, lines
        self._outcomes, self._fanout, self._saved = Outcomes(es, names), Fanout(es, names), SavedSearches(es, names)
        self._walls = walls
        self._id = uuid.uuid4().hex
        self._beat = Beat(es, names, self._id, clock)
        self._held = Holding(Mailboxes(es, names), self._id, clock)
        self._give_up = timedelta(seconds=settings.mail_give_up_s)
        self._searches: dict[str, SavedSearch | None] = {}
        self._composer = Composer(es, names, settings, clock, self._searches, walls)
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._stack = ExitStack()
        self._until = clock()
        self._old_left = False
        """Whether there are deliveries that nobody waits for and that have no outcomes yet."""
        self._under_way: Counter[str] = Counter()
        """Channel → mails that its lines have, or that wait for one."""
        self._touched: set[str] = set()
        """Ids of the deliveries for whose recipients something was recorded."""

    def run(self, limit: int, until: datetime) -> DeliverReport:
        """Serve at most `limit` recipients, and begin nothing after `until`."""
        self._until = until
        self._fanout.refresh()
        self._fanout.spread(PENDING)
        self._old_left = self._fanout.spread_newest(OLD_AT_ONCE)
        due = look(self._es, self._names, self._settings, now=self._clock(), bulkhead=self._walls, refresh=False)
        report = DeliverReport(later=due.later)
        if due.recipients:
            with self._stack:
                self._stack.enter_context(self._beat)
                try:
                    report += self._serve(deque(due.recipients), limit)
                except BaseException:
                    for pool in self._pools.values():
                        pool.shutdown(cancel_futures=True)
                    raise
        self._fanout.settle(self._touched, self._clock())
        return report

    def _serve(self, waiting: deque[str], limit: int) -> DeliverReport:
        """Serve them in their order. Those with whom a worker died come last, each while nobody else is served."""
        report, served = DeliverReport(), 0
        groups: deque[list[Served]] = deque()
        suspects: deque[list[Served]] = deque()
        going: set[Going] = set()
        while waiting or groups or suspects or going:
            over = self._time_over
            if over and (waiting or groups or suspects):
                report += self._leave(waiting, groups, over) + self._leave(waiting, suspects, over)
            elif served >= limit and waiting:
                report += self._leave(waiting, deque(), f"{limit} recipients were served")
            elif suspects and not (groups or waiting or going):
                groups.append(suspects.popleft())
            elif groups:
                prepared = self._prepare(groups.popleft())
                going |= prepared.going
                groups.extend(filter(None, [prepared.more]))
                report += prepared.report
            elif some := taken(waiting, min(AT_ONCE, limit - served), self._full):
                fresh, result = self._claim(some)
                # A recipient who turned out to rest, or went into quarantine, does not count against the limit.
                served, report = served + len(fresh), report + result
                sound = [one for one in fresh if not is_suspect(one.held.value)]
                groups.extend(filter(None, [sound]))
                suspects.extend([one] for one in fresh if is_suspect(one.held.value))
            else:
                done, going = wait(going, return_when=FIRST_COMPLETED)
                results = [each.result() for each in done]
                self._under_way -= Counter(channel_of(one.address).name for one, _ in results)
                report = sum((result for _, result in results), report)
                groups.extend(filter(None, [self._with_more(each for each, _ in results)]))
        return report

    @property
    def _time_over(self) -> str:
        """Why nothing more may be begun; empty while there is time."""
        return f"the run's time of {self._settings.mail_run_s} s is over" if self._clock() >= self._until else ""

    @property
    def _full(self) -> set[str]:
        """The channels that have enough to do: receivers that dawdle hold up no other channel."""
        return {name for name, count in self._under_way.items() if count >= AHEAD}

    def _leave(self, waiting: deque[str], groups: deque[list[Served]], why: str) -> DeliverReport:
        left = len(waiting) + sum(map(len, groups))
        if not left:
            return DeliverReport()
        self._held.release(each for group in groups for each in group)
        waiting.clear()
        groups.clear()
        return DeliverReport(left=left, stopped=f"{why}: {left} recipients wait for the next run")

    def _with_more(self, served: Iterable[Served]) -> list[Served]:
        return [each for each in served if each.mails]

    # ── claiming and planning ────────────────────────────────────────────────────────────────────────────────────────

    def _claim(self, addresses: Sequence[str]) -> tuple[list[Served], DeliverReport]:
        """Those of the recipients who are to get a mail now, and what came of the others."""
        report, sound = DeliverReport(), []
        for address in addresses:
            channel = channel_of(address)
            if self._lines.down(channel):
                continue
            try:
                channel.parse(address)
            except ValueError as error:
                work = partial(self._no_address, address, str(error))
                report += self._walls.attempt("recipient", address, work) or DeliverReport()
            else:
                sound.append(address)
        held = self._held.claim(sound) if sound else {}
        waiting = self._outcomes.waiting_for(held) if held else {}
        self._learn_searches(parcel for parcels in waiting.values() for parcel in parcels)
        usable = {address: self._usable(held[address].value, waiting.get(address, ())) for address in held}
        stories = {parcel.delivery.story_id for parcels in usable.values() for parcel in parcels}
        if self._old_left:
            self._fanout.spread_of("story_id", stories)
        sent = self._outcomes.sent_to(held, stories) if stories else {}
        rules: dict[str, str] = {}
        served = []
        for address, parcels in usable.items():
            one = Served(held[address], held[address].value, {parcel.id: parcel for parcel in parcels})
            work_ = partial(self._plan, one, sent.get(address, {}))
            planned = self._walls.attempt("recipient", address, work_) or MailPlan()
            rules |= {one.parcels[name].stored.id: rule for name, rule in planned.suppressed.items()}
            one.mails.extend(planned.mails)
            served.append(one)
            report += DeliverReport(later=planned.later)
        report += self._suppress([p for parcels in usable.values() for p in parcels if p.stored.id in rules], rules)
        self._held.release(one for one in served if not one.mails)
        return self._with_more(served), report

    def _no_address(self, recipient: str, why: str) -> DeliverReport:
        """Fail everything that waits for an invalid address, and report it so that its saved searches are corrected."""
        self._walls.note(Problem("recipient", recipient, why, "deliver"))
        waiting = self._outcomes.waiting_for([recipient]).get(recipient, [])

        def failed(parcel: Parcel) -> Outcome:
            return replace(parcel.outcome, state=DeliveryState.FAILED, at=self._clock(), error=why)

        self._acknowledge(waiting, failed)
        return DeliverReport(failed=len(waiting))

    def _learn_searches(self, parcels: Iterable[Parcel]) -> None:
        unknown = {parcel.delivery.alert_id for parcel in parcels} - self._searches.keys()
        if unknown:
            self._searches.update(dict.fromkeys(unknown))
            self._searches.update(self._saved.of(unknown))

    def _known(self) -> dict[str, SavedSearch]:
        return {alert_id: search for alert_id, search in self._searches.items() if search}

    def _usable(self, box: Mailbox, waiting: Sequence[Parcel]) -> list[Parcel]:
        """The waiting deliveries that can be planned. A document that a user's edit made invalid stays unchanged."""
        searches, group = self._known(), grouping(box.address, self._settings)

        def can_be_planned(parcel: Parcel) -> bool:
            attempt = partial(try_out, box, parcel.delivery, searches, now=self._clock(), group=group)
            return bool(self._walls.attempt("document", f"{self._names.deliveries}/{parcel.id}", attempt))

        return list(filter(can_be_planned, waiting))

    def _plan(self, one: Served, sent: Mapping[str, Sequence[Sent]]) -> MailPlan:
        waiting = [parcel.delivery for parcel in one.parcels.values()]
        threads, group = channel_of(one.address).threads, grouping(one.address, self._settings)
        return plan(one.box, waiting, sent, self._known(), now=self._clock(), group=group, threads=threads)

    def _suppress(self, parcels: Sequence[Parcel], rules: Mapping[str, str]) -> DeliverReport:
        def suppressed(parcel: Parcel) -> Outcome:
            was = parcel.outcome
            if was.state is not DeliveryState.PENDING:
                return was
            return replace(was, state=DeliveryState.SUPPRESSED, at=self._clock(), error=rules[parcel.stored.id])

        self._acknowledge(parcels, suppressed)
        return DeliverReport(suppressed=len(parcels))

    # ── writing mails ────────────────────────────────────────────────────────────────────────────────────────────────

    def _prepare(self, group: Sequence[Served]) -> _Prepared:
        """Begin the next mail of each recipient."""
        held = self._held.note_tries(group)
        self._composer.fresh()
        written: list[_Written] = []
        changes: dict[str, Callable[[Parcel], Outcome]] = {}
        report, later = DeliverReport(), list[Served]()
        enough = self._clock() + WRITE_FOR
        for number, one in enumerate(held):
            if written and self._clock() >= enough:
                later = held[number:]
                break
            mail = one.mails.popleft()
            work = partial(self._composer.compose, mail, one.box.last_error)
            made, left_out = self._walls.attempt("mail", mail.key, work) or (None, LeftOut())
            for ids, state, why in left_out.outcomes():
                over = partial(self._over, mail=mail, state=state, why=why)
                changes |= {one.parcels[name].stored.id: over for name in ids}
            failed = 1 if made is None and left_out.gone else 0
            waiting = len(left_out.waiting)
            report += DeliverReport(suppressed=len(left_out.repeated), failed=failed, out_of_reach=waiting)
            if made is not None:
                written.append(_Written(one, mail, made))
                changes |= {one.parcels[name].stored.id: partial(begun, made=made, mail=mail) for name in made.carried}
        letters = self._begun(written, self._write(held, written, changes))
        served = {one.address for one in (*(letter.served for letter in letters), *later)}
        idle = [one for one in held if one.address not in served]
        self._held.release(one for one in idle if not one.mails)
        return _Prepared({self._submit(letter) for letter in letters}, [*self._with_more(idle), *later], report)

    def _over(self, parcel: Parcel, mail: Mail, state: DeliveryState, why: str) -> Outcome:
        was = parcel.outcome
        return replace(was, state=state, at=self._clock(), error=why) if is_ours(was, mail) else was

    def _write(
        self, held: Sequence[Served], written: Sequence[_Written], changes: Mapping[str, Callable[[Parcel], Outcome]]
    ) -> Acknowledged:
        parcels = [parcel for one in held for parcel in one.parcels.values() if parcel.stored.id in changes]
        told = {
            name: replace(each.served.parcels[name].delivery, passages=passages)
            for each in written
            for name, passages in each.made.passages.items()
        }
        beside = self._outcomes.keep_passages(told.values())
        return self._acknowledge(parcels, lambda parcel: changes[parcel.stored.id](parcel), beside)

    def _begun(self, written: Sequence[_Written], done: Acknowledged) -> list[Letter]:
        """The mails whose key is in each of their outcomes now, so that a worker that finds them makes the same mail.

        If another worker took over one of a mail's deliveries, assuming that we had died, the mail is not sent.
        """
        letters, lost = [], []
        for each in written:
            ids = [each.served.parcels[name].stored.id for name in each.made.carried]
            parcels = tuple(done.written[name] for name in ids if name in done.written)
            ours = [p for p in parcels if p.outcome.key == each.mail.key and p.outcome.state is DeliveryState.PENDING]
            if len(ours) == len(ids):
                letters.append(Letter(each.served, each.mail, each.made, parcels))
                continue
            lost += ours if not each.mail.again else []
            if done.refused.keys() & set(ids):
                postpone(each.served)
        self._acknowledge(lost, lambda parcel: replace(parcel.outcome, key="", reference=""))
        return letters

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _submit(self, letter: Letter) -> Going:
        channel = channel_of(letter.mail.recipient)
        if channel.name not in self._pools:
            pool = ThreadPoolExecutor(channel.at_once(self._settings), f"{channel.name} line")
            self._pools[channel.name] = self._stack.enter_context(pool)
        self._under_way[channel.name] += 1
        return self._pools[channel.name].submit(copy_context().run, self._send, letter, channel)

    def _send(self, letter: Letter, channel: Channel) -> tuple[Served, DeliverReport]:
        """Offer the mail and record the answer; the recipient is released unless there are more mails for it."""
        one = letter.served
        report = self._walls.attempt("mail", letter.mail.key, partial(self._offer, letter, channel))
        if report is None:  # it may have been sent
            postpone(one)
            self._held.release([one])
        return one, report or DeliverReport()

    def _offer(self, letter: Letter, channel: Channel) -> DeliverReport:
        one, now = letter.served, self._clock()
        claimed_until = one.held.value.claimed_until or now
        if now >= max(claimed_until, self._beat.until):
            one.mails.clear()  # another worker may serve the recipient by now
            return DeliverReport()
        over = self._time_over
        if over or self._lines.down(channel):
            left = DeliverReport(left=1, stopped=over) if over else DeliverReport()
            verdict = Verdict(DeliveryState.PENDING, one.box, left, forget=not letter.mail.again)
            one.mails.clear()
        else:
            to = channel.parse(letter.mail.recipient)
            result = self._lines.send(channel, letter.made.rendered, to)
            verdict = judged(result, letter, to, self._clock(), self._give_up, self._lines.down(channel))
        return self._record(letter, verdict)

    def _record(self, letter: Letter, verdict: Verdict) -> DeliverReport:
        """Record the outcome and the mailbox in one request."""
        one, now = letter.served, self._clock()
        if verdict.report.down or (verdict.box.retry_at and verdict.box.retry_at > now):
            one.mails.clear()
        one.box = verdict.box
        box = one.box if one.mails else released(one.box, now)
        done = self._acknowledge(
            letter.parcels,
            lambda parcel: verdict.outcome(parcel, letter.mail, now),
            [self._held.replacing(one.held, box)],
        )
        (result,) = done.beside
        if not result.own_fault and bulk.require(result):
            one.held = result.stored(box)
        elif kept := self._held.keep({one.address: (one.held, box)}):
            one.held = kept[one.address]
        else:
            one.mails.clear()
        return verdict.report

    def _acknowledge(
        self, parcels: Iterable[Parcel], change: Callable[[Parcel], Outcome], beside: Sequence[Document] = ()
    ) -> Acknowledged:
        """Record outcomes, and report those that Elasticsearch refuses because of their content."""
        wanted = list(parcels)
        if not wanted and not beside:
            return Acknowledged()
        done = self._outcomes.acknowledge(wanted, change, beside)
        self._touched |= {parcel.id for parcel in wanted}
        for name, why in done.refused.items():
            self._walls.note(Problem("document", f"{self._names.outcomes}/{name}", f"Elasticsearch refuses it: {why}"))
        return done
