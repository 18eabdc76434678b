"""Rules on matching and the other jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from newswatch import durations
from newswatch.pulse import LATE, JobPulse
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.pulse import Pulse
from observe.rules.polling import START
from observe.rules.rule import job_of, older, reason
from observe.rules.runs import (
    BEAT_LOST,
    FAILED_RUNS,
    FAILED_TRIES,
    broken,
    hung,
    is_of_file,
    quiet,
)

MATCH_QUIET: Final = timedelta(seconds=120)
"""Airflow starts the matching seconds after articles have come; under load within two minutes."""
BATCH_BEHIND: Final = timedelta(minutes=30)
"""20,000 articles are matched in minutes. What waits longer shows that the matching can't keep up."""
BACKUP_MISSED: Final = timedelta(hours=50)
"""A backup is made each night. One missed night may be a restart; two are not."""
CLEAN_QUIET: Final = timedelta(hours=26)
"""`newswatch clean` runs hourly, and must have cleaned the database once a night."""
UNDONE_AFTER: Final[Mapping[str, timedelta]] = {
    "recheck": timedelta(hours=2),
    "bounces": timedelta(hours=4),
    "health": timedelta(hours=50),
    "upkeep": timedelta(hours=50),
    "check": timedelta(days=15),
}
"""Job → how long it may go without a good run: two of its turns, and more for what runs often. Airflow starts the last
turn that it missed as soon as it is up again, so a machine that sleeps at night misses none."""
NOT_MATCHED: Final = "New articles are not matched with the saved searches, so no mail is sent about them"
_LATE: Final = {"match": ("matching", Severity.CRITICAL, NOT_MATCHED)}
"""Job → the condition that its late run belongs to, so that one fault is told as one."""
MADE_UP_WITHIN: Final = timedelta(hours=1)
"""After a start. Airflow starts the last turn that was missed at once; `clean` begins within minutes."""
_DAGS: Final = {
    "recheck": "recheck_mailed",
    "bounces": "read_bounces",
    "health": "feed_health",
    "upkeep": "daily_upkeep",
    "check": "check_feeds",
}
"""Job → its DAG."""
_WITH_RULES: Final = frozenset({"plan", "pull", "match", "deliver", "fast"})
_PURPOSES: Final = {
    "recheck": "Articles that were mailed are not read again, so corrections are missed",
    "health": "The daily mail on broken feeds could not be made or sent",
    "check": "The weekly check of the list of sources could not be made",
    "bounces": "The mailbox of bounces is not read, so addresses that no mail reaches are not paused",
    "upkeep": "Old articles could not be removed",
    "backup": "No backup could be made",
    "retag": "The archive could not be tagged anew",
    "encode": "Stored articles could not be encoded",
    "announce": "Mails that have come due, and batches that were left over, wait for the next hour",
    "clean": "Old rows of Airflow's database or old logs could not be removed",
}


def matching(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    match, waiting = job_of(pulse, "match"), pulse.waiting
    yield from broken(pulse, match, "matching", NOT_MATCHED, FAILED_TRIES)
    yield from hung(pulse, match, "matching", NOT_MATCHED)
    if waiting.batch_since is None:
        return
    signs = (waiting.batch_since, match.alive_at, pulse.watch_began_at)
    last = max(moment for moment in signs if moment)
    if pulse.at - last > quiet(pulse, match, MATCH_QUIET):
        yield Condition(
            "matching", Severity.CRITICAL, f"{NOT_MATCHED}: nothing has asked for it.", START, waiting.batch_since
        )
    elif match.alive_at and match.under_way and pulse.at - waiting.batch_since > BATCH_BEHIND:
        behind = durations.long((pulse.at - waiting.batch_since).total_seconds())
        yield Condition(
            "matching",
            Severity.WARNING,
            f"Mails come late: articles have waited {behind} to be matched with the saved searches.",
            "Give the machine more processors, or have fewer and simpler saved searches.",
            waiting.batch_since,
        )


def other_jobs(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for name, job in sorted(pulse.jobs.items()):
        if name in _WITH_RULES or job.failures < FAILED_RUNS or is_of_file(pulse, job):
            continue
        yield Condition(
            f"job:{name}",
            Severity.WARNING,
            f"{_PURPOSES.get(name, f'The job {name} has failed')}: {reason(job.why)}",
            "It is tried again by itself; if it keeps failing, its log in Airflow says more.",
            job.failing_since,
        )


def undone(pulse: Pulse, settings: Settings) -> Iterator[Condition]:
    """Jobs that Airflow should have run long ago: their DAG is paused, or each run ends before its work is done.

    What counts is the time up to the last poll: while nothing is polled Airflow itself stands still, which is told.
    """
    plan = job_of(pulse, "plan")
    if plan.runner != "airflow" or plan.alive_at is None:
        return
    for name, patience in UNDONE_AFTER.items():
        job = job_of(pulse, name)
        last = job.ended_at or pulse.storage.installed_at
        if last is None or plan.alive_at - last <= patience or _is_excused(pulse, job, settings):
            continue
        ago = durations.long((pulse.at - last).total_seconds())
        yield Condition(
            f"job:{name}",
            Severity.WARNING,
            f"{_PURPOSES[name]}: {'the last good run was' if job.ended_at else 'no run was good since the start,'} "
            f"{ago} ago. {reason(job.why) if job.why else ''}".rstrip(),
            f"Look at the DAG `{_DAGS[name]}` in Airflow: unpause it if it is paused, or start it by hand.",
            last,
        )


def _is_excused(pulse: Pulse, job: JobPulse, settings: Settings) -> bool:
    """Whether the job has nothing to do by the settings, or works at this moment, or may soon: all has just started."""
    idle = {"bounces": not settings.bounce_mailbox, "health": not settings.operator}.get(job.job, False)
    works = job.under_way and not older(job.alive_at, pulse.at, BEAT_LOST)
    return idle or works or _has_just_begun(pulse)


def _has_just_begun(pulse: Pulse) -> bool:
    """Whether the watchman began to look so lately that what was missed before may not have been made up for yet."""
    return pulse.watch_began_at is not None and pulse.at - pulse.watch_began_at <= MADE_UP_WITHIN


def cleaning(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """`clean` runs beside Airflow, so nothing but its silence shows that it is no longer started.

    It is missed only where it ran before: an Airflow that is run by others is cleaned by them.
    """
    plan, clean = job_of(pulse, "plan"), job_of(pulse, "clean")
    if plan.runner != "airflow" or clean.alive_at is None:
        return
    if pulse.at - clean.alive_at > CLEAN_QUIET and not _has_just_begun(pulse):
        ago = durations.long((pulse.at - clean.alive_at).total_seconds())
        yield Condition(
            "job:clean",
            Severity.WARNING,
            f"Airflow's database and the logs grow without end: they were last cleaned {ago} ago.",
            "Start it again: `newswatch up` and docker compose run it hourly; elsewhere run `newswatch clean` from a "
            "crontab.",
            clean.alive_at,
        )


def backups(pulse: Pulse, settings: Settings) -> Iterator[Condition]:
    """Where backups are wanted, none has been made for two nights."""
    job, storage = job_of(pulse, "backup"), pulse.storage
    last = job.ended_at or storage.installed_at
    if settings.backup_location and older(last, pulse.at, BACKUP_MISSED) and not _has_just_begun(pulse):
        ago = f"the last is {durations.long((pulse.at - job.ended_at).total_seconds())} old" if job.ended_at else "none"
        why = f": {reason(job.why)}" if job.why else "."
        yield Condition(
            "backup",
            Severity.WARNING,
            f"There is no fresh backup ({ago}){why}",
            "Look at the DAG nightly_backup in Airflow, or take one by hand: `newswatch backup now`.",
            last,
        )


def late(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """Runs that Airflow has queued or begun and whose job does not work.

    A run that hangs has a condition of its own. One that works has none: the articles of a first poll take long. Nor
    has one that waits for a run before it which has just ended: on a slow machine the runs of a busy hour queue.
    """
    for name, job in sorted(pulse.jobs.items()):
        has_just_worked = job.alive_at is not None and not older(job.alive_at, pulse.at, BEAT_LOST)
        if LATE not in job.moments or job.under_way or has_just_worked:
            continue
        id_, severity, what = _LATE.get(name, (f"job:{name}", Severity.WARNING, "Airflow is behind with its work"))
        yield Condition(
            id_,
            severity,
            f"{what}: {reason(job.reasons.get(LATE, ''))}",
            "Look at the run in Airflow. A queued one waits for a free place (`core.parallelism`) or a worker; "
            "one that runs is given up by itself.",
            job.moments[LATE],
        )
