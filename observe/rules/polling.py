"""Rules on the feeds, and on the jobs that poll them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from newswatch.feed import FeedHealth
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.pulse import Pulse
from observe.rules.rule import job_of, older, reason
from observe.rules.runs import (
    BEAT_LOST,
    FAILED_RUNS,
    FAILED_TRIES,
    broken,
    hung,
    quiet,
)

OFFLINE_AFTER: Final = timedelta(seconds=30)
"""After the first poll that found our network down. The next poll comes within a minute, so that an interruption of
less than that is over before the watchman has seen it three times."""
UNANSWERED_AFTER: Final = timedelta(seconds=60)
"""After the start of the first poll in which nobody answered. It is more than one slow host takes to time out
(`fetch_total_timeout_s`), after which other hosts are asked."""
POLL_QUIET: Final = timedelta(seconds=120)
"""Airflow plans a poll every minute. A run that comes late under load comes within two."""
NEVER_POLLED: Final = timedelta(minutes=15)
"""After the installation. `newswatch up` polls in its first minute; by hand it takes longer."""
FAILING_SHARE: Final = 0.5
"""Share of the enabled feeds that fail. Of a long list some always do, and the daily mail on feeds says which."""
START = (
    "Start the scheduler: `newswatch up`, or the DAG in Airflow if it is paused; without Airflow run `newswatch poll` "
    "and `newswatch match` from a crontab."
)


def network(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    reach = pulse.reach
    offline = older(reach.offline_since, pulse.at, OFFLINE_AFTER)
    unanswered = older(reach.unanswered_since, pulse.at, UNANSWERED_AFTER)
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
        f"{feeds}, {missing}{f': {reason(reach.why)}' if reach.why else '.'}",
        "Check this machine's connection to the internet, its DNS, proxy and firewall. What is missed is read later, "
        "as far as the feeds still contain it.",
        min(begun),
    )


def failing_feeds(pulse: Pulse, _: Settings) -> Iterator[Condition]:
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


def feed_list(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """What the weekly check found: sources that bring nothing, and for which something better is there."""
    check = job_of(pulse, "check")
    if since := check.moments.get("replaceable"):
        yield Condition(
            "feeds-replaceable",
            Severity.WARNING,
            f"Sources of the list bring nothing and could be replaced: {reason(check.reasons.get('replaceable', ''))}",
            "`newswatch feeds check` shows them, with the command for each. It is over with the next run of the DAG "
            "`check_feeds`, which may be started by hand.",
            since,
        )


def polling(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    plan, pull = job_of(pulse, "plan"), job_of(pulse, "pull")
    what = "No feed is polled, so no news comes in"
    yield from broken(pulse, plan, "polling", what, FAILED_TRIES)
    yield from hung(pulse, plan, "polling", what)
    if plan.alive_at is None:
        yield from _never(pulse)
        return
    signs = (plan.alive_at, pull.alive_at, pulse.watch_began_at)
    last = max(moment for moment in signs if moment)
    if pulse.at - last > quiet(pulse, plan, POLL_QUIET):
        yield Condition("polling", Severity.CRITICAL, f"{what}: nothing has asked for it.", START, plan.alive_at)
    yield from broken(pulse, pull, "polling", "Feeds are polled, but their news can't be stored", FAILED_RUNS)
    yield from hung(pulse, pull, "polling", "A poll of feeds has stopped, and its feeds wait", Severity.WARNING)


def _never(pulse: Pulse) -> Iterator[Condition]:
    installed = pulse.storage.installed_at
    if installed and pulse.at - installed > NEVER_POLLED:
        yield Condition("polling", Severity.WARNING, "No feed has ever been polled.", START, installed)


def fast_lane(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    """The fast lane is one long run. The minute's poll has its feeds once it gives no sign of life."""
    lane = job_of(pulse, "fast")
    what = "Fast feeds are polled only once a minute"
    yield from broken(pulse, lane, "fast-lane", what, FAILED_RUNS, Severity.WARNING)
    if lane.under_way and older(lane.alive_at, pulse.at, BEAT_LOST):
        on = f" on {lane.host}" if lane.host else ""
        step = "Start it again: `newswatch up` and docker compose run it; elsewhere run `newswatch fast`."
        sentence = f"{what}: the fast lane gives no sign of life{on}."
        yield Condition("fast-lane", Severity.WARNING, sentence, step, lane.alive_at)
