"""The watchman looks, remembers and tells; for that it needs neither Airflow nor Elasticsearch."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from embedded.watchman import LOCK
from newswatch.clock import Clock, monotonic_s, utc_now
from observe.condition import Condition, Severity, worst_first
from observe.episodes import (
    Draft,
    Episode,
    Item,
    Look,
    Memory,
    Rules,
    advance,
    awake,
    delivered,
    drafted,
    news,
    refused,
    tidied,
)
from observe.memory_file import Keeper, read_memory
from observe.probes.pipeline import NAME as PIPELINE
from observe.probes.probe import Lookout, Probe, Report
from observe.tell import Outcome, Result, Way
from observe.watched import Watched

log = logging.getLogger(__name__)


EVERY_S: Final = 15.0
"""Seconds between two looks."""
PAUSES_S: Final = (15.0, 30.0, 60.0, 120.0)
"""Seconds until a way that failed is tried again; the last one from then on."""
CLOSED_S: Final = 600.0
"""The same while a probe says that the way can't work."""
STUCK_S: Final = 180.0
"""Seconds after which telling is given up: longer than any way takes that keeps to its own limits."""
MOST_STUCK: Final = 5
"""Threads of one way that may be given up before it is not tried any more."""
KEEP_S: Final = 3.0
"""Seconds that the disk has for the memory before the watchman goes on without it."""
GOODBYE_S: Final = 5.0
"""Seconds for messages that are under way when the watchman is asked to end."""
LAST_S: Final = 25.0
"""Seconds for telling that the stack has ended."""
IN_VAIN_S: Final = 300.0
"""Seconds after which a way that nothing can be told by, for no reason that is known, is a condition itself."""
ASLEEP_LOOKS: Final = 6
"""If so many looks are missing, the machine was asleep."""


@dataclass(slots=True)
class _Line:
    """A way, and when it may be tried."""

    way: Way
    failures: int = 0
    failing_s: float | None = None
    """When the first of these failures was; None: there are none."""
    why: str = ""
    """Of the last failure."""
    tried_s: float = float("-inf")
    sending: bool = False
    stuck: int = 0
    """Threads that were given up, because they have not come back."""

    def is_open(self, now_s: float, *, is_closed: bool) -> bool:
        """Whether it may be tried now; `is_closed` if a probe says that it can't work."""
        if self.sending:
            return False
        if not self.failures:
            return True
        pause = CLOSED_S if is_closed else PAUSES_S[min(self.failures, len(PAUSES_S)) - 1]
        return now_s - self.tried_s >= pause


class Watchman:
    """Looks every few seconds and tells what has changed, by every way there is."""

    def __init__(
        self,
        probes: Callable[[Watchman], Iterable[Probe]],
        ways: Sequence[Way],
        path: Path,
        *,
        every_s: float = EVERY_S,
        rules: Rules | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """`path` is the file of its memory. `probes` are handed the watchman, whose memory some of them need."""
        self._every_s, self._rules, self._clock, self._path = every_s, rules or Rules(), clock, path
        self._lines = {way.id: _Line(way) for way in ways}
        self._outcomes: queue.SimpleQueue[tuple[str, Draft, Result]] = queue.SimpleQueue()
        self._keeper = Keeper(path)
        self._began_s = monotonic_s()
        self._memory = awake(tidied(read_memory(path), self._lines), self._rules)
        for line in self._lines.values():
            if line.way.needs in {episode.condition.id for episode in self._memory.standing}:
                # It was closed when the last run ended: what is over by then is told in the same message.
                line.failures, line.tried_s = 1, self._began_s
        self.lookout = Lookout([*probes(self), Probe("memory", self._own)], clock=clock)

    def standing(self) -> tuple[Condition, ...]:
        """The conditions that stand, the worst first."""
        return worst_first(tuple(episode.condition for episode in self._memory.standing))

    def is_well(self) -> bool:
        """Whether nothing critical stands."""
        return all(condition.severity is not Severity.CRITICAL for condition in self.standing())

    def watched(self) -> Watched:
        """What is written down for pages and other machines. What follows from the pulse follows for them too."""
        own = (episode for episode in self._memory.standing if episode.sources != (PIPELINE,))
        return Watched(
            tuple(e.condition for e in own),
            monotonic_s() - self._began_s,
            self._every_s,
            self.lookout.certificates(),
        )

    def run(self, over: threading.Event) -> None:
        """Look and tell until `over` is set."""
        looked_s = monotonic_s()
        while not over.is_set():
            began_s = monotonic_s()
            if began_s - looked_s > ASLEEP_LOOKS * self._every_s + 30:
                log.info("Nobody looked for %.0f s", began_s - looked_s)
                self._memory, self._began_s = awake(self._memory, self._rules), began_s
            looked_s = began_s
            self.look()
            with suppress(OSError):
                lock_file(self._path.parent).touch()
            self._tell_until(time.monotonic() + max(0.1, self._every_s - (monotonic_s() - began_s)), over)
        self._hear_out(GOODBYE_S)

    def _hear_out(self, seconds: float) -> None:
        """Take note of what is being told, so that a restart does not repeat it; what takes longer is repeated."""
        until = time.monotonic() + seconds
        while any(line.sending for line in self._lines.values()) and (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                self._note(*self._outcomes.get(timeout=left))

    def look(self) -> None:
        """Look once, and note what follows."""
        look = self.lookout.look()
        was = self._memory
        self._memory = advance(was, look, self._rules, self._lines)
        self._log(was, look)
        self._keep(was)

    def end(self, why: str, seconds: float = LAST_S) -> None:
        """Tell at once that the stack has ended by itself; what can't be told in time is told at the next start."""
        now = self._clock()
        condition = Condition(
            "stack",
            Severity.CRITICAL,
            f"newswatch has ended by itself: {why}. Nothing is polled, matched or mailed.",
            "Start it with newswatch up; the logs in its data folder say more.",
            now,
        )
        was = self._memory
        known = [episode for episode in was.episodes if episode.condition.id != "stack" or episode.over_at]
        self._memory = replace(was, episodes=(*known, Episode(condition, now, ("stack",))))
        self._keep(was)
        for line in self._lines.values():
            line.failures = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(news(self._memory, way) for way in self._lines):
            self._tell_until(min(until, time.monotonic() + 1), threading.Event())

    def _tell_until(self, until: float, over: threading.Event) -> None:
        """Begin to tell what there is to tell, and take note of outcomes, for the time until the next look."""
        self._begin()
        while not over.is_set() and (left := until - time.monotonic()) > 0:
            try:
                way, draft, result = self._outcomes.get(timeout=min(left, 0.5))
            except queue.Empty:
                continue
            self._note(way, draft, result)
            self._begin()

    def _give_up(self) -> None:
        """Let go of threads that have not come back. Whether they told it is unknown: it is told under the same key."""
        for line in self._lines.values():
            if line.sending and line.stuck < MOST_STUCK and monotonic_s() - line.tried_s > STUCK_S:
                line.sending, line.stuck, line.failures = False, line.stuck + 1, line.failures + 1
                log.warning("Telling by %s has not come to an end within %.0f s", line.way.title, STUCK_S)

    def _begin(self) -> None:
        """Start telling by every way that has something to tell and may be tried."""
        self._give_up()
        standing = {condition.id for condition in self.standing()}
        for way_id, line in self._lines.items():
            if not line.is_open(monotonic_s(), is_closed=line.way.needs in standing):
                continue
            was = self._memory
            self._memory, draft = drafted(was, way_id, self._clock())
            if draft is None:
                continue
            # Kept before it is sent: a repetition after a crash has the same key.
            self._keep(was)
            line.sending, line.tried_s = True, monotonic_s()
            threading.Thread(target=self._send, args=(line.way, draft), daemon=True, name=f"tell {way_id}").start()

    def _send(self, way: Way, draft: Draft) -> None:
        try:
            result = way.send(draft)
        except Exception:
            log.exception("Telling by %s failed", way.title)
            result = Result(Outcome.REFUSED, "see the log")
        self._outcomes.put((way.id, draft, result))

    def _note(self, way_id: str, draft: Draft, result: Result) -> None:
        line, was = self._lines[way_id], self._memory
        if was.drafts.get(way_id) != draft:
            return  # it was given up, and another thread has told it meanwhile
        line.sending = False
        if result.outcome is Outcome.ACCEPTED:
            line.failures, line.failing_s = 0, None
            self._memory = delivered(was, way_id, self._lines)
            log.info("Told by %s: %s", line.way.title, ", ".join(_short(item) for item in draft.items))
        else:
            line.failures, line.why = line.failures + 1, result.why
            line.failing_s = line.failing_s or monotonic_s()
            if result.outcome is Outcome.REFUSED:
                self._memory = refused(was, way_id)
            log.warning("Could not tell by %s: %s", line.way.title, result.why)
        self._keep(was)

    def _keep(self, was: Memory) -> None:
        """Write the memory if what is kept of it has changed. Without a disk it goes on."""
        now = self._memory
        if (now.episodes, now.drafts) == (was.episodes, was.drafts) and not self._keeper.fault:
            return
        was_unkept = self._keeper.fault
        self._keeper.keep(now, KEEP_S)
        if self._keeper.fault and not was_unkept:
            log.error("%s can't be written: %s", self._path, self._keeper.fault)

    def _own(self) -> Report:
        """What is wrong with the watchman itself."""
        standing, now_s = {condition.id for condition in self.standing()}, monotonic_s()
        mute = [line for line in self._lines.values() if line.way.needs not in standing and _is_in_vain(line, now_s)]
        conditions = tuple(map(_mute, mute))
        if fault := self._keeper.fault:
            sentence = f"The watchman can't write {self._path}: {fault}. After a restart it tells everything again."
            todo = "Let it write there, or free some space."
            conditions = (Condition("watchman", Severity.WARNING, sentence, todo), *conditions)
        return Report(conditions)

    def _log(self, was: Memory, look: Look) -> None:
        before = {episode.key: episode for episode in was.episodes}
        for episode in self._memory.episodes:
            if episode.key not in before:
                log.warning("%s: %s", episode.condition.id, episode.condition.sentence)
        over = {episode.key for episode in was.standing} - {episode.key for episode in self._memory.standing}
        for condition_id, _ in sorted(over):
            log.info("%s is over at %s", condition_id, look.at)


def _is_in_vain(line: _Line, now_s: float) -> bool:
    return line.failing_s is not None and now_s - line.failing_s >= IN_VAIN_S


def _mute(line: _Line) -> Condition:
    """The condition of a way by which nothing can be told. The other ways tell it."""
    sentence = f"The operator can't be told by {line.way.title}: {line.why.rstrip('.') or 'the reason is not known'}."
    todo = "Correct NEWSWATCH_OPERATOR or NEWSWATCH_OPERATOR_URL; `newswatch watch --test` tries every way."
    return Condition(f"telling:{line.way.id}", Severity.WARNING, sentence, todo)


def _short(item: Item) -> str:
    return f"{item.episode.condition.id} {item.change}"


def lock_file(data_dir: Path) -> Path:
    """The watchman's lock; its time is that of the last look."""
    return data_dir / LOCK
