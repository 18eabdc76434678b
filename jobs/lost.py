"""Records runs of jobs that Airflow has lost, or that are late: what its callbacks call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from jobs.configuration import examine_settings
from jobs.context import Context
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from newswatch.settings_in_part import wrong_settings
from observe.lost_runs import LostRun, with_late_run, with_lost_run
from store.elastic.client import connect
from store.elastic.clock import store_clock
from store.names import Names
from store.pulse import PulseStore

TIMEOUT_S = 10.0
"""Seconds for a request. Callbacks run inside Airflow's own processes, which must not wait for Elasticsearch."""


def note_lost_run(settings: Settings, lost: LostRun) -> JobPulse:
    """Record the failure in the job's pulse, unless the job did that itself; returns the pulse.

    Raises:
        StoreError, elasticsearch's errors: it could not be written. The watchman reports Elasticsearch then.
    """
    return _change(settings, lost.job, lambda pulse, now: with_lost_run(pulse, lost, now))


def note_late_run(settings: Settings, job: str, why: str) -> JobPulse:
    """Record that a run of the job is late; returns the pulse. The next good run ends it.

    Raises:
        StoreError, elasticsearch's errors: it could not be written.
    """
    return _change(settings, job, lambda pulse, now: with_late_run(pulse, why, now))


def _change(settings: Settings, job: str, change: Callable[[JobPulse, datetime], JobPulse]) -> JobPulse:
    """The changed pulse. What is wrong with the settings is noted too: the job may have failed of that."""
    with connect(settings) as client:
        es, names = client.options(request_timeout=TIMEOUT_S, max_retries=0), Names.of(settings)
        context = Context(settings, es, names, store_clock(es))
        changed = PulseStore(es, names).change(job, lambda pulse: change(pulse, context.clock()))
        if wrong_settings(settings):
            examine_settings(context)
        return changed
