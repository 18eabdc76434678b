"""What every job needs: the settings, a client, the index names, a clock."""

from __future__ import annotations

from dataclasses import dataclass

from elasticsearch import ApiError, Elasticsearch, TransportError

from newswatch.clock import Clock, utc_now
from newswatch.errors import StoreError
from newswatch.problems import Bulkhead, Fault, no_fault
from newswatch.settings import Settings
from search.client import connect, set_up, where
from search.names import Names
from search.nodes import UnansweredError, UnreachableError
from search.quarantine import Quarantine


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every job; tests hand in their own clock."""

    settings: Settings
    es: Elasticsearch
    names: Names
    clock: Clock = utc_now
    fault: Fault = no_fault
    """Breaks the work on chosen items, for tests."""

    def bulkhead(self, stage: str) -> Bulkhead:
        """The walls of one stage of a job."""
        return Bulkhead(stage, fault=self.fault)

    def set_aside(self, bulkhead: Bulkhead) -> None:
        """Keep the problems of a stage, where users see them."""
        Quarantine(self.es, self.names).note(bulkhead.problems, now=self.clock())


def open_context(settings: Settings | None = None, *, clock: Clock = utc_now) -> Context:
    """A context on the Elasticsearch of the settings, its indices in place.

    Raises:
        StoreError: it can't be reached, or refuses the mapping.
    """
    settings = settings or Settings()
    es, names = connect(settings), Names(settings.index_prefix)
    try:
        set_up(es, names, settings)
    except (ApiError, TransportError) as error:
        es.close()
        # What tells of connections names every address itself.
        at = "" if isinstance(error, UnreachableError | UnansweredError) else f" at {where(settings)}"
        raise StoreError(
            f"Elasticsearch{at} can't be used: {_short(error)}. "
            "Start the embedded one with `newswatch up`, or set NEWSWATCH_ELASTICSEARCH_URL."
        ) from error
    return Context(settings, es, names, clock)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
