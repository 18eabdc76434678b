"""Rules on Elasticsearch. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from newswatch.settings import Settings
from newswatch.some_of import some_of
from observe.condition import Condition, Severity
from observe.pulse import Pulse
from observe.rules.rule import reason
from search import missing

_NAMED: Final = 3
"""Indices that a sentence names."""


def away(pulse: Pulse) -> Condition:
    away, next_step = pulse.storage.away, pulse.storage.away_step
    if next_step:
        sentence = f"No news can be stored, found or mailed: {reason(away)}"
    else:
        sentence = f"The database does not answer, so no news can be stored, found or mailed: {reason(away)}"
        next_step = "Start Elasticsearch again (`newswatch up`, or your cluster); its log says why it stopped."
    return Condition("elasticsearch", Severity.CRITICAL, sentence, next_step)


def storage(pulse: Pulse, _: Settings) -> Iterator[Condition]:
    if closed := pulse.storage.closed:
        yield Condition(
            "elasticsearch",
            Severity.CRITICAL,
            f"Somebody has closed a part of the database ({some_of(closed, _NAMED)}), so searches and backups lack its "
            "articles, and the mails and feed entries that need it wait.",
            f"Open it (`POST {closed[0]}/_open` in Kibana); nothing is lost, and what waits then goes on by itself.",
        )
    if pulse.storage.status == "red":
        lost = pulse.storage.lost
        which = f": {some_of(lost, _NAMED)}" if lost else ""
        yield Condition(
            "elasticsearch",
            Severity.CRITICAL,
            f"A part of the database can't be used (its state is red{which}), so searches lack its articles, and the "
            "mails and feed entries that need it wait.",
            "Start the nodes of Elasticsearch that are missing; what waits then goes on by itself. An index that is "
            "lost for good can be restored alone from a backup: docs/operations.md says how.",
        )
    for part, why in pulse.unread.items():
        yield Condition(
            "elasticsearch",
            Severity.WARNING,
            f"Whether all is well can't be told in full: the database does not show the {part}: {reason(why)}",
            "Look at the indices in Elasticsearch; `newswatch check --json` shows what can't be read.",
        )


def disk(pulse: Pulse, _: Settings) -> Iterator[Condition]:
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
            f"The disk of the database is nearly full{free}. {reason(storage.disk_why)}".rstrip(),
            "Free disk space, or give Elasticsearch a larger disk, before it refuses to store new articles.",
        )


def incomplete(_: Pulse, settings: Settings) -> Iterator[Condition]:  # noqa: ARG001
    """Of the process that asks, as for searches by meaning."""
    failed = missing.incomplete()
    if failed.are_many:
        yield Condition(
            "elasticsearch",
            Severity.WARNING,
            f"{failed.count} searches since this server began lacked a part of the index: {reason(failed.reason)}",
            "Look at GET _cluster/allocation/explain, and into the server's log, which names the slices.",
        )
