"""Decides from a reading of the pulse what is wrong: a table of rules. Pure.

The thresholds are such that the operator is told within three minutes of a fault: the watchman looks every 15 s and
tells what it has seen three times, which takes up to 45 s. So a fault must show in the reading within 135 s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from newswatch import durations
from newswatch.feed import FeedHealth
from newswatch.pulse import LATE, JobPulse
from newswatch.settings import Settings
from newswatch.texts import cut_short
from observe.condition import Condition, Severity, worst_first
from observe.keys import ending_keys
from observe.pulse import FileState, Pulse
from search.meant import failures
from search.missing import incomplete
from store.configuration import SETTINGS
from transforms.encoder import why_none

OFFLINE_AFTER: Final = timedelta(seconds=30)
"""After the first poll that found our network down. The next poll comes within a minute, so that an interruption of
less than that is over before the watchman has seen it three times."""
UNANSWERED_AFTER: Final = timedelta(seconds=60)
"""After the start of the first poll in which nobody answered. It is more than one slow host takes to time out
(`fetch_total_timeout_s`), after which other hosts are asked."""
POLL_QUIET: Final = timedelta(seconds=120)
"""Airflow plans a poll every minute. A run that comes late under load comes within two."""
MATCH_QUIET: Final = timedelta(seconds=120)
"""Airflow starts the matching seconds after articles have come; under load within two minutes."""
BY_HAND_QUIET: Final = timedelta(hours=2)
"""The same for jobs that commands run: a crontab runs them once an hour at least."""
BEAT_LOST: Final = timedelta(seconds=60)
"""A working run gives a sign of life every 15 s (`observe.record.BEAT_S`). Four missed ones are no coincidence."""
BATCH_BEHIND: Final = timedelta(minutes=30)
"""20,000 articles are matched in minutes. What waits longer shows that the matching can't keep up."""
BROKEN_AFTER: Final = timedelta(seconds=100)
"""After the connection to the mail server first broke with a recipient. The next try comes after a minute."""
MAIL_QUIET: Final = timedelta(minutes=3)
"""Airflow starts the sending when mails are owed, and again with the next poll, a minute later."""
MAILS_LATE: Final = timedelta(minutes=30)
"""A run sends for ten minutes (`mail_run_s`), and waits for the claims of a dead worker for five."""
REFUSED_LATE: Final = timedelta(hours=1)
"""A server that greylists unknown senders accepts them within the hour."""
FAILED_TRIES: Final = 2
"""Errors in a row of a job that runs all the time. A single one is repaired by Airflow's next try after 10 s."""
FAILED_RUNS: Final = 3
"""Errors in a row of any other job: Airflow has tried three times and does so no more before the next run."""
BACKUP_MISSED: Final = timedelta(hours=50)
"""A backup is made each night. One missed night may be a restart; two are not."""
CLEAN_QUIET: Final = timedelta(hours=26)
"""`newswatch clean` runs hourly, and must have cleaned the database once a night."""
FAILING_SHARE: Final = 0.5
"""Share of the enabled feeds that fail. Of a long list some always do, and the daily mail on feeds says which."""
SEARCH_FAILED_AFTER: Final = timedelta(seconds=45)
"""After the first failure of a saved search. A time-out under load is over with the next batch, a minute later."""
NEVER_POLLED: Final = timedelta(minutes=15)
"""After the installation. `newswatch up` polls in its first minute; by hand it takes longer."""
WATCHMAN_RETIRED: Final = timedelta(days=7)
"""An installation whose watchman has been gone for so long works without one on purpose."""
REASON_CHARS: Final = 400
"""Maximum number of characters of a reason in a sentence."""

Rule = Callable[[Pulse, Settings], Iterator[Condition]]


def conditions(pulse: Pulse, settings: Settings) -> tuple[Condition, ...]:
    """What is wrong at `pulse.at`, the worst first; empty if all is well.

    If Elasticsearch does not answer, that is the only condition, because nothing else is known. If it takes no notes of
    the jobs, because its disk is full, what they noted before says nothing about now; what the watchman found by itself
    stands as long as its last look is fresh.
    """
    if pulse.storage.away:
        return (_away(pulse),)
    rules = RULES if pulse.storage.takes_notes else RULES_WITHOUT_NOTES
    found = [condition for rule in rules for condition in rule(pulse, settings)]
    known: dict[str, Condition] = {}
    for condition in found:
        known.setdefault(condition.id, condition)
    return worst_first(tuple(known.values()))


# ── Elasticsearch ────────────────────────────────────────────────────────────────────────────────────────────────────


def _away(pulse: Pulse) -> Condition:
    return Condition(
        "elasticsearch",
        Severity.CRITICAL,
        f"The database does not answer, so no news can be stored, found or mailed: {_reason(pulse.storage.away)}",
        "Start Elasticsearch again (`newswatch up`, or your cluster); its log says why it stopped.",
    )


def _storage(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    if pulse.storage.status == "red":
        yield Condition(
            "elasticsearch",
            Severity.CRITICAL,
            "A part of the database can't be used (its state is red), so articles are missing from searches and mails.",
            "Start the nodes of Elasticsearch that are missing, or restore the lost indices from a snapshot.",
        )
    for part, why in pulse.unread.items():
        yield Condition(
            "elasticsearch",
            Severity.WARNING,
            f"Whether all is well can't be told in full: the database does not show the {part}: {_reason(why)}",
            "Look at the indices in Elasticsearch; `newswatch check --json` shows what can't be read.",
        )


def _disk(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    storage = pulse.storage
    free = "" if storage.disk_free is None else f", {storage.disk_free:.0%} of it is free"
    if storage.read_only:
        count = len(storage.read_only)
        yield Condition(
            "disk",
            Severity.CRITICAL,
            f"The database refuses to store anything in {count} of its indices ({storage.read_only[0]}"
            f"{', …' * (count > 1)}), because its disk is full{free}.",
            "Free disk space; Elasticsearch then accepts writes again by itself, and nothing is lost.",
        )
    elif storage.disk in ("yellow", "red"):
        severity = Severity.CRITICAL if storage.disk == "red" else Severity.WARNING
        yield Condition(
            "disk",
            severity,
            f"The disk of the database is nearly full{free}. {_reason(storage.disk_why)}".rstrip(),
            "Free disk space, or give Elasticsearch a larger disk, before it refuses to store new articles.",
        )


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _network(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    reach = pulse.reach
    offline = _older(reach.offline_since, pulse.at, OFFLINE_AFTER)
    unanswered = _older(reach.unanswered_since, pulse.at, UNANSWERED_AFTER)
    begun = [moment for moment in (reach.offline_since, reach.unanswered_since) if moment]
    if not reach.enabled or not (offline or unanswered):
        return
    feeds = "The only feed can't be reached" if reach.enabled == 1 else f"None of {reach.enabled} feeds can be reached"
    missing = "so no news comes in"
    if reach.offline_since and reach.reached_at and reach.reached_at > reach.offline_since:
        # A dead proxy keeps back the feeds that need it, while those without it answer.
        feeds, missing = f"Not all of {reach.enabled} feeds can be reached", "so their news is missing"
    yield Condition(
        "network",
        Severity.CRITICAL,
        f"{feeds}, {missing}{f': {_reason(reach.why)}' if reach.why else '.'}",
        "Check this machine's connection to the internet, its DNS, proxy and firewall. What is missed is read later, "
        "as far as the feeds still contain it.",
        min(begun),
    )


def _feeds(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    reach = pulse.reach
    failing = reach.states.get(FeedHealth.FAILING, 0) + reach.states.get(FeedHealth.GONE, 0)
    if reach.enabled and failing >= FAILING_SHARE * reach.enabled:
        yield Condition(
            "feeds-failing",
            Severity.WARNING,
            f"{failing} of {reach.enabled} feeds can't be read, so their news is missing.",
            "`newswatch feeds list --health failing` says why each fails.",
            reach.failing_since,
        )


def _list(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """What the weekly check found: sources that bring nothing, and for which something better is there."""
    check = _job(pulse, "check")
    if since := check.moments.get("replaceable"):
        yield Condition(
            "feeds-replaceable",
            Severity.WARNING,
            f"Sources of the list bring nothing and could be replaced: {_reason(check.reasons.get('replaceable', ''))}",
            "`newswatch feeds check` shows them, with the command for each. It is over with the next run of the DAG "
            "`check_feeds`, which may be started by hand.",
            since,
        )


# ── jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _polling(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    plan, pull = _job(pulse, "plan"), _job(pulse, "pull")
    what = "No feed is polled, so no news comes in"
    yield from _broken(pulse, plan, "polling", what, FAILED_TRIES)
    yield from _hung(pulse, plan, "polling", what)
    if plan.alive_at is None:
        yield from _never(pulse)
        return
    signs = (plan.alive_at, pull.alive_at, pulse.watch_began_at)
    last = max(moment for moment in signs if moment)
    if pulse.at - last > _quiet(pulse, plan, POLL_QUIET):
        yield Condition("polling", Severity.CRITICAL, f"{what}: nothing has asked for it.", _START, plan.alive_at)
    yield from _broken(pulse, pull, "polling", "Feeds are polled, but their news can't be stored", FAILED_RUNS)
    yield from _hung(pulse, pull, "polling", "A poll of feeds has stopped, and its feeds wait", Severity.WARNING)


_START = (
    "Start the scheduler: `newswatch up`, or the DAG in Airflow if it is paused; without Airflow run `newswatch poll` "
    "and `newswatch match` from a crontab."
)


def _never(pulse: Pulse) -> Iterator[Condition]:
    installed = pulse.storage.installed_at
    if installed and pulse.at - installed > NEVER_POLLED:
        yield Condition("polling", Severity.WARNING, "No feed has ever been polled.", _START, installed)


NOT_MATCHED: Final = "New articles are not matched with the saved searches, so no mail is sent about them"


def _matching(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    match, waiting = _job(pulse, "match"), pulse.waiting
    yield from _broken(pulse, match, "matching", NOT_MATCHED, FAILED_TRIES)
    yield from _hung(pulse, match, "matching", NOT_MATCHED)
    if waiting.batch_since is None:
        return
    signs = (waiting.batch_since, match.alive_at, pulse.watch_began_at)
    last = max(moment for moment in signs if moment)
    if pulse.at - last > _quiet(pulse, match, MATCH_QUIET):
        yield Condition(
            "matching", Severity.CRITICAL, f"{NOT_MATCHED}: nothing has asked for it.", _START, waiting.batch_since
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


def _fast_lane(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """The fast lane is one long run. The minute's poll has its feeds once it gives no sign of life."""
    lane = _job(pulse, "fast")
    what = "Fast feeds are polled only once a minute"
    yield from _broken(pulse, lane, "fast-lane", what, FAILED_RUNS, Severity.WARNING)
    if lane.under_way and _older(lane.alive_at, pulse.at, BEAT_LOST):
        on = f" on {lane.host}" if lane.host else ""
        step = "Start it again: `newswatch up` and docker compose run it; elsewhere run `newswatch fast`."
        sentence = f"{what}: the fast lane gives no sign of life{on}."
        yield Condition("fast-lane", Severity.WARNING, sentence, step, lane.alive_at)


def _other_jobs(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for name, job in sorted(pulse.jobs.items()):
        if name in _WITH_RULES or job.failures < FAILED_RUNS or _is_of_file(pulse, job):
            continue
        yield Condition(
            f"job:{name}",
            Severity.WARNING,
            f"{_PURPOSES.get(name, f'The job {name} has failed')}: {_reason(job.why)}",
            "It is tried again by itself; if it keeps failing, its log in Airflow says more.",
            job.failing_since,
        )


def _cleaning(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """`clean` runs beside Airflow, so nothing but its silence shows that it is no longer started.

    It is missed only where it ran before: an Airflow that is run by others is cleaned by them.
    """
    plan, clean = _job(pulse, "plan"), _job(pulse, "clean")
    if plan.runner != "airflow" or clean.alive_at is None:
        return
    last = max(moment for moment in (clean.alive_at, pulse.watch_began_at) if moment)
    if pulse.at - last > CLEAN_QUIET:
        ago = durations.long((pulse.at - clean.alive_at).total_seconds())
        yield Condition(
            "job:clean",
            Severity.WARNING,
            f"Airflow's database and the logs grow without end: they were last cleaned {ago} ago.",
            "Start it again: `newswatch up` and docker compose run it hourly; elsewhere run `newswatch clean` from a "
            "crontab.",
            clean.alive_at,
        )


def _backups(pulse: Pulse, settings: Settings) -> Iterator[Condition]:
    """Where backups are wanted, none has been made for two nights."""
    job, storage = _job(pulse, "backup"), pulse.storage
    signs = (job.ended_at, storage.installed_at, pulse.watch_began_at)
    last = max((moment for moment in signs if moment), default=None)
    if settings.backup_location and _older(last, pulse.at, BACKUP_MISSED):
        ago = f"the last is {durations.long((pulse.at - job.ended_at).total_seconds())} old" if job.ended_at else "none"
        why = f": {_reason(job.why)}" if job.why else "."
        yield Condition(
            "backup",
            Severity.WARNING,
            f"There is no fresh backup ({ago}){why}",
            "Look at the DAG nightly_backup in Airflow, or take one by hand: `newswatch backup now`.",
            job.ended_at or last,
        )


def _late(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """Runs that Airflow has queued or begun and whose job does not work.

    A run that hangs has a condition of its own. One that works has none: the articles of a first poll take long. Nor
    has one that waits for a run before it which has just ended: on a slow machine the runs of a busy hour queue.
    """
    for name, job in sorted(pulse.jobs.items()):
        has_just_worked = job.alive_at is not None and not _older(job.alive_at, pulse.at, BEAT_LOST)
        if LATE not in job.moments or job.under_way or has_just_worked:
            continue
        id_, severity, what = _LATE.get(name, (f"job:{name}", Severity.WARNING, "Airflow is behind with its work"))
        yield Condition(
            id_,
            severity,
            f"{what}: {_reason(job.reasons.get(LATE, ''))}",
            "Look at the run in Airflow. A queued one waits for a free place (`core.parallelism`) or a worker; "
            "one that runs is given up by itself.",
            job.moments[LATE],
        )


_LATE: Final = {"match": ("matching", Severity.CRITICAL, NOT_MATCHED)}
"""Job → the condition that its late run belongs to, so that one fault is told as one."""
_WITH_RULES: Final = frozenset({"plan", "pull", "match", "deliver", "fast"})
_PURPOSES: Final = {
    "recheck": "Articles that were mailed are not read again, so corrections are missed",
    "health": "The daily mail on broken feeds could not be made or sent",
    "check": "The weekly check of the list of sources could not be made",
    "upkeep": "Old articles could not be removed",
    "backup": "No backup could be made",
    "retag": "The archive could not be tagged anew",
    "encode": "Stored articles could not be encoded",
    "announce": "Mails that have come due, and batches that were left over, wait for the next hour",
    "clean": "Old rows of Airflow's database or old logs could not be removed",
}


def _broken(
    pulse: Pulse, job: JobPulse, id_: str, what: str, tries: int, severity: Severity = Severity.CRITICAL
) -> Iterator[Condition]:
    """The condition of a job whose last runs ended in errors. A wrong file is a condition of its own."""
    if job.failures >= tries and not _is_of_file(pulse, job):
        steps = "It is tried again by itself. Do what the reason says; the job's log has more."
        yield Condition(id_, severity, f"{what}: {_reason(job.why)}", steps, job.failing_since)


def _hung(
    pulse: Pulse, job: JobPulse, id_: str, what: str, severity: Severity = Severity.CRITICAL
) -> Iterator[Condition]:
    """The condition of a job that began and gives no sign of life: it was stopped, or its machine is gone."""
    if job.under_way and _older(job.alive_at, pulse.at, BEAT_LOST):
        on = f" on {job.host}" if job.host else ""
        step = f"End the job `{job.job}`{on} (in Airflow: clear its task); it is then run again, and nothing is lost."
        yield Condition(id_, severity, f"{what}: the job that does it gives no sign of life{on}.", step, job.alive_at)


def _is_of_file(pulse: Pulse, job: JobPulse) -> bool:
    return any(_is_at_fault(file, job) for file in pulse.files)


def _quiet(pulse: Pulse, job: JobPulse, in_airflow: timedelta) -> timedelta:
    """How long the job may wait to be started. Airflow starts all jobs, or none: a run by hand changes nothing."""
    plan = _job(pulse, "plan")
    return in_airflow if (plan if plan.alive_at else job).runner == "airflow" else BY_HAND_QUIET


# ── mails ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mail_server(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    mail = pulse.mail
    begun = [moment for moment in (mail.down_since, mail.broken_since) if moment]
    if mail.down_since or _older(mail.broken_since, pulse.at, BROKEN_AFTER):
        yield Condition(
            "mail-server",
            Severity.CRITICAL,
            f"No mail can be sent: {_reason(mail.why)}",
            "Check the mail server and the settings NEWSWATCH_SMTP_…; the mails are kept until it accepts them.",
            min(begun),
        )


def _mails(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    deliver, waiting = _job(pulse, "deliver"), pulse.waiting
    what = "Mails that are due are not sent"
    yield from _broken(pulse, deliver, "mails-waiting", what, FAILED_TRIES)
    yield from _hung(pulse, deliver, "mails-waiting", what)
    if waiting.mail_since and not pulse.mail.down_since and _is_late(pulse, deliver, waiting.mail_since):
        yield Condition(
            "mails-waiting",
            Severity.CRITICAL,
            f"{what}: {waiting.mails} {'notice waits' if waiting.mails == 1 else 'notices wait'}.",
            "Look at the DAG `deliver_mails` in Airflow, or run `newswatch deliver`.",
            waiting.mail_since,
        )
    if waiting.refused and not pulse.mail.down_since and _older(waiting.refused_since, pulse.at, REFUSED_LATE):
        who = "A recipient gets" if waiting.refused == 1 else f"{waiting.refused} recipients get"
        yield Condition(
            "mails-waiting",
            Severity.WARNING,
            f"{who} no mail, as the mail server refuses it for now: {_reason(waiting.refused_why)}",
            "Correct the recipient's address, or ask the mail server's operator. It is tried again by itself.",
            waiting.refused_since,
        )


def _is_late(pulse: Pulse, deliver: JobPulse, due: datetime) -> bool:
    """Whether nothing has tried to send since mails came due, or nothing was sent although it was tried."""
    started = max(moment for moment in (due, deliver.alive_at, pulse.watch_began_at) if moment)
    served = max(moment for moment in (due, pulse.mail.accepted_at, pulse.watch_began_at) if moment)
    quiet = _quiet(pulse, deliver, MAIL_QUIET)
    return pulse.at - started > quiet or pulse.at - served > max(quiet, MAILS_LATE)


# ── configuration, saved searches ────────────────────────────────────────────────────────────────────────────────────


def _configuration(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for file in pulse.files:
        if file.wrong_since is not None:
            yield Condition(
                f"configuration:{file.name}",
                Severity.CRITICAL if any(_is_at_fault(file, job) for job in pulse.jobs.values()) else Severity.WARNING,
                *_told_of(file),
                file.wrong_since,
            )


def _told_of(file: FileState) -> tuple[str, str]:
    """What is wrong with a file, or with the settings, and the next step."""
    if file.name == SETTINGS:
        step = "Correct the variable where the process is started, and restart it; `newswatch config check` names all."
        return f"The settings of a process are wrong: {_reason(file.why)}", step
    return (
        f"{file.name} is wrong, so its changes are not in force: {_reason(file.why)}",
        f"Correct {file.name}; it is read again by itself. `newswatch config check` names every fault.",
    )


def _is_at_fault(file: FileState, job: JobPulse) -> bool:
    """Whether the job has failed because of the file, or of a setting: it names it (`newswatch.errors.ConfigError`)."""
    if not (file.wrong_since and job.failures):
        return False
    named = _VARIABLE.findall(file.why) if file.name == SETTINGS else [file.name]
    return any(f"{name}:" in job.why for name in named)


_VARIABLE: Final = re.compile(r"\bNEWSWATCH_[A-Z_]+")


def _signing(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """Whoever sends the mails and whoever opens their links must have the same key."""
    deliver = _job(pulse, "deliver")
    signed = deliver.reasons.get("signed", "")
    if signed and pulse.key_mark and signed != pulse.key_mark:
        on = f" on {deliver.host}" if deliver.host else ""
        yield Condition(
            "signing-key",
            Severity.WARNING,
            f"The links in mails are refused here: they are signed{on} by another key than this machine's.",
            "Set NEWSWATCH_SECRET_KEY to the same on every machine; the key that was used before, as "
            "NEWSWATCH_SECRET_KEY_BEFORE, so that the links in old mails work.",
            deliver.moments.get("signed"),
        )


def _searches(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for search in pulse.failing_searches:
        if _older(search.since, pulse.at, SEARCH_FAILED_AFTER):
            yield Condition(
                f"search:{search.id}",
                Severity.WARNING,
                f'The saved search "{search.name}" can\'t be run, so nothing is mailed for it: {_reason(search.why)}',
                "Correct its query on the News page; it is then run on what came in during the last day.",
                search.since,
            )


def _watchman(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    until = pulse.watched_until
    if until and until < pulse.at < until + WATCHMAN_RETIRED:
        yield Condition(
            "watchman",
            Severity.WARNING,
            "Nobody is told when something breaks: the watchman gives no sign of life.",
            "Start it again: `newswatch up`, or `newswatch watch` where it runs by itself.",
            pulse.watched_at,
        )


def _watched(pulse: Pulse, settings: Settings) -> Iterator[Condition]:  # noqa: ARG001
    """What the jobs can't see: Airflow, certificates, and what has changed since their last run."""
    yield from pulse.watched


def _vectors(_: Pulse, settings: Settings) -> Iterator[Condition]:
    """An absent encoder only where vectors were asked for by name: all works without, so the default promises nothing.
    Searches that failed are those of the process that asks.
    """
    if "vectors" in settings.model_fields_set and settings.vectors and (reason := why_none(tried=True)):
        yield Condition(
            "vectors",
            Severity.WARNING,
            f"NEWSWATCH_VECTORS is true, but stories can't be joined across languages: {_reason(reason)}",
            "Install the encoder on every machine that runs tasks, or set NEWSWATCH_VECTORS to false.",
        )
    failed = failures()
    if settings.vectors and failed.are_many:
        yield Condition(
            "vectors",
            Severity.WARNING,
            f"{failed.count} searches since this server began went by words only, the last as {_reason(failed.reason)}",
            "They find what they did, in the order of the words. The server's log has each.",
        )


def _incomplete(_: Pulse, settings: Settings) -> Iterator[Condition]:  # noqa: ARG001
    """Of the process that asks, as for searches by meaning."""
    failed = incomplete()
    if failed.are_many:
        yield Condition(
            "elasticsearch",
            Severity.WARNING,
            f"{failed.count} searches since this server began lacked a part of the index: {_reason(failed.reason)}",
            "Look at GET _cluster/allocation/explain, and into the server's log, which names the slices.",
        )


RULES_WITHOUT_NOTES: Final[tuple[Rule, ...]] = (_storage, _disk, _watched)
"""Those that need no recent note of a job."""
RULES: Final[tuple[Rule, ...]] = (
    _storage,
    _disk,
    _network,
    _configuration,
    _late,
    _polling,
    _fast_lane,
    _matching,
    _mail_server,
    _mails,
    _signing,
    _searches,
    _feeds,
    _list,
    _other_jobs,
    _cleaning,
    _backups,
    _vectors,
    _incomplete,
    ending_keys,
    _watchman,
    _watched,
)
"""Each yields the conditions of its subject. Of several with one id the first counts."""


def _job(pulse: Pulse, name: str) -> JobPulse:
    return pulse.jobs.get(name) or JobPulse(name)


def _older(moment: datetime | None, now: datetime, than: timedelta) -> bool:
    return moment is not None and now - moment >= than


def _reason(why: str) -> str:
    """A reason as the end of a sentence, on one line."""
    text = cut_short(" ".join(why.split()), REASON_CHARS)
    return text if text.endswith((".", "…", "!", "?")) else f"{text}." if text else "the reason is unknown."
