"""The states that a probe sees: no numbers, no names, no sentences, because it asks without a log-in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from observe.condition import Condition, Severity
from observe.pulse import Pulse

KINDS: Final = (
    "network",
    "feeds-failing",
    "feeds-replaceable",
    "polling",
    "fast-lane",
    "matching",
    "mail-server",
    "mails-waiting",
    "signing-key",
    "elasticsearch",
    "disk",
    "backup",
    "vectors",
    "airflow",
    "scheduler",
    "dag-processor",
    "triggerer",
    "stack",
    "watchman",
    "telling",
    "heartbeat",
    "configuration",
    "search",
    "job",
    "certificate",
    "key",
)
"""What may be wrong. What follows a colon in a condition's id names a file, search, host or key, and is left out."""

WITHOUT_NOTES: Final = frozenset({"elasticsearch", "disk"})
"""What can be judged while the jobs can't record how they fare, because Elasticsearch's disk is full."""

OK: Final = "ok"
UNKNOWN: Final = "unknown"


def states(conditions: Iterable[Condition], pulse: Pulse | None) -> Mapping[str, str]:
    """Kind → ok, warning or critical, the worst of its conditions; unknown if `pulse` can't tell. Pure."""
    judged = frozenset[str]() if pulse is None else frozenset(KINDS) if pulse.storage.takes_notes else WITHOUT_NOTES
    states = {kind: OK if kind in judged else UNKNOWN for kind in KINDS}
    for condition in conditions:
        kind = condition.id.partition(":")[0]
        if states.get(kind) != Severity.CRITICAL:
            states[kind] = str(condition.severity)
    return states


def worst(conditions: Iterable[Condition]) -> str:
    """ok, warning or critical. Pure."""
    found = {condition.severity for condition in conditions}
    return next((str(severity) for severity in (Severity.CRITICAL, Severity.WARNING) if severity in found), OK)
