"""The type of a kind of saved search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from elasticsearch import Elasticsearch

from newswatch.alert import SavedSearch
from store.names import Names


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a saved search that concerns no single article, such as a spike."""

    saved_search_id: str
    kind: str
    id: str
    """The same for as long as the event lasts, so that it is mailed once."""
    headline: str
    """The sentence that reports it."""


Look = Callable[[Elasticsearch, Names, SavedSearch, datetime], Event | None]
"""Returns the saved search's event at this moment, if any; raises a QueryError if the search can't be run."""
Preview = Callable[[Elasticsearch, Names, SavedSearch, datetime], str]
"""Returns a sentence on what the saved search would see now, for its backtest."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of saved search: what triggers its mails."""

    name: str
    """Its name in `alerts.yaml`, the store and the command line."""
    choice: str
    """Its label in the form."""
    watches: str = ""
    """Words before the query in the list of saved searches; `{silence}` becomes its duration."""
    lasts: bool = False
    """Whether it has a duration (`SavedSearch.silence_s`); the form asks for it after `choice`."""
    look: Look | None = None
    """Called at every run for an event; None: each batch is matched, and each matching story is mailed."""
    preview: Preview | None = None
    label: str = ""
    """Label above its event in a mail."""
