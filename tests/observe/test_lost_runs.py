"""What a lost run adds to a job's pulse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from newswatch.pulse import LATE, JobPulse
from newswatch.settings import Settings
from observe.conditions import conditions
from observe.lost_runs import LostRun, with_late_run, with_lost_run
from observe.pulse import Pulse
from observe.record import begun, ended
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
WELL = JobPulse("match", started_at=NOW - MINUTE, ended_at=NOW - MINUTE, host="a")


def test_a_lost_run_is_a_failure() -> None:
    pulse = with_lost_run(WELL, LostRun("match", "it was killed", began=NOW - MINUTE, host="b"), NOW)
    assert pulse == replace(WELL, failed_at=NOW, failing_since=NOW, why="it was killed", failures=1, host="b")


def test_what_the_job_recorded_itself_is_not_counted_again() -> None:
    failing = replace(WELL, failed_at=NOW, failing_since=NOW, why="its own words", failures=1)
    assert with_lost_run(failing, LostRun("match", "Airflow's words", began=NOW - MINUTE), NOW + MINUTE) == failing


def test_another_failure_counts_and_the_first_moment_stays() -> None:
    failing = replace(WELL, failed_at=NOW, failing_since=NOW, why="once", failures=1)
    pulse = with_lost_run(failing, LostRun("match", "again", began=NOW + MINUTE), NOW + 2 * MINUTE)
    assert (pulse.failing_since, pulse.failed_at, pulse.failures, pulse.why) == (NOW, NOW + 2 * MINUTE, 2, "again")


def test_a_failure_from_before_the_last_good_run_does_not_hide_a_new_one() -> None:
    was_failing = replace(WELL, failed_at=NOW)
    assert with_lost_run(was_failing, LostRun("match", "killed", began=NOW - MINUTE), NOW + MINUTE).failures == 1


def test_a_file_that_stays_unreadable_is_one_failure() -> None:
    unreadable = LostRun("match", "it can't be imported")
    once = with_lost_run(WELL, unreadable, NOW)
    assert with_lost_run(once, unreadable, NOW + MINUTE) == once
    assert with_lost_run(once, LostRun("match", "for another reason"), NOW + MINUTE).failures == 2


def test_every_attempt_counts() -> None:
    lost = LostRun("match", "killed", began=NOW, attempts=3)
    assert with_lost_run(WELL, lost, NOW + MINUTE).failures == 3


def test_a_late_run_has_not_failed_and_a_good_run_ends_it() -> None:
    late = with_late_run(WELL, "it is queued", NOW)
    assert (late.failures, late.failed_at, late.moments[LATE]) == (0, None, NOW)
    assert with_late_run(late, "it is queued still", NOW + MINUTE).moments[LATE] == NOW
    good = ended(late, NOW + MINUTE, {}, 1.0, ())
    assert (LATE in good.moments, LATE in good.reasons) == (False, False)


def shown(job: JobPulse) -> list[str]:
    return [one.id for one in conditions(Pulse(NOW + MINUTE, {job.job: job}), Settings())]


def test_a_lost_run_and_a_late_one_are_conditions() -> None:
    assert shown(WELL) == []
    assert shown(with_late_run(WELL, "it is queued", NOW)) == ["matching"]
    assert shown(with_lost_run(WELL, LostRun("match", "killed", attempts=3), NOW)) == ["matching"]
    lost = LostRun("announce", "killed", attempts=3)
    assert shown(with_lost_run(JobPulse("announce"), lost, NOW)) == ["job:announce"]


def test_a_late_run_that_hangs_is_one_condition() -> None:
    working = begun(replace(WELL, ended_at=NOW - 3 * MINUTE), NOW - 2 * MINUTE, host="a", runner="airflow")
    assert shown(with_late_run(working, "it is running", NOW)) == ["matching"]
