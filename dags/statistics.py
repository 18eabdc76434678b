"""The counts of each run for StatsD or OpenTelemetry, where Airflow's own switch has one of them on.

Airflow sends its metrics itself (`AIRFLOW__METRICS__OTEL_ON`, `AIRFLOW__METRICS__STATSD_ON`), from the process of each
task. Ours go the same way, under its prefix: `newswatch.articles.new`, `newswatch.job.pull.errors`. See Airflow's
documentation, "Metrics Configuration".
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from jobs.context import Context
    from observe.record import Run

log = logging.getLogger(__name__)

SWITCHES = ("otel_on", "statsd_on", "statsd_datadog_enabled")


def are_on() -> bool:
    """Whether Airflow sends metrics anywhere."""
    return any(conf.getboolean("metrics", switch, fallback=False) for switch in SWITCHES)


def followed(context: Context) -> Context:
    """The context, with the counts of its runs sent if Airflow sends any metrics."""
    return replace(context, after_run=send) if are_on() else context


def send(run: Run) -> None:
    """Send the counts of a run. What goes wrong is logged, because it must not make the run fail."""
    try:
        _send(run)
    except Exception:
        log.warning("%s: its counts could not be sent to StatsD or OpenTelemetry", run.job, exc_info=True)


def _send(run: Run) -> None:
    from observe.metrics import run_counts
    from observe.record import counts

    job = f"newswatch.job.{run.job}"
    stats.incr(f"{job}.runs")
    stats.timing(f"{job}.duration", timedelta(seconds=run.seconds))
    if run.report is None:
        stats.incr(f"{job}.errors")
    for name, number in run_counts(run.job, counts(run.report)).items():
        if name.endswith("_seconds"):  # counters of StatsD take whole numbers
            stats.timing(name.removesuffix("_seconds"), timedelta(seconds=number))
        else:
            stats.incr(name, int(number))
