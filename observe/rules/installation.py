"""Rules on configuration, saved searches, the encoder and the watchman. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.pulse import FileState, Pulse
from observe.rules.rule import older, reason
from observe.rules.runs import is_at_fault
from search.meant import failures
from store.configuration import SETTINGS
from transforms.encoder import why_none

SEARCH_FAILED_AFTER: Final = timedelta(seconds=45)
"""After the first failure of a saved search. A time-out under load is over with the next batch, a minute later."""
WATCHMAN_RETIRED: Final = timedelta(days=7)
"""An installation whose watchman has been gone for so long works without one on purpose."""


def configuration(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for file in pulse.files:
        if file.wrong_since is not None:
            yield Condition(
                f"configuration:{file.name}",
                Severity.CRITICAL if any(is_at_fault(file, job) for job in pulse.jobs.values()) else Severity.WARNING,
                *_told_of(file),
                file.wrong_since,
            )


def _told_of(file: FileState) -> tuple[str, str]:
    """What is wrong with a file, or with the settings, and the next step."""
    if file.name == SETTINGS:
        step = "Correct the variable where the process is started, and restart it; `newswatch config check` names all."
        return f"The settings of a process are wrong: {reason(file.why)}", step
    return (
        f"{file.name} is wrong, so its changes are not in force: {reason(file.why)}",
        f"Correct {file.name}; it is read again by itself. `newswatch config check` names every fault.",
    )


def searches(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    for search in pulse.failing_searches:
        if older(search.since, pulse.at, SEARCH_FAILED_AFTER):
            yield Condition(
                f"search:{search.id}",
                Severity.WARNING,
                f'The saved search "{search.name}" can\'t be run, so nothing is mailed for it: {reason(search.why)}',
                "Correct its query on the News page; it is then run on what came in during the last day.",
                search.since,
            )


def vectors(_: Pulse, settings: Settings) -> Iterator[Condition]:
    """An absent encoder only where vectors were asked for by name: all works without, so the default promises nothing.
    Searches that failed are those of the process that asks.
    """
    if "vectors" in settings.model_fields_set and settings.vectors and (missing := why_none(tried=True)):
        yield Condition(
            "vectors",
            Severity.WARNING,
            f"NEWSWATCH_VECTORS is true, but stories can't be joined across languages: {reason(missing)}",
            "Install the encoder on every machine that runs tasks, or set NEWSWATCH_VECTORS to false.",
        )
    failed = failures()
    if settings.vectors and failed.are_many:
        yield Condition(
            "vectors",
            Severity.WARNING,
            f"{failed.count} searches since this server began went by words only, the last as {reason(failed.reason)}",
            "They find what they did, in the order of the words. The server's log has each.",
        )


def watchman(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    until = pulse.watched_until
    if until and until < pulse.at < until + WATCHMAN_RETIRED:
        yield Condition(
            "watchman",
            Severity.WARNING,
            "Nobody is told when something breaks: the watchman gives no sign of life.",
            "Start it again: `newswatch up`, or `newswatch watch` where it runs by itself.",
            pulse.watched_at,
        )


def watched(pulse: Pulse, settings: Settings) -> Iterator[Condition]:  # noqa: ARG001
    """What the jobs can't see: Airflow, certificates, and what has changed since their last run."""
    yield from pulse.watched
