"""The record of a job's runs: pure changes, then real jobs on a real node."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

import jobs
from delivery.report import DeliverReport
from jobs.context import Context, job
from jobs.pull.report import PullReport
from newswatch.errors import StoreError
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe import record
from observe.record import AFTER, begun, counts, dropped, ended, failed, marked, noted
from store.elastic.client import connect
from store.names import Names
from store.pulse import PulseStore
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
slow = pytest.mark.slow


# ── pure ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Inner:
    added: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Report:
    batch: int = 77
    new: int = 3
    seconds: float = 1.5
    is_whole: bool = True
    batches: tuple[int, ...] = (4, 5)
    failed: dict[str, str] = field(default_factory=lambda: {"ice": "why"})
    down: str | None = "refused"
    later: datetime | None = NOW
    sync: Inner = Inner()


def test_the_numbers_of_a_report_are_counts() -> None:
    expected = {"new": 3, "seconds": 1.5, "is_whole": 1, "batches": 2, "failed": 1, "sync_added": 2}
    assert counts(Report()) == expected
    assert counts(None) == {}


def test_counts_are_kept_and_summed() -> None:
    once = ended(JobPulse("pull"), NOW, {"new": 3.0}, 2.0, ())
    twice = ended(once, NOW + MINUTE, {"new": 4.0, "known": 1.0}, 3.0, ())
    assert twice.last == {"new": 4, "known": 1}
    assert twice.totals.items() >= {"new": 7, "known": 1, "runs": 2, "seconds": 5}.items()


def test_errors_are_counted_until_a_good_run() -> None:
    was = begun(JobPulse("match"), NOW, host="worker-1", runner="airflow")
    assert was.under_way
    once = failed(was, NOW + MINUTE, "a closed index", 2.0)
    twice = failed(once, NOW + 2 * MINUTE, "a closed disk", 2.0)
    assert (twice.failures, twice.failing_since, twice.failed_at, twice.why) == (
        2,
        NOW + MINUTE,
        NOW + 2 * MINUTE,
        "a closed disk",
    )
    assert not twice.under_way
    well = ended(twice, NOW + 3 * MINUTE, {}, 2.0, ())
    assert (well.failures, well.failing_since, well.why) == (0, None, "")
    assert well.totals.items() >= {"runs": 3, "errors": 2, "seconds": 6}.items()


def test_a_run_that_somebody_stopped_is_neither_good_nor_bad() -> None:
    was = begun(JobPulse("match"), NOW, host="worker-1", runner="")
    over = dropped(was, NOW + MINUTE)
    assert (over.under_way, over.failures, over.totals, over.alive_at) == (False, 0, {}, NOW + MINUTE)


def pulled(was: JobPulse, now: datetime, why: str = "no such name", **fields: int) -> JobPulse:
    report = PullReport(1, **fields)
    return marked(was, now, AFTER["pull"](report, {"silent": why} if report.silent else {}))


def test_an_outage_lasts_from_its_first_poll_until_somebody_answers() -> None:
    well = pulled(JobPulse("pull"), NOW, feeds=3, reached=3)
    assert well.moments == {"reached": NOW}
    gone = pulled(well, NOW + MINUTE, feeds=3, silent=3, offline=3)
    longer = pulled(gone, NOW + 2 * MINUTE, "refused", feeds=3, silent=3, offline=3)
    assert longer.moments == {"reached": NOW, "offline": NOW + MINUTE}
    assert longer.reasons == {"offline": "refused"}
    back = pulled(longer, NOW + 3 * MINUTE, feeds=3, reached=1, silent=2)
    assert (back.moments, back.reasons) == ({"reached": NOW + 3 * MINUTE}, {})


def test_an_outage_that_begins_amid_a_batch_is_one() -> None:
    gone = pulled(JobPulse("pull"), NOW, feeds=3, reached=1, silent=2, offline=2)
    assert gone.moments == {"reached": NOW, "offline": NOW}


def test_nobody_answers_though_it_may_not_be_our_network() -> None:
    alone = pulled(JobPulse("pull"), NOW, feeds=1, silent=1)
    assert alone.moments == {"unanswered": NOW}
    assert pulled(alone, NOW + MINUTE, feeds=1, silent=1).moments == {"unanswered": NOW}
    witness = pulled(alone, NOW + MINUTE, feeds=1, silent=1, reached=2)
    assert witness.moments == {"reached": NOW + MINUTE}


@pytest.mark.parametrize("fields", [{}, {"feeds": 3}, {"feeds": 2, "failed": 2}])
def test_a_poll_that_asked_nobody_says_nothing(fields: dict[str, int]) -> None:
    was = JobPulse("pull", moments={"reached": NOW, "offline": NOW}, reasons={"offline": "refused"})
    assert pulled(was, NOW + MINUTE, "", **fields) == was


DOWN = JobPulse("deliver", moments={"down": NOW}, reasons={"down": "refused"})


@pytest.mark.parametrize(
    ("report", "moments"),
    [
        (DeliverReport(sent=2), {"accepted", "signed"}),
        (DeliverReport(sent=1, postponed=1, down="gone"), {"accepted", "down", "signed"}),
        (DeliverReport(postponed=1, down="gone"), {"down"}),
        (DeliverReport(postponed=1), {"down"}),
        (DeliverReport(postponed=1, broken="late"), {"down", "broken"}),
        (DeliverReport(sent=1, postponed=1, broken="late"), {"accepted", "signed"}),
        (DeliverReport(failed=1), set()),
        (DeliverReport(later=NOW), {"down"}),
        (DeliverReport(left=1), {"down"}),
        (DeliverReport(), set()),
    ],
)
def test_a_mail_server_is_down_until_it_takes_a_mail(report: DeliverReport, moments: set[str]) -> None:
    after = marked(DOWN, NOW + MINUTE, AFTER["deliver"](report, {}))
    assert set(after.moments) == moments
    assert after.moments.get("down", NOW) == NOW, "since when it was down first"


def test_the_jobs_that_tell_more_exist() -> None:
    folder = Path(jobs.__file__).parent
    named = {name for path in folder.rglob("*.py") for name in re.findall(r'@job\("(\w+)"\)', path.read_text())}
    assert set(AFTER) <= named


# ── on a node ────────────────────────────────────────────────────────────────────────────────────────────────────────


@job("tested")
def work(context: Context, error: BaseException | None = None) -> Report:
    noted("asked")
    if error:
        raise error
    return Report()


@pytest.fixture
def context(es: Elasticsearch, names: Names, elasticsearch_url: str) -> Iterator[Context]:
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.prefix)
    with connect(settings) as client:
        yield Context(settings, client, names, lambda: NOW)


def pulse(context: Context, name: str = "tested") -> JobPulse:
    context.es.indices.refresh(index=context.names.pulse)
    return PulseStore(context.es, context.names).read().get(name, JobPulse(name))


@slow
def test_a_run_is_recorded_with_its_counts(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    assert work(context) == Report()
    first = pulse(context)
    assert (first.started_at, first.ended_at, first.last["new"], first.runner) == (NOW, NOW, 3, "")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "poll_feeds")
    work(replace(context, clock=lambda: NOW + MINUTE))
    second = pulse(context)
    assert (second.totals["new"], second.totals["runs"], second.runner) == (6, 2, "airflow")
    assert second.ended_at == NOW + MINUTE


@slow
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StoreError("The index feeds is closed."), "The index feeds is closed."),
        (ValueError("nonsense"), "ValueError: nonsense"),
        (ConnectionResetError("gone"), "ConnectionResetError: gone"),
    ],
)
def test_an_error_is_recorded_and_stands(context: Context, error: Exception, why: str) -> None:
    with pytest.raises(type(error), match=str(error)):
        work(context, error)
    told = pulse(context)
    assert (told.failures, told.why, told.failing_since, told.under_way) == (1, why, NOW, False)


@slow
def test_a_run_that_is_interrupted_is_no_error(context: Context) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(context, KeyboardInterrupt())
    assert (pulse(context).failures, pulse(context).under_way) == (0, False)


@slow
def test_runs_at_once_are_counted_exactly(context: Context) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: work(context), range(20)))
    assert (pulse(context).totals["runs"], pulse(context).totals["new"]) == (20, 60)


@slow
@pytest.mark.parametrize("how", ["index.blocks.write", "index.blocks.read_only_allow_delete", "closed", "deleted"])
def test_a_job_does_its_work_though_nothing_can_be_recorded(
    context: Context, how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "END_PAUSE_S", 0.0)  # the index stays as it is for longer than the tries are apart
    es, index = context.es, context.names.pulse
    if how == "closed":
        es.indices.close(index=index)
    elif how == "deleted":
        es.indices.delete(index=index)
    else:
        es.indices.put_settings(index=index, settings={how: True})
    assert work(context) == Report()
    with pytest.raises(ValueError, match="its own"):
        work(context, ValueError("its own"))
    assert "could not be recorded" in caplog.text
    if how != "deleted":
        es.indices.open(index=index) if how == "closed" else es.indices.put_settings(index=index, settings={how: None})


@slow
def test_elasticsearch_that_is_away_costs_a_job_no_minutes(context: Context) -> None:
    with connect(Settings(elasticsearch_url="http://127.0.0.1:1")) as away, suppress(StoreError):
        work(replace(context, es=away))


@slow
def test_an_end_is_recorded_though_elasticsearch_was_busy(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "END_PAUSE_S", 0.0)
    change, calls = PulseStore.change, iter(range(99))

    def busy(*arguments: Any) -> JobPulse:
        if next(calls) in (1, 2):
            raise StoreError("busy")
        return change(*arguments)

    monkeypatch.setattr(PulseStore, "change", busy)
    work(context)
    assert not pulse(context).under_way


@slow
def test_a_long_run_gives_signs_of_life(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BEAT_S", 0.05)
    ticks = iter(range(1_000))
    beats = threading.Event()

    def clock() -> datetime:
        tick = next(ticks)
        if tick > 3:
            beats.set()
        return NOW + tick * MINUTE

    @job("long")
    def long(context: Context) -> None:
        assert beats.wait(20)
        told = pulse(context, "long")
        assert told.under_way
        assert told.beat_at is not None
        assert told.started_at is not None
        assert told.beat_at > told.started_at

    long(replace(context, clock=clock))
    assert not pulse(context, "long").under_way


@slow
@pytest.mark.parametrize(
    ("notes", "moments"),
    [
        ((), {"reached"}),
        (("asked",), {"reached", "unanswered"}),
        (("asked", "silent"), {"reached", "unanswered"}),
        (("asked", "reached"), {"reached"}),
    ],
)
def test_a_poll_tells_before_its_end_whether_anybody_answers(
    context: Context, monkeypatch: pytest.MonkeyPatch, notes: tuple[str, ...], moments: set[str]
) -> None:
    monkeypatch.setattr(record, "BEAT_S", 0.05)
    monkeypatch.setattr(record, "SILENT_AFTER_S", 0.0)
    PulseStore(context.es, context.names).change("pull", lambda was: replace(was, moments={"reached": NOW - MINUTE}))
    seen: dict[str, Any] = {}

    @job("pull")
    def pull(context: Context) -> PullReport:
        for note in notes:
            noted(note, "why")
        beats = set()
        for _ in range(400):
            threading.Event().wait(0.05)
            told = pulse(context, "pull")
            seen.update(told.moments)
            beats.add(told.beat_at)
            if len(beats) > 3:  # the first may have been worked out before the notes
                break
        return PullReport(1)

    ticks = iter(range(10_000))
    pull(replace(context, clock=lambda: NOW + next(ticks) * MINUTE))
    assert set(seen) == moments
    assert (seen["reached"] > NOW) == ("reached" in notes)


@slow
def test_a_document_that_was_edited_to_nonsense_is_only_a_memory(context: Context) -> None:
    work(context)
    nonsense = {"failures": 1, "last": {"new": "three"}}
    context.es.index(index=context.names.pulse, id="tested", document=nonsense)
    assert work(context) == Report()
    assert pulse(context).totals["runs"] == 1


@slow
def test_a_fault_in_recording_costs_no_job(
    context: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(AFTER, "tested", lambda *_: [][0])
    assert work(context) == Report()
    assert "could not be recorded" in caplog.text


@slow
def test_a_killed_run_stays_under_way(context: Context) -> None:
    child = os.fork()
    if child == 0:
        try:
            recording = record.recording("tested", connect(context.settings), context.names, lambda: NOW)
            with recording:
                os._exit(9)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    assert pulse(context).under_way
