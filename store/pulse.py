"""Keeps how each job has fared: one document per job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import Elasticsearch

from newswatch.errors import DocumentError
from newswatch.pulse import JobPulse
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, read, stored, values
from store.elastic.reading import get_hit
from store.names import Names


class PulseStore:
    """The pulse of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.pulse

    def read(self, *, timeout_s: float | None = None) -> dict[str, JobPulse]:
        """Job → how it has fared, as of the last refresh; jobs that never ran are missing.

        Raises:
            elasticsearch's errors: it can't be read within `timeout_s`.
        """
        es = self._es.options(request_timeout=timeout_s) if timeout_s else self._es
        hits = es.search(index=self._index, size=1_000)["hits"]["hits"]
        return {pulse.job: pulse for pulse in values(hits, read_pulse)}

    def of(self, job: str) -> JobPulse:
        """How the job has fared until now, as of this moment."""
        was = self._get(job)
        return was.value if was else JobPulse(job)

    def change(self, job: str, changed: Callable[[JobPulse], JobPulse]) -> JobPulse:
        """Replace the job's pulse by what `changed` makes of it, whoever else writes; returns the new one.

        A document that was edited to nonsense is written over: it is only a memory.

        Raises:
            StoreError: it could not be written.
        """

        def attempt() -> Stored[JobPulse] | None:
            was = self._get(job)
            pulse = changed(was.value if was else JobPulse(job))
            return put(self._es, self._index, job, pulse, dump(pulse), was)

        return until_written(attempt, lambda: f"The pulse of {job} could not be written.").value

    def _get(self, job: str) -> Stored[JobPulse] | None:
        hit = get_hit(self._es, self._index, job)
        if hit is None:
            return None
        try:
            return stored(read(hit, read_pulse), hit)
        except DocumentError:
            return stored(JobPulse(job), hit)


def read_pulse(document_id: str, document: Mapping[str, Any]) -> JobPulse:
    """The pulse of a document. Pure."""
    return load(JobPulse, {"job": document_id} | dict(document))
