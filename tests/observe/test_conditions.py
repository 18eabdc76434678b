"""Each rule: what it finds wrong, from when on, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newswatch.feed import FeedHealth
from newswatch.pulse import LATE, JobPulse
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.conditions import conditions
from observe.health import KINDS
from observe.pulse import EndingKey, FailingSearch, FileState, MailState, Pulse, Reach, Storage, Waiting
from observe.rules import rule
from observe.rules.installation import SEARCH_FAILED_AFTER, WATCHMAN_RETIRED
from observe.rules.jobs import (
    BACKUP_MISSED,
    BATCH_BEHIND,
    CLEAN_QUIET,
    MADE_UP_WITHIN,
    MATCH_QUIET,
    UNDONE_AFTER,
)
from observe.rules.mails import BROKEN_AFTER, MAIL_QUIET, MAILS_LATE, REFUSED_LATE
from observe.rules.polling import NEVER_POLLED, OFFLINE_AFTER, POLL_QUIET, UNANSWERED_AFTER
from observe.rules.runs import BEAT_LOST, BY_HAND_QUIET
from search.failures import MANY, RECENT_S, Failures, Tally
from tests.factories import NOW

SETTINGS = Settings()
SECOND = timedelta(seconds=1)
TOLD_WITHIN = timedelta(minutes=3)
WATCHMAN_TAKES = timedelta(seconds=45)
"""Three looks, 15 s apart, the first of them up to 15 s late."""


def before(**delta: float) -> Any:
    return NOW - timedelta(**delta)


def a_job(name: str, **changes: Any) -> JobPulse:
    """A job that Airflow ran well a few seconds ago."""
    ran = JobPulse(
        name,
        started_at=before(seconds=20),
        beat_at=before(seconds=10),
        ended_at=before(seconds=10),
        host="worker-1",
        runner="airflow",
    )
    return replace(ran, **changes)


def a_pulse(*changed: JobPulse, **changes: Any) -> Pulse:
    """A pipeline at work, in which all is well."""
    at_work = ("plan", "pull", "match", "deliver", *UNDONE_AFTER)
    jobs = {name: a_job(name) for name in at_work} | {job.job: job for job in changed}
    well = Pulse(
        NOW,
        jobs=jobs,
        reach=Reach(enabled=309, states={"ok": 290, "failing": 19}, due=4, reached_at=before(seconds=10)),
        newest_article_at=before(minutes=1),
        storage=Storage(status="green", disk="green", disk_free=0.4, installed_at=before(days=30)),
    )
    return replace(well, **changes)


def found(pulse: Pulse) -> dict[str, Condition]:
    return {condition.id: condition for condition in conditions(pulse, SETTINGS)}


def severities(pulse: Pulse) -> Mapping[str, str]:
    return {condition.id: str(condition.severity) for condition in conditions(pulse, SETTINGS)}


# ── what is no fault ─────────────────────────────────────────────────────────────────────────────────────────────────

LONG_POLL = {
    name: a_job(name, started_at=before(minutes=14), ended_at=before(minutes=30), beat_at=before(seconds=12))
    for name in ("pull", "match")
}
"""The first poll of 300 feeds: four runs are under way, so that Airflow starts no more plans."""
IDLE = ("started_at", "beat_at", "ended_at")
NIGHT = {"started_at": before(hours=9), "beat_at": before(hours=9), "ended_at": before(hours=9)}
WELL = {
    "at work": a_pulse(),
    "just installed": Pulse(NOW, storage=Storage("", "green", installed_at=before(minutes=1))),
    "nothing installed": Pulse(NOW),
    "the first poll": a_pulse(
        a_job("plan", started_at=before(minutes=13), beat_at=before(minutes=13), ended_at=before(minutes=13)),
        LONG_POLL["pull"],
        LONG_POLL["match"],
        waiting=Waiting(batches=3, batch_since=before(minutes=9)),
    ),
    "quiet at night": a_pulse(
        a_job("match", started_at=before(hours=9), beat_at=before(hours=9), ended_at=before(hours=9))
    ),
    "a late plan": a_pulse(
        *(
            a_job(name, started_at=NOW - POLL_QUIET, beat_at=NOW - POLL_QUIET, ended_at=NOW - POLL_QUIET)
            for name in ("plan", "pull")
        )
    ),
    "one error": a_pulse(a_job("plan", failures=1, failing_since=before(seconds=9), why="Elasticsearch is busy")),
    "two errors of a daily job": a_pulse(a_job("health", failures=2, failing_since=before(seconds=9), why="no answer")),
    "a short interruption": a_pulse(reach=Reach(309, offline_since=NOW - OFFLINE_AFTER + SECOND)),
    "a slow host alone": a_pulse(reach=Reach(309, unanswered_since=NOW - UNANSWERED_AFTER + SECOND)),
    "no feeds": a_pulse(reach=Reach(0, offline_since=before(days=3))),
    "a batch has just come": a_pulse(waiting=Waiting(batches=1, batch_since=NOW - MATCH_QUIET)),
    "a mail has come due": a_pulse(a_job("deliver", **NIGHT), waiting=Waiting(mails=3, mail_since=NOW - MAIL_QUIET)),
    "a mail that is tried": a_pulse(waiting=Waiting(mails=3, mail_since=NOW - MAILS_LATE)),
    "very many mails": a_pulse(
        waiting=Waiting(mails=9_000, mail_since=before(hours=1)), mail=MailState(accepted_at=before(seconds=20))
    ),
    "a connection that broke once": a_pulse(mail=MailState(broken_since=NOW - BROKEN_AFTER + SECOND)),
    "a greylisted recipient": a_pulse(waiting=Waiting(mails=1, refused=1, refused_since=before(minutes=50))),
    "a search that failed once": a_pulse(
        failing_searches=(FailingSearch("ice", "Ice", NOW - SEARCH_FAILED_AFTER + SECOND, "time-out"),)
    ),
    "files in force": a_pulse(files=(FileState("feeds.yaml"), FileState("alerts.yaml"))),
    "a cluster with a node less": a_pulse(storage=Storage(status="yellow", disk="green")),
    "disks that are not told": a_pulse(storage=Storage()),
    "polled from a crontab": a_pulse(
        *(
            a_job(
                name, runner="", started_at=before(minutes=59), beat_at=before(minutes=59), ended_at=before(minutes=59)
            )
            for name in ("plan", "pull", "match", "deliver")
        ),
        waiting=Waiting(batches=4, batch_since=before(minutes=59), mails=1, mail_since=before(minutes=59)),
    ),
    "started after a night": a_pulse(
        *(
            a_job(name, started_at=before(hours=9), beat_at=before(hours=9), ended_at=before(hours=9))
            for name in ("plan", "pull", "match", "deliver")
        ),
        waiting=Waiting(batches=1, batch_since=before(hours=9), mails=1, mail_since=before(hours=9)),
        watch_began_at=before(seconds=90),
        watched_at=before(seconds=5),
        watched_until=NOW + timedelta(seconds=115),
    ),
    "a watchman that looks": a_pulse(watched_until=NOW),
    "a late match that works": a_pulse(
        a_job("match", started_at=before(minutes=9), ended_at=before(minutes=10), moments={LATE: before(minutes=7)})
    ),
    "a late match behind one that has just ended": a_pulse(
        a_job("match", **dict.fromkeys(IDLE, NOW - BEAT_LOST + SECOND), moments={LATE: before(seconds=9)})
    ),
    "no watchman any more": a_pulse(watched_until=NOW - WATCHMAN_RETIRED),
    "a cleaning of last night": a_pulse(a_job("clean", runner="", **dict.fromkeys(IDLE, NOW - CLEAN_QUIET))),
    "an Airflow that others clean": a_pulse(JobPulse("clean")),
    "a cleaning by hand, without Airflow": a_pulse(
        a_job("plan", runner=""), a_job("clean", runner="", **dict.fromkeys(IDLE, before(days=9)))
    ),
    "an upkeep of the last two nights": a_pulse(a_job("upkeep", **dict.fromkeys(IDLE, NOW - UNDONE_AFTER["upkeep"]))),
    "an upkeep that works for long": a_pulse(a_job("upkeep", started_at=before(hours=3), ended_at=before(days=9))),
    "an upkeep before a machine was switched off for long": a_pulse(
        *(a_job(name, **dict.fromkeys(IDLE, before(days=9))) for name in ("plan", "pull", "upkeep")),
        watch_began_at=before(seconds=90),
    ),
    "an upkeep that is about to be made up for": a_pulse(
        a_job("upkeep", **dict.fromkeys(IDLE, before(days=9))), watch_began_at=NOW - MADE_UP_WITHIN
    ),
    "an upkeep by hand, without Airflow": a_pulse(
        a_job("plan", runner=""), a_job("upkeep", runner="", **dict.fromkeys(IDLE, before(days=9)))
    ),
    "nobody to tell of the feeds, and no mailbox of bounces": a_pulse(
        *(a_job(name, **dict.fromkeys(IDLE, before(days=9))) for name in ("health", "bounces"))
    ),
    "a cleaning after a holiday": a_pulse(
        a_job("clean", runner="", **dict.fromkeys(IDLE, before(days=9))), watch_began_at=before(minutes=5)
    ),
}


@pytest.mark.parametrize("what", list(WELL))
def test_ordinary_work_raises_nothing(what: str) -> None:
    assert severities(WELL[what]) == {}


# ── what is ──────────────────────────────────────────────────────────────────────────────────────────────────────────

STOPPED = {"ended_at": before(minutes=9), "started_at": before(minutes=5), "beat_at": NOW - BEAT_LOST}
GONE = {
    "started_at": NOW - POLL_QUIET - SECOND,
    "beat_at": NOW - POLL_QUIET - SECOND,
    "ended_at": NOW - POLL_QUIET - SECOND,
}
FAULTS: dict[str, tuple[Pulse, dict[str, str]]] = {
    "Elasticsearch is away": (a_pulse(storage=Storage(away="refused")), {"elasticsearch": "critical"}),
    "a lost shard": (a_pulse(storage=Storage(status="red")), {"elasticsearch": "critical"}),
    "an unreadable part": (a_pulse(unread={"feeds": "closed"}), {"elasticsearch": "warning"}),
    "a full disk": (a_pulse(storage=Storage(read_only=("articles-2026.03", "feeds"))), {"disk": "critical"}),
    "a full disk, nothing noted": (
        a_pulse(a_job("plan", **GONE), a_job("pull", **GONE), storage=Storage(read_only=("feeds",), takes_notes=False)),
        {"disk": "critical"},
    ),
    "a full disk, and what the watchman found by itself": (
        a_pulse(
            a_job("plan", **GONE),
            storage=Storage(read_only=("feeds",), takes_notes=False),
            watched=(
                Condition("certificate:a.example", Severity.WARNING, "It expires.", "Renew it."),
                Condition("disk", Severity.WARNING, "The disk has 0.9 GB left.", "Free some."),
            ),
        ),
        {"disk": "critical", "certificate:a.example": "warning"},
    ),
    "a disk past the flood stage": (a_pulse(storage=Storage(disk="red")), {"disk": "critical"}),
    "a disk nearly full": (a_pulse(storage=Storage(disk="yellow")), {"disk": "warning"}),
    "no network": (a_pulse(reach=Reach(309, offline_since=NOW - OFFLINE_AFTER)), {"network": "critical"}),
    "nobody answers": (a_pulse(reach=Reach(309, unanswered_since=NOW - UNANSWERED_AFTER)), {"network": "critical"}),
    "half of the feeds": (
        a_pulse(reach=Reach(10, {FeedHealth.FAILING: 3, FeedHealth.GONE: 2})),
        {"feeds-failing": "warning"},
    ),
    "sources to replace": (
        a_pulse(
            a_job("check", moments={"replaceable": before(days=1)}, reasons={"replaceable": "A by https://a.example/"})
        ),
        {"feeds-replaceable": "warning"},
    ),
    "the scheduler": (a_pulse(a_job("plan", **GONE), a_job("pull", **GONE)), {"polling": "critical"}),
    "a stopped plan": (a_pulse(a_job("plan", **STOPPED)), {"polling": "critical"}),
    "a stopped pull": (a_pulse(a_job("pull", **STOPPED)), {"polling": "warning"}),
    "a failing plan": (a_pulse(a_job("plan", failures=2, why="a closed index")), {"polling": "critical"}),
    "failing pulls": (a_pulse(a_job("pull", failures=3, why="a closed index")), {"polling": "critical"}),
    "never polled": (
        Pulse(NOW, storage=Storage(installed_at=NOW - NEVER_POLLED - SECOND)),
        {"polling": "warning"},
    ),
    "a forgotten crontab": (
        a_pulse(*(a_job(n, runner="", **dict.fromkeys(GONE, NOW - BY_HAND_QUIET - SECOND)) for n in ("plan", "pull"))),
        {"polling": "critical"},
    ),
    "a stopped match": (a_pulse(a_job("match", **STOPPED)), {"matching": "critical"}),
    "a match that nobody starts": (
        a_pulse(a_job("match", **GONE), waiting=Waiting(batches=2, batch_since=NOW - MATCH_QUIET - SECOND)),
        {"matching": "critical"},
    ),
    "a match that never ran": (
        a_pulse(JobPulse("match"), waiting=Waiting(batches=2, batch_since=NOW - MATCH_QUIET - SECOND)),
        {"matching": "critical"},
    ),
    "a match too slow": (
        a_pulse(
            a_job("match", started_at=before(minutes=40), ended_at=before(minutes=41)),
            waiting=Waiting(batches=2, batch_since=NOW - BATCH_BEHIND - SECOND),
        ),
        {"matching": "warning"},
    ),
    "a late match": (
        a_pulse(a_job("match", **dict.fromkeys(IDLE, NOW - BEAT_LOST), moments={LATE: before(seconds=9)})),
        {"matching": "critical"},
    ),
    "a late match, and articles that wait": (
        a_pulse(
            a_job("match", **GONE, moments={LATE: before(minutes=1)}),
            waiting=Waiting(batches=2, batch_since=NOW - MATCH_QUIET - SECOND),
        ),
        {"matching": "critical"},
    ),
    "a late recheck": (
        a_pulse(a_job("recheck", **NIGHT, moments={LATE: before(minutes=1)})),
        {"job:recheck": "warning"},
    ),
    "a failing match": (a_pulse(a_job("match", failures=2, why="a closed index")), {"matching": "critical"}),
    "no mail server": (
        a_pulse(
            mail=MailState(down_since=before(seconds=1), why="refused"),
            waiting=Waiting(mails=2, mail_since=before(days=1)),
        ),
        {"mail-server": "critical"},
    ),
    "a mail server that breaks off": (
        a_pulse(mail=MailState(broken_since=NOW - BROKEN_AFTER, why="late")),
        {"mail-server": "critical"},
    ),
    "a stopped deliver": (a_pulse(a_job("deliver", **STOPPED)), {"mails-waiting": "critical"}),
    "mails that nobody sends": (
        a_pulse(a_job("deliver", **NIGHT), waiting=Waiting(mails=2, mail_since=NOW - MAIL_QUIET - SECOND)),
        {"mails-waiting": "critical"},
    ),
    "mails that are tried in vain": (
        a_pulse(waiting=Waiting(mails=1, mail_since=NOW - MAILS_LATE - SECOND)),
        {"mails-waiting": "critical"},
    ),
    "a match that was last run by hand": (
        a_pulse(a_job("match", runner="", **NIGHT), waiting=Waiting(batches=2, batch_since=NOW - MATCH_QUIET - SECOND)),
        {"matching": "critical"},
    ),
    "a recipient out of reach": (
        a_pulse(waiting=Waiting(mails=2, refused=1, refused_since=NOW - REFUSED_LATE)),
        {"mails-waiting": "warning"},
    ),
    "a search that fails": (
        a_pulse(failing_searches=(FailingSearch("ice", "Ice", NOW - SEARCH_FAILED_AFTER, "too many clauses"),)),
        {"search:ice": "warning"},
    ),
    "a wrong file": (
        a_pulse(files=(FileState("feeds.yaml", before(hours=1), "feeds.yaml:3: no"),)),
        {"configuration:feeds.yaml": "warning"},
    ),
    "a mistyped variable": (
        a_pulse(files=(FileState("settings", before(hours=1), "NEWSWATCH_X: no setting is called so"),)),
        {"configuration:settings": "warning"},
    ),
    "a wrong file that stops a job": (
        a_pulse(
            a_job("match", failures=9, why="/etc/newswatch/alerts.yaml:3: no"),
            files=(FileState("alerts.yaml", before(hours=1), "/etc/newswatch/alerts.yaml:3: no"),),
        ),
        {"configuration:alerts.yaml": "critical"},
    ),
    "a failing daily job": (a_pulse(a_job("health", failures=3, why="no answer")), {"job:health": "warning"}),
    "a job of another version": (a_pulse(a_job("vacuum", failures=3, why="no answer")), {"job:vacuum": "warning"}),
    "a cleaning that nobody starts": (
        a_pulse(a_job("clean", runner="", **dict.fromkeys(GONE, NOW - CLEAN_QUIET - SECOND))),
        {"job:clean": "warning"},
    ),
    "a cleaning that nobody starts, on a machine that is started each morning": (
        a_pulse(
            a_job("clean", runner="", **dict.fromkeys(GONE, NOW - CLEAN_QUIET - SECOND)),
            watch_began_at=NOW - MADE_UP_WITHIN - SECOND,
        ),
        {"job:clean": "warning"},
    ),
    "a paused upkeep": (
        a_pulse(a_job("upkeep", **dict.fromkeys(IDLE, before(days=3))), watch_began_at=before(hours=2)),
        {"job:upkeep": "warning"},
    ),
    "an upkeep that is killed each night": (
        a_pulse(
            a_job(
                "upkeep",
                started_at=before(hours=10),
                ended_at=before(days=3),
                failed_at=before(hours=9),
                failures=2,
                why="its worker died",
            ),
        ),
        {"job:upkeep": "warning"},
    ),
    "an upkeep that fails and is not done": (
        a_pulse(a_job("upkeep", ended_at=before(days=3), failed_at=before(hours=9), failures=3, why="no answer")),
        {"job:upkeep": "warning"},
    ),
    "a paused second reading": (
        a_pulse(a_job("recheck", **dict.fromkeys(IDLE, before(hours=3)))),
        {"job:recheck": "warning"},
    ),
    "a dead watchman": (a_pulse(watched_at=before(minutes=3), watched_until=NOW - SECOND), {"watchman": "warning"}),
}


@pytest.mark.parametrize("what", list(FAULTS))
def test_each_fault_is_one_condition(what: str) -> None:
    pulse, expected = FAULTS[what]
    assert severities(pulse) == expected


@pytest.mark.parametrize("what", list(FAULTS))
def test_each_condition_is_told_in_sentences(what: str) -> None:
    for condition in found(FAULTS[what][0]).values():
        assert "\n" not in condition.sentence
        assert condition.sentence[-1] in ".…"
        assert condition.next_step[-1] == "."
        assert condition.since is None or condition.since <= NOW


def test_each_rule_of_time_is_told_within_three_minutes() -> None:
    """From the fault to the reading that shows it; polls come once a minute, and a refused one takes ten seconds."""
    minute, poll = timedelta(minutes=1), timedelta(seconds=10)
    shown = {
        "network, refused": minute + poll + OFFLINE_AFTER,
        "network, silent": minute + UNANSWERED_AFTER,
        "polling": POLL_QUIET,
        "matching": MATCH_QUIET,
        "stopped": BEAT_LOST,
        "a mail server that breaks off": BROKEN_AFTER,
        "search": minute + SEARCH_FAILED_AFTER,
    }
    assert {name: after for name, after in shown.items() if after + WATCHMAN_TAKES > TOLD_WITHIN} == {}


def test_the_worst_comes_first_and_nothing_else_is_known_without_elasticsearch() -> None:
    pulse = a_pulse(
        a_job("match", **STOPPED), watched_until=NOW - SECOND, reach=Reach(309, offline_since=before(hours=1))
    )
    assert list(found(pulse)) == ["network", "matching", "watchman"]
    assert list(found(replace(pulse, storage=Storage(away="refused")))) == ["elasticsearch"]


def test_a_condition_is_told_with_its_reason_and_since_when() -> None:
    reach = Reach(309, offline_since=before(hours=1), unanswered_since=before(hours=2), why="The Herald: no such name")
    network = found(a_pulse(reach=reach))["network"]
    assert network == Condition(
        "network",
        Severity.CRITICAL,
        "None of 309 feeds can be reached, so no news comes in: The Herald: no such name.",
        "Check this machine's connection to the internet, its DNS, proxy and firewall. What is missed is read later, "
        "as far as the feeds still contain it.",
        before(hours=2),
    )
    alone = found(a_pulse(reach=Reach(1, unanswered_since=before(hours=2))))["network"]
    assert alone.sentence == "The only feed can't be reached, so no news comes in."


def test_a_long_reason_is_cut_and_on_one_line() -> None:
    sentence = found(a_pulse(mail=MailState(down_since=NOW, why="no\n" * 1_000)))["mail-server"].sentence
    assert len(sentence) < 500
    assert sentence.endswith("…")
    assert "\n" not in sentence


ASKED: Any = {"operator": "o@desk.example", "bounce_mailbox": "imaps://u:p@mail.example"}


@pytest.mark.parametrize("name", list(UNDONE_AFTER))
def test_a_job_of_a_paused_dag_is_told(name: str) -> None:
    """A paused DAG calls no callback, and its job records nothing: only its silence shows it."""
    pulse = a_pulse(a_job(name, **dict.fromkeys(IDLE, NOW - UNDONE_AFTER[name] - timedelta(minutes=1))))
    told = conditions(pulse, Settings(**ASKED))
    assert [condition.id for condition in told] == [f"job:{name}"]
    assert "unpause it" in told[0].next_step


@pytest.mark.parametrize("name", list(UNDONE_AFTER))
def test_what_is_told_as_not_done_has_a_purpose_and_a_dag(name: str) -> None:
    from dags.failures import JOB_OF_DAG

    never = replace(a_pulse(JobPulse(name)), storage=Storage(installed_at=before(days=30)))
    told = {condition.id: condition for condition in conditions(never, Settings(**ASKED))}[f"job:{name}"]
    dag = next(dag for dag, job in JOB_OF_DAG.items() if job == name)
    assert f"`{dag}`" in told.next_step
    assert "no run was good since the start, 30 days ago" in told.sentence


@pytest.mark.parametrize(("began", "told"), [(MADE_UP_WITHIN, False), (MADE_UP_WITHIN + SECOND, True)])
def test_a_missing_backup_is_told_on_a_machine_that_is_started_each_morning(began: timedelta, told: bool) -> None:
    pulse = a_pulse(a_job("backup", **dict.fromkeys(IDLE, NOW - BACKUP_MISSED)), watch_began_at=NOW - began)
    kept = Settings(backup_location="backups")
    assert [condition.id for condition in conditions(pulse, kept)] == ["backup"] * told


def test_a_fast_lane_without_a_sign_of_life_is_told() -> None:
    """It is one long run; stopped on purpose it has ended, and where nobody uses it there is no run."""
    runs = a_job("fast", started_at=before(hours=9), ended_at=before(hours=10), beat_at=before(seconds=20))
    assert "fast-lane" not in found(a_pulse(runs))
    dead = found(a_pulse(replace(runs, beat_at=NOW - BEAT_LOST)))
    assert dead["fast-lane"].severity is Severity.WARNING
    assert "no sign of life on worker-1" in dead["fast-lane"].sentence
    ended = replace(runs, beat_at=before(hours=1), ended_at=before(hours=1))
    assert "fast-lane" not in found(a_pulse(ended))
    assert "fast-lane" not in found(a_pulse())
    failing = replace(ended, failures=3, why="A fault.")
    assert "A fault." in found(a_pulse(failing))["fast-lane"].sentence


@pytest.mark.parametrize(
    ("life", "left", "used", "told"),
    [
        (90, 31, 0, None),
        (365, 30, 0, "ends in 30 days"),
        (90, 23, 0, None),
        (90, 22, 0, "ends in 22 days"),
        (8, 7, 0, None),
        (90, 6, None, None),
        (90, 6, 31, None),
        (90, -2, 3, "has ended at"),
        (90, -2, 40, None),
    ],
)
def test_an_api_key_in_use_is_told_before_it_ends(life: int, left: int, used: int | None, told: str | None) -> None:
    ends = NOW + timedelta(days=left)
    used_at = None if used is None else before(days=used)
    key = EndingKey("k1", "OpenCTI", "ann", ends - timedelta(days=life), ends, used_at)
    condition = found(a_pulse(keys=(key,))).get("key:k1")
    assert (condition is None) == (told is None)
    if condition and told:
        assert condition.severity is Severity.WARNING
        assert told in condition.sentence
        assert "OpenCTI of ann" in condition.sentence


def test_every_condition_has_a_state_in_health() -> None:
    rules = "".join(path.read_text() for path in Path(rule.__file__).parent.glob("*.py"))
    named = set(re.findall(r'\bCondition\(\s*f?"([a-z-]+)', rules))
    assert {"network", "search"} <= named <= set(KINDS)


def test_many_searches_that_do_not_go_by_meaning_are_told_and_few_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.meant._tally", tally := Tally())
    tally.failures = Failures(12, "the encoder took more than 2 s", (0.0,) * MANY)
    monkeypatch.setattr("search.meant.time.monotonic", lambda: RECENT_S - 1)
    monkeypatch.setattr("observe.rules.installation.why_none", lambda **_: "")
    (one,) = conditions(a_pulse(), Settings(vectors=True))
    assert (one.id, one.severity) == ("vectors", Severity.WARNING)
    assert one.sentence.startswith("12 searches")
    assert one.sentence.endswith("the encoder took more than 2 s.")
    assert not conditions(a_pulse(), Settings(vectors=False))
    monkeypatch.setattr("search.meant.time.monotonic", lambda: RECENT_S)
    assert not conditions(a_pulse(), Settings(vectors=True))
