"""What a kind of saved search is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from elasticsearch import Elasticsearch

from newswatch.alert import SavedSearch
from store.names import Names


@dataclass(frozen=True, slots=True)
class Event:
    """What a saved search has to tell that is about no article."""

    alert_id: str
    kind: str
    id: str
    """The same for as long as it lasts: it is told once."""
    headline: str
    """The sentence that tells it."""


Look = Callable[[Elasticsearch, Names, SavedSearch, datetime], Event | None]
"""What the saved search has to tell at this moment, if anything; raises a QueryError if it can't be run."""
Preview = Callable[[Elasticsearch, Names, SavedSearch, datetime], str]
"""What the saved search would see now, as a sentence for whoever tries it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of saved search: what makes it mail."""

    name: str
    """As `alerts.yaml`, the store and the command line call it."""
    choice: str
    """As the form offers it."""
    watches: str = ""
    """What stands before what it watches, in a list of saved searches; `{silence}` is its length of time."""
    lasts: bool = False
    """Whether `SavedSearch.silence_s` says for how long; the form asks for it behind `choice`."""
    look: Look | None = None
    """What is asked at every run; None: each batch is matched against it, and each story that matches is mailed."""
    preview: Preview | None = None
    label: str = ""
    """Above its event in a mail."""
