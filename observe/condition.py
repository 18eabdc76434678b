"""A condition: something that is wrong now, in words for the operator and for readers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How bad a condition is. `newswatch check` ends with 1 for warnings and with 2 for critical ones."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. It is the same condition as long as its id stays the same."""

    id: str
    """Stable and unique among the conditions of one look: "network", "mail-server", "configuration:feeds.yaml"."""
    severity: Severity
    sentence: str
    """What is wrong, for somebody who does not know the parts: "None of 309 feeds can be reached: …"."""
    next_step: str
    """What to do now, in one sentence."""
    since: datetime | None = None
    """Since when, if that is known."""


def worst_first(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions, critical ones first, each group in the order in which they began. Pure."""
    critical = [condition for condition in conditions if condition.severity is Severity.CRITICAL]
    warnings = [condition for condition in conditions if condition.severity is Severity.WARNING]
    return (*sorted(critical, key=_began), *sorted(warnings, key=_began))


def _began(condition: Condition) -> tuple[bool, str, str]:
    since = condition.since.isoformat() if condition.since else ""
    return (condition.since is None, since, condition.id)
