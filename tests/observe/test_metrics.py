"""Every number of the jobs' reports is a series, every series has a number, and names follow the conventions."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter as Tally
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from delivery.report import DeliverReport
from jobs.announce import Waits
from jobs.backup import BackupReport
from jobs.bounces import BounceReport
from jobs.check import CheckReport
from jobs.clean import Cleaned
from jobs.encode import EncodeReport
from jobs.health import HealthReport
from jobs.importing import ImportReport
from jobs.match import MatchedReport
from jobs.plan import Plan
from jobs.pull.report import PullReport
from jobs.pushing import PushReport
from jobs.recheck import RecheckReport
from jobs.replay import ReplayReport
from jobs.retag import RetagReport
from jobs.upkeep import UpkeepReport
from newswatch.latencies import BOUNDS_S, Latencies
from newswatch.pulse import JobPulse
from observe import record
from observe.condition import Condition, Severity
from observe.metrics import Reading, exported_names, exposition, run_counts
from observe.pulse import FailingSearch, FileState, MailState, Pulse, Reach, Storage, Waiting
from observe.series import COUNTERS, GAUGES, HISTOGRAMS, JOB_COUNTERS, NOT_EXPORTED, SERIES
from observe.watched import Watched, as_pulse, certificates_of, conditions_of
from store.elastic.nodes import Spent
from store.feeds import SyncReport
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
REPORTS: dict[str, Any] = {
    "plan": Plan((1,), 3, (), SyncReport((), (), (), ())),
    "pull": PullReport(7, feeds=3, new=2),
    "match": MatchedReport(),
    "deliver": DeliverReport(sent=1, latency=Latencies.of([20, 100])),
    "recheck": RecheckReport(),
    "upkeep": UpkeepReport((), (), (), 0, 0, 0, 0, 0),
    "health": HealthReport(0, 0),
    "check": CheckReport(3, 1, 1),
    "announce": Waits(batch=False, mails=False),
    "clean": Cleaned(),
    "retag": RetagReport(),
    "encode": EncodeReport("e 1", 3, 2, 1),
    "replay": ReplayReport(),
    "backup": BackupReport(),
    "bounces": BounceReport(),
    "import": ImportReport("x.jsonl"),
    "push": PushReport(None, ()),
}
"""A report of each job."""
WHOLE = Pulse(
    at=NOW,
    jobs={
        job: record.ended(replace(JobPulse(job), started_at=NOW), NOW, record.counts(report), 2.5, (), Spent(4, 0.25))
        for job, report in REPORTS.items()
    },
    reach=Reach(enabled=3, states={"ok": 2, "failing": 1}, due=1, reached_at=NOW - MINUTE),
    newest_article_at=NOW - 2 * MINUTE,
    waiting=Waiting(batches=2, batch_since=NOW - 3 * MINUTE, mails=4, mail_since=NOW - 5 * MINUTE, matched_at=NOW),
    mail=MailState(accepted_at=NOW, states={"sent": 9}),
    files=(FileState("feeds.yaml", NOW, "wrong"),),
    failing_searches=(FailingSearch("a", "A"),),
    problem_kinds={"page": 3, "of another version": 1},
    certificates={"mail.example:465": NOW + timedelta(days=20)},
    storage=Storage(status="yellow", disk_free=0.25, read_only=("articles-2026.03",)),
    watched_at=NOW,
)
"""A reading in which nothing is missing."""


def samples(pulse: Pulse | None, *conditions: Condition) -> dict[tuple[str, ...], float]:
    """Name and values of the labels → the number."""
    text = exposition(Reading(pulse, conditions))[0].decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_of_a_report_is_exported_or_says_why_not() -> None:
    numbers = {(job, name) for job, report in REPORTS.items() for name in record.counts(report)}
    exported = {each for series in COUNTERS for term in series.terms.values() for each in term.names}
    for series in HISTOGRAMS:
        exported |= {(series.job, name) for name in Latencies().totals(series.total)}
    assert exported <= numbers, "a series of a number that no report has"
    assert set(NOT_EXPORTED) <= numbers
    assert numbers - exported == set(NOT_EXPORTED)


def test_every_job_has_its_report_here() -> None:
    jobs = Path(__file__).parents[2] / "jobs"
    named = {name for path in jobs.rglob("*.py") for name in re.findall(r'^@job\("(\w+)"\)', path.read_text(), re.M)}
    assert set(REPORTS) == named


def test_every_series_is_there_once_and_has_a_value_in_a_whole_reading() -> None:
    names = [series.name for series in SERIES]
    assert [name for name, times in Tally(names).items() if times > 1] == []
    found = {key[0] for key in samples(WHOLE, Condition("network", Severity.CRITICAL, "", ""))}
    assert exported_names() == found
    assert len(names) >= 25


def test_names_follow_the_conventions() -> None:
    for name in [series.name for series in COUNTERS] + [series.name for series in JOB_COUNTERS]:
        assert name.endswith("_total"), name
    for gauge in GAUGES:
        assert not re.search(r"_(total|count|sum|bucket)$", gauge.name), gauge.name
    for each in SERIES:
        assert re.fullmatch(r"newswatch(_[a-z]+)+", each.name)
        assert each.help.endswith("."), each.name
        assert not re.search(r"_(ms|minutes|hours|kb|percent)(_|$)", each.name), "base units"


def test_each_number_is_where_it_belongs() -> None:
    found = samples(WHOLE)
    assert found["newswatch_up",] == 1
    assert found["newswatch_feeds", "failing"] == 1
    assert found["newswatch_feeds", "gone"] == 0, "a state without feeds is 0, and no gap"
    assert found["newswatch_publisher_reached_timestamp_seconds",] == (NOW - MINUTE).timestamp()
    assert found["newswatch_batches_waiting_age_seconds",] == 180
    assert found["newswatch_mails_waiting_age_seconds",] == 300
    assert found["newswatch_configuration_valid", "feeds.yaml"] == 0
    assert found["newswatch_configuration_valid", "taxonomy.yaml"] == 1
    assert found["newswatch_elasticsearch_status", "yellow"] == 1
    assert found["newswatch_elasticsearch_status", "green"] == 0
    assert found["newswatch_problems", "page"] == 3
    assert found["newswatch_problems", "of another version"] == 1
    assert found["newswatch_articles_total", "new"] == 2
    assert found["newswatch_job_runs_total", "pull"] == 1
    assert found["newswatch_job_seconds_total", "pull"] == 2.5
    assert found["newswatch_job_elasticsearch_requests_total", "pull"] == 4
    assert found["newswatch_job_elasticsearch_seconds_total", "pull"] == 0.25
    assert found["newswatch_job_errors_total", "pull"] == 0
    assert found["newswatch_certificate_expiry_timestamp_seconds", "mail.example:465"] > NOW.timestamp()


def test_nothing_waiting_is_no_age_and_nothing_known_is_no_moment() -> None:
    found = samples(Pulse(NOW))
    assert found["newswatch_batches_waiting_age_seconds",] == 0
    assert found["newswatch_articles_total", "new"] == 0, "a counter begins at 0, or its first increase is missed"
    assert ("newswatch_publisher_reached_timestamp_seconds",) not in found, "1970 would be an alarm"
    assert ("newswatch_elasticsearch_disk_free_ratio",) not in found
    assert not [key for key in found if key[0] == "newswatch_elasticsearch_status"]
    later = replace(WHOLE, waiting=Waiting(batches=1, batch_since=NOW + MINUTE))
    assert samples(later)["newswatch_batches_waiting_age_seconds",] == 0, "clocks that disagree make no negative age"


def test_a_pulse_that_cannot_be_read_is_a_reading_too() -> None:
    found = samples(None, Condition("elasticsearch", Severity.CRITICAL, "", ""))
    assert found["newswatch_up",] == 0
    assert found["newswatch_condition", "elasticsearch", "critical"] == 1
    assert {key[0] for key in found} == {"newswatch_up", "newswatch_build_info", "newswatch_condition"}


def test_latencies_are_a_histogram_that_adds_up_over_runs() -> None:
    job = JobPulse("deliver")
    for seconds in ([1, 15, 15.5], [61], [10**6, -3]):
        report = DeliverReport(sent=len(seconds), latency=Latencies.of(seconds))
        job = record.ended(job, NOW, record.counts(report), 1, ())
    found = samples(Pulse(NOW, jobs={"deliver": job}))
    buckets = {key[1]: value for key, value in found.items() if key[0] == "newswatch_delivery_latency_seconds_bucket"}
    assert len(buckets) == len(BOUNDS_S) + 1
    assert (buckets["15.0"], buckets["30.0"], buckets["60.0"], buckets["90.0"]) == (3, 4, 4, 5)
    assert buckets["21600.0"] == 5
    assert buckets["+Inf"] == found["newswatch_delivery_latency_seconds_count",] == 6
    assert found["newswatch_delivery_latency_seconds_sum",] == pytest.approx(1 + 15 + 15.5 + 61 + 10**6)
    assert list(buckets.values()) == sorted(buckets.values())


def test_runs_add_up_and_errors_are_runs() -> None:
    job = JobPulse("pull")
    for new in (2, 3):
        job = record.ended(job, NOW, record.counts(PullReport(1, new=new)), 1.0, (), Spent(1, 0.5))
    job = record.failed(job, NOW, "away", 4.0, Spent(2, 3.0))
    found = samples(Pulse(NOW, jobs={"pull": job}))
    assert found["newswatch_articles_total", "new"] == 5
    assert found["newswatch_job_runs_total", "pull"] == 3
    assert found["newswatch_job_errors_total", "pull"] == 1
    assert found["newswatch_job_seconds_total", "pull"] == 6
    assert found["newswatch_job_elasticsearch_requests_total", "pull"] == 4
    assert found["newswatch_job_failures", "pull"] == 1


def test_one_run_for_statsd_and_opentelemetry() -> None:
    counts = record.counts(PullReport(1, feeds=9, new=2, failed=5, offline=4))
    assert run_counts("pull", counts) == {
        "newswatch.feed_polls": 9,
        "newswatch.articles.new": 2,
        "newswatch.feed_poll_failures.publisher": 1,
        "newswatch.feed_poll_failures.network": 4,
    }
    assert run_counts("nothing", counts) == {}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus")
def test_promtool_finds_nothing_to_complain_of() -> None:
    text = exposition(Reading(WHOLE, (Condition("network", Severity.CRITICAL, "", ""),)))[0]
    run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (run.returncode, run.stderr.decode()) == (0, "")


def test_the_ends_of_certificates_come_from_the_watchman() -> None:
    ends = NOW + timedelta(days=9)
    down = Condition("mail-server", Severity.CRITICAL, "No mail.", "Look.", NOW)
    pulse = as_pulse(Watched((down,), 60, 15, {"mail.example:465": ends}), NOW, "a")
    assert certificates_of(pulse) == {"mail.example:465": ends}
    assert conditions_of(pulse, NOW) == (down,), "an end is no condition"
    assert certificates_of(None) == {}
