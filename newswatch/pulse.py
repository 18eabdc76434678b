"""How a job has fared, as the store keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

LATE: Final = "late"
"""The moment since when a run of a job is late, with its reason: Airflow notes it, and a good run ends it."""


@dataclass(frozen=True, slots=True)
class JobPulse:
    """The runs of one job on all machines: the last of them, and the totals of all."""

    job: str
    """Its name as in `@job`, such as "plan", "pull", "match" or "deliver"."""
    started_at: datetime | None = None
    """When the last run began."""
    beat_at: datetime | None = None
    """The last sign of life of a run: its start, its end, and every few seconds while it works."""
    ended_at: datetime | None = None
    """When a run last ended without an error."""
    failed_at: datetime | None = None
    """When a run last ended in an error."""
    failing_since: datetime | None = None
    """When the first of the errors since the last good run occurred; None: the last run was good."""
    why: str = ""
    """The last error, in one sentence; empty if the last run was good."""
    failures: int = 0
    """Errors since the last good run."""
    host: str = ""
    """The machine of the last run."""
    runner: str = ""
    """What started the last run: "airflow", or empty for a command."""
    last: Mapping[str, float] = field(default_factory=dict)
    """The counts of the last good run."""
    totals: Mapping[str, float] = field(default_factory=dict)
    """The counts of all runs, which only grow; `runs`, `errors` and `seconds` are among them."""
    moments: Mapping[str, datetime] = field(default_factory=dict)
    """When something last happened that no count tells, such as `reached`; see `observe.record`."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a moment came about, under the moment's name."""

    @property
    def under_way(self) -> bool:
        """Whether the run that began last has neither ended nor failed."""
        over = [moment for moment in (self.ended_at, self.failed_at) if moment]
        return self.started_at is not None and all(moment < self.started_at for moment in over)

    @property
    def alive_at(self) -> datetime | None:
        """The last sign of life of any run, also of a failed one."""
        signs = (self.started_at, self.beat_at, self.ended_at, self.failed_at)
        return max((moment for moment in signs if moment), default=None)
