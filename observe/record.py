"""Records how each job fares, for `observe.reading`: at its start, while it works, and at its end.

The decorator `jobs.context.job` calls `recording` for every run, whoever started it. Recording never makes a job fail:
if Elasticsearch takes no note, that is logged, and the reading then shows an old sign of life.

What a run's counts don't tell is a moment, with its reason. `AFTER` says per job which moments a good run sets or ends.
Code far below a job adds what must be known before its end (`noted`).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, cast

from newswatch.clock import Clock
from newswatch.errors import NewswatchError
from newswatch.latencies import Latencies
from newswatch.problems import reason_of
from newswatch.pulse import LATE, JobPulse
from newswatch.texts import cut_short
from store.elastic.client import Client, spent
from store.elastic.faults import REFUSALS, store_error
from store.elastic.nodes import Spent
from store.names import Names
from store.pulse import PulseStore

log = logging.getLogger(__name__)

BEAT_S: Final = 15.0
"""Seconds between two signs of life of a run. Most runs are over before the first."""
PATIENCE_S: Final = 5.0
"""Time limit of each request. The job must not wait long for a note about it."""
SILENT_AFTER_S: Final = 30.0
"""Seconds after which a poll in which nobody has answered yet is recorded as such, before its requests time out."""
END_TRIES: Final = 3
END_PAUSE_S: Final = 1.0
"""Seconds between two tries to record the end of a run."""
AIRFLOW: Final = "airflow"
_MOST_CHARS: Final = 1_000
"""Maximum length of a reason."""
NOTHING_SPENT: Final = Spent()
_NO_COUNTS: Final = frozenset({"batch"})
"""Fields of reports that hold a number which counts nothing."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that a run sets or ends."""

    name: str
    is_over: bool = False
    """The moment is removed."""
    keeps: bool = False
    """A moment that is set already stays: something lasts since then."""
    why: str = ""
    at: datetime | None = None
    """None: now."""


def happened(name: str) -> Mark:
    """Something happened now."""
    return Mark(name)


def lasts(name: str, why: str = "", *, since: datetime | None = None) -> Mark:
    """A state lasts, since now if it did not last already."""
    return Mark(name, keeps=True, why=why, at=since)


def over(name: str) -> Mark:
    """A state is over."""
    return Mark(name, is_over=True)


# ── what a good run of each job tells ────────────────────────────────────────────────────────────────────────────────


class _Pulled(Protocol):
    feeds: int
    reached: int
    silent: int
    offline: int


def _after_pull(report: _Pulled, reasons: Mapping[str, str]) -> Iterator[Mark]:
    """Publishers that answered before our network went down don't end the outage; an outage is found last."""
    if report.reached:
        yield happened("reached")
    if report.offline:
        yield lasts("offline", reasons.get("silent", ""))
    elif report.reached:
        yield over("offline")
        yield over("unanswered")
    elif report.silent:
        yield lasts("unanswered", reasons.get("silent", ""))


def _after_deliver(report: Any, reasons: Mapping[str, str]) -> Iterator[Mark]:
    """A server that refuses a recipient for good is up. Without any mail to send it is unknown, but nobody waits."""
    if report.sent:
        yield happened("accepted")
        yield Mark("signed", why=reasons.get("signed", ""))
    if report.down:
        yield lasts("down", report.down)
    elif report.sent or report.failed or not (report.tried or report.left or report.later):
        yield over("down")
        yield over("broken")
    elif report.broken:
        yield lasts("broken", report.broken)


def _after_check(report: Any, reasons: Mapping[str, str]) -> Iterator[Mark]:
    """A check in which nobody answered says nothing of the list."""
    if report.replaceable:
        yield lasts("replaceable", reasons.get("replaceable", ""))
    elif not report.offline:
        yield over("replaceable")


AFTER: Final[Mapping[str, Callable[[Any, Mapping[str, str]], Iterable[Mark]]]] = {
    "pull": _after_pull,
    "deliver": _after_deliver,
    "check": _after_check,
}
"""Job → the marks of a good run, given its report and the reasons that were noted meanwhile.

Of the other jobs, `ended_at` and the counts tell all."""


def counts(report: object) -> dict[str, float]:
    """The numbers of a report (a dataclass): each number as it is, each collection by its length. Pure.

    Fields of a report within it have its field's name before theirs: `sync_added`.
    """
    found: dict[str, float] = {}
    if not is_dataclass(report):
        return found
    for each in fields(report):
        value = getattr(report, each.name)
        if each.name in _NO_COUNTS:
            continue
        if isinstance(value, int | float):
            found[each.name] = float(value)
        elif isinstance(value, Latencies):
            found |= value.totals(each.name)
        elif isinstance(value, tuple | list | Mapping):
            found[each.name] = float(len(value))
        else:
            found |= {f"{each.name}_{name}": count for name, count in counts(value).items()}
    return found


# ── the changes of a pulse. Pure ─────────────────────────────────────────────────────────────────────────────────────


def begun(was: JobPulse, now: datetime, *, host: str, runner: str) -> JobPulse:
    """The pulse at the start of a run."""
    return replace(was, started_at=now, beat_at=now, host=host, runner=runner)


def beaten(was: JobPulse, now: datetime, marks: Iterable[Mark] = ()) -> JobPulse:
    """The pulse while a run works."""
    return marked(replace(was, beat_at=now), now, marks)


def ended(
    was: JobPulse,
    now: datetime,
    last: Mapping[str, float],
    seconds: float,
    marks: Iterable[Mark],
    spent: Spent = NOTHING_SPENT,
) -> JobPulse:
    """The pulse after a good run with these counts."""
    totals = _sum(was.totals, {**last, "runs": 1, "seconds": seconds, **_cost(spent)})
    good = replace(
        was, beat_at=now, ended_at=now, failing_since=None, why="", failures=0, last=dict(last), totals=totals
    )
    return marked(good, now, (over(LATE), *marks))


def failed(was: JobPulse, now: datetime, why: str, seconds: float, spent: Spent = NOTHING_SPENT) -> JobPulse:
    """The pulse after a run that ended in an error."""
    return replace(
        was,
        beat_at=now,
        failed_at=now,
        failing_since=was.failing_since or now,
        why=why,
        failures=was.failures + 1,
        totals=_sum(was.totals, {"runs": 1, "errors": 1, "seconds": seconds, **_cost(spent)}),
    )


def dropped(was: JobPulse, now: datetime) -> JobPulse:
    """The pulse after somebody stopped a run by hand, which is neither good nor an error."""
    return replace(was, beat_at=now, started_at=None)


def marked(was: JobPulse, now: datetime, marks: Iterable[Mark]) -> JobPulse:
    """The pulse with the marks."""
    moments, reasons = dict(was.moments), dict(was.reasons)
    for mark in marks:
        if mark.is_over:
            moments.pop(mark.name, None)
            reasons.pop(mark.name, None)
            continue
        if not (mark.keeps and mark.name in moments):
            moments[mark.name] = mark.at or now
        if mark.why:
            reasons[mark.name] = cut_short(mark.why, _MOST_CHARS)
    return replace(was, moments=moments, reasons=reasons)


def _cost(spent: Spent) -> dict[str, float]:
    if spent == NOTHING_SPENT:
        return {}
    return {"elasticsearch_requests": spent.requests, "elasticsearch_seconds": spent.seconds}


def _sum(left: Mapping[str, float], right: Mapping[str, float]) -> dict[str, float]:
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in (*left, *right)}


# ── a run ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Run:
    """A run of a job that is being recorded."""

    job: str
    report: object = None
    """What it returned; set before its end."""
    reasons: dict[str, str] = field(default_factory=dict)
    """What was noted during the run → why."""
    seconds: float = 0.0
    """How long it took; set at its end."""


_run: ContextVar[Run | None] = ContextVar("run", default=None)


def noted(name: str, why: str = "") -> None:
    """Note what must be known before the running job ends: `reached`, `silent`. Outside a job it does nothing."""
    if (run := _run.get()) is not None:
        run.reasons[name] = why


@contextmanager
def recording(job: str, es: Client, names: Names, clock: Clock) -> Iterator[Run]:
    """Record a run of `job`: the caller sets the `report`; an error that passes through is recorded and raised."""
    run = Run(job)
    recorder = _Recorder(run, es, names, clock)
    token = _run.set(run)
    try:
        with recorder.beating():
            yield run
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        recorder.note_end(dropped)
        raise
    except BaseException as error:
        recorder.note_end(partial(failed, why=sentence(error), seconds=recorder.seconds, spent=recorder.spent))
        raise
    else:
        recorder.note_end(partial(_good, run=run, seconds=recorder.seconds, spent=recorder.spent))
    finally:
        run.seconds = recorder.seconds
        _run.reset(token)


def sentence(error: BaseException) -> str:
    """An error in one line, as the pulse keeps it."""
    if isinstance(error, NewswatchError):
        return cut_short(" ".join(str(error).split()), _MOST_CHARS)
    return str(store_error(cast(Any, error))) if isinstance(error, REFUSALS) else reason_of(error)


def _good(was: JobPulse, now: datetime, *, run: Run, seconds: float, spent: Spent) -> JobPulse:
    marks = AFTER[run.job](run.report, run.reasons) if run.job in AFTER else ()
    return ended(was, now, counts(run.report), seconds, marks, spent)


class _Recorder:
    """Writes the pulse of one run."""

    def __init__(self, run: Run, es: Client, names: Names, clock: Clock) -> None:
        self._run, self._es, self._clock = run, es, clock
        self._store = PulseStore(es.options(request_timeout=PATIENCE_S, max_retries=0), names)
        self._spent = spent(es)
        self._over = threading.Event()
        self._began, self._began_at = time.monotonic(), clock()
        self._deaf = False
        """A note could not be written, which has been logged."""

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.monotonic() - self._began

    @property
    def spent(self) -> Spent:
        """What its requests to Elasticsearch have taken."""
        return spent(self._es) - self._spent

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Record the start, and signs of life until the end."""
        runner = AIRFLOW if "AIRFLOW_CTX_DAG_ID" in os.environ else ""
        self.note(partial(begun, host=socket.gethostname(), runner=runner))
        thread = threading.Thread(target=self._beat, name=f"pulse of {self._run.job}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            self.note(partial(beaten, marks=self._signs()))

    def _signs(self) -> list[Mark]:
        """What a poll tells before its end: somebody has answered, or nobody has for a while."""
        if self._run.job != "pull":
            return []
        if "reached" in self._run.reasons:
            return [happened("reached"), over("offline"), over("unanswered")]
        asked = "asked" in self._run.reasons and self.seconds >= SILENT_AFTER_S
        return [lasts("unanswered", self._run.reasons.get("silent", ""), since=self._began_at)] if asked else []

    def note_end(self, change: Callable[..., JobPulse]) -> None:
        """Write the changed pulse, with several tries: an end that is not recorded looks like a run that hangs."""
        for left in reversed(range(END_TRIES)):
            if self.note(change) or not left:
                return
            time.sleep(END_PAUSE_S)

    def note(self, change: Callable[..., JobPulse]) -> bool:
        """Write the changed pulse; if that fails, log it and return False."""
        try:
            now = self._clock()
            self._store.change(self._run.job, lambda was: change(was, now))
        except Exception as error:  # whatever it is, the job's work is worth more than the note about it
            if not self._deaf:
                log.warning("%s: how it fares could not be recorded: %s", self._run.job, sentence(error))
            self._deaf = True
            return False
        return True
