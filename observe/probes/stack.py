"""The parts that `newswatch up` runs: which of them have ended by themselves, and whether they run again."""

from __future__ import annotations

from embedded.supervise import Trouble, troubles
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import Probe, Report

_IDS = {"mail": "mail-server", "api-server": "airflow"}
"""Part → condition id, where they differ: a part's death is the same condition as its silence."""


def stack(settings: Settings) -> Probe:
    """The probe of the embedded stack in `NEWSWATCH_DATA_DIR`; it sees nothing if none runs there."""
    return Probe("stack", lambda: Report(tuple(map(condition_of, troubles(settings.data_dir)))))


def condition_of(trouble: Trouble) -> Condition:
    """A part that has ended by itself. Pure."""
    times = "once" if trouble.times == 1 else f"{trouble.times} times"
    now = "It has been started again" if trouble.runs else "It is started again in a moment"
    return Condition(
        _IDS.get(trouble.part, trouble.part),
        Severity.WARNING if trouble.runs else Severity.CRITICAL,
        f"{trouble.title} has ended by itself {times} ({trouble.why}). {now}.",
        f"See {trouble.log}; this is over when it has run for two minutes.",
        trouble.since,
    )
