"""Decides from a reading of the pulse what is wrong: a table of rules. Pure.

The thresholds of `observe.rules` are such that the operator is told within three minutes of a fault: the watchman
looks every 15 s and tells what it has seen three times, which takes up to 45 s. So a fault must show in the reading
within 135 s.
"""

from __future__ import annotations

from typing import Final

from newswatch.settings import Settings
from observe.condition import Condition, worst_first
from observe.keys import ending_keys
from observe.pulse import Pulse
from observe.rules import database, installation, jobs, mails, polling
from observe.rules.rule import Rule

RULES_WITHOUT_NOTES: Final[tuple[Rule, ...]] = (database.storage, database.disk, installation.watched)
"""Those that need no recent note of a job."""
RULES: Final[tuple[Rule, ...]] = (
    database.storage,
    database.disk,
    polling.network,
    installation.configuration,
    jobs.late,
    polling.polling,
    polling.fast_lane,
    jobs.matching,
    mails.mail_server,
    mails.mails,
    mails.signing,
    installation.searches,
    polling.failing_feeds,
    polling.feed_list,
    jobs.other_jobs,
    jobs.undone,
    jobs.cleaning,
    jobs.backups,
    installation.vectors,
    database.incomplete,
    ending_keys,
    installation.watchman,
    installation.watched,
)
"""Each yields the conditions of its subject. Of several with one id the first counts."""


def conditions(pulse: Pulse, settings: Settings) -> tuple[Condition, ...]:
    """What is wrong at `pulse.at`, the worst first; empty if all is well.

    If Elasticsearch does not answer, that is the only condition, because nothing else is known. If it takes no notes of
    the jobs, because its disk is full, what they noted before says nothing about now; what the watchman found by itself
    stands as long as its last look is fresh.
    """
    if pulse.storage.away:
        return (database.away(pulse),)
    rules = RULES if pulse.storage.takes_notes else RULES_WITHOUT_NOTES
    found = [condition for rule in rules for condition in rule(pulse, settings)]
    known: dict[str, Condition] = {}
    for condition in found:
        known.setdefault(condition.id, condition)
    return worst_first(tuple(known.values()))
