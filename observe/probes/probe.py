"""The interface of a probe, and the lookout that runs all of them, each in a thread with a deadline."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from newswatch.clock import Clock, monotonic_s, utc_now
from observe.condition import Condition, worst_first
from observe.episodes import Look, Sighting

log = logging.getLogger(__name__)

DEADLINE_S = 10.0
"""Seconds that a probe may take, unless it says otherwise: less than the time between two looks."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe has seen."""

    conditions: tuple[Condition, ...] = ()
    blind: bool = False
    """It could judge nothing: conditions that it saw before may have ended or not."""
    unknown: frozenset[str] = frozenset()
    """Ids of conditions that it could not judge."""
    note: str = ""
    """What it could not look at and why, for `newswatch watch --once`."""
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    """Server → when its certificate ends."""


BLIND = Report(blind=True)


@dataclass(frozen=True, slots=True)
class Probe:
    """Looks at one part."""

    name: str
    run: Callable[[], Report]
    """Looks once. An error that it raises is logged, and the probe is blind."""
    deadline_s: float = DEADLINE_S
    every_s: float = 0.0
    """Seconds between two runs; in between the last report stands. 0: at every look."""
    late: Report = field(default=BLIND)
    """The report if it takes longer than `deadline_s`."""


@dataclass(slots=True)
class _Post:
    """A probe, its last report, and its thread while it runs."""

    probe: Probe
    report: Report = BLIND
    begun_s: float = float("-inf")
    running: bool = False


class Lookout:
    """Runs the probes side by side. One that hangs delays no other and is not begun again until it has ended."""

    def __init__(
        self, probes: Iterable[Probe], *, clock: Clock = utc_now, progress: Callable[[], float] = monotonic_s
    ) -> None:
        self._posts = [_Post(probe) for probe in probes]
        self._clock, self._progress = clock, progress
        self._reports: queue.SimpleQueue[tuple[_Post, Report]] = queue.SimpleQueue()

    def look(self) -> Look:
        """What all probes see now, after the longest deadline at the latest."""
        begun = self._begin()
        deadlines = {id(post): time.monotonic() + post.probe.deadline_s for post in begun}
        while waiting := [post for post in begun if post.running and time.monotonic() < deadlines[id(post)]]:
            self._take(max(deadlines[id(post)] for post in waiting) - time.monotonic())
        for post in self._posts:
            if post.running and time.monotonic() >= deadlines.get(id(post), 0):
                post.report = post.probe.late
        return look_of(self._clock(), {post.probe.name: post.report for post in self._posts})

    def notes(self) -> tuple[str, ...]:
        """What could not be looked at, as of the last look."""
        return tuple(post.report.note for post in self._posts if post.report.note)

    def certificates(self) -> Mapping[str, datetime]:
        """When the certificates end that were seen, as of the last look."""
        return {server: ends for post in self._posts for server, ends in post.report.certificates.items()}

    def _begin(self) -> list[_Post]:
        """Start the probes whose time has come; returns them and those that were begun before and have not ended."""
        while not self._reports.empty():
            self._take(0)
        now = self._progress()
        begun = [post for post in self._posts if not post.running and now - post.begun_s >= post.probe.every_s]
        for post in begun:
            post.begun_s, post.running = now, True
            threading.Thread(target=self._run, args=(post,), daemon=True, name=f"probe {post.probe.name}").start()
        return begun

    def _run(self, post: _Post) -> None:
        try:
            report = post.probe.run()
        except Exception:
            log.exception("The probe %s failed, so it sees nothing", post.probe.name)
            report = replace(BLIND, note=f"{post.probe.name}: its probe failed, see the log")
        self._reports.put((post, report))

    def _take(self, seconds: float) -> None:
        try:
            post, report = self._reports.get(timeout=max(0.001, seconds))
        except queue.Empty:
            return
        post.report, post.running = report, False


def look_of(at: datetime, reports: Mapping[str, Report]) -> Look:
    """One look of the reports of all probes: of several conditions with one id the worst. Pure."""
    seen: dict[str, list[tuple[str, Condition]]] = {}
    for name, report in reports.items():
        for condition in report.conditions:
            seen.setdefault(condition.id, []).append((name, condition))
    return Look(
        at=at,
        sightings={condition_id: _sighting(found) for condition_id, found in seen.items()},
        blind=frozenset(name for name, report in reports.items() if report.blind),
        unknown=frozenset(id_ for report in reports.values() for id_ in report.unknown),
    )


def _sighting(found: Sequence[tuple[str, Condition]]) -> Sighting:
    worst = worst_first(tuple(condition for _, condition in found))[0]
    return Sighting(worst, tuple(dict.fromkeys(name for name, _ in found)))
