"""Elasticsearch: does it answer, are all shards there, does it accept a write. It is asked to keep the look."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime

from newswatch.clock import Clock
from newswatch.errors import MissingIndexError, StoreError
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import DEADLINE_S, Probe, Report
from observe.watched import WATCHMAN, Watched, as_pulse
from store.elastic.access import no_access
from store.elastic.client import Client, where
from store.elastic.faults import REFUSALS, index_error, store_error
from store.names import Names
from store.pulse import PulseStore

ID = "elasticsearch"
ANSWER_S = 8.0
"""Seconds for each answer: less than the probe's deadline, so that the reason is Elasticsearch's own."""


def elasticsearch(
    settings: Settings, es: Client, names: Names, clock: Clock, watched: Callable[[], Watched] | None
) -> Probe:
    """The probe of the Elasticsearch of the settings. Without `watched` it only asks, and writes nothing."""
    hung = _away(settings, f"no answer within {DEADLINE_S:g} s")

    def run() -> Report:
        report = Report()
        try:
            report = _health(es, settings)
            if watched:
                _write(es, names, watched(), clock())
        except MissingIndexError:
            # The next job creates it. If no job runs, other conditions say so.
            return Report()
        except (StoreError, *REFUSALS) as error:
            if barred := no_access(error):
                sentence = f"{barred.sentence} Nothing is polled, matched or mailed, and nobody can search."
                return Report((*report.conditions, Condition(ID, Severity.CRITICAL, sentence, barred.next_step)))
            return Report((*report.conditions, *_refused(settings, error).conditions))
        return report

    return Probe(ID, run, late=Report((hung,)))


def _health(es: Client, settings: Settings) -> Report:
    health = es.options(request_timeout=ANSWER_S, max_retries=0).cluster.health(
        timeout="2s", filter_path="status,number_of_data_nodes,unassigned_primary_shards"
    )
    if health["status"] != "red":
        return Report()
    sentence = f"Elasticsearch at {where(settings)} has lost shards (its state is red): some articles can't be found."
    return Report((Condition(ID, Severity.CRITICAL, sentence, "Look at GET _cluster/allocation/explain."),))


def _write(es: Client, names: Names, watched: Watched, now: datetime) -> None:
    """Note that somebody looked, and what is wrong.

    Raises:
        MissingIndexError, StoreError, elasticsearch's errors: it can't be written.
    """
    patient = es.options(request_timeout=ANSWER_S, max_retries=0)
    pulse = as_pulse(watched, now, socket.gethostname())
    try:
        PulseStore(patient, names).change(WATCHMAN, lambda _: pulse)
    except REFUSALS as error:
        raise index_error(error) or store_error(error) from error


def _refused(settings: Settings, error: Exception) -> Report:
    """The condition of an error: a full disk has an id of its own."""
    message = str(error if isinstance(error, StoreError) else store_error(error))  # type: ignore[arg-type]  # REFUSALS
    if "flood-stage" in message:
        return Report((Condition("disk", Severity.CRITICAL, *_parted(message)),))
    return Report((_away(settings, message),))


def _away(settings: Settings, why: str) -> Condition:
    why = why.removesuffix(" See `newswatch status`.").rstrip(".")
    why = why if why.startswith("Elasticsearch") else f"Elasticsearch at {where(settings)}: {why}"
    return Condition(
        ID,
        Severity.CRITICAL,
        f"{why}. Nothing is polled, matched or mailed, and nobody can search.",
        "See newswatch status and Elasticsearch's log; start it again. What was missed is polled when it is back.",
    )


def _parted(message: str) -> tuple[str, str]:
    """Sentence and next step of an error: all after the first sentence is what to do."""
    sentence, stop, rest = message.partition(". ")
    return (sentence + stop.strip(), rest or "Free disk space.")
