"""Applies the configuration files that an index follows, once for each version; says what they list no more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from alerts.saved import SavedSearches
from ingest.feed_list.feeds import load_feeds
from jobs.configuration import Alerts, alerts_in_force, faults_among, read_saved_searches
from jobs.context import Context
from jobs.versions import InForce, in_force, no_faults, unparsed
from newswatch.config import Source
from newswatch.errors import ConfigError
from newswatch.problems import Bulkhead, Problem
from store.applied import Application
from store.configuration import ALERTS, FEEDS

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToApply(Generic[T]):
    """A configuration file that an index follows."""

    found: InForce[T] | None
    """The version in force; None: the index follows it already, and it was not parsed."""
    wrong: str
    """As `InForce.wrong`."""
    application: Application

    def done(self, now: datetime) -> None:
        """Note that the version was applied, whole and without any fault."""
        if self.found is not None and self.found.is_in_force:
            self.application.note(self.found.source.hash, now)


def to_apply(
    context: Context, name: str, parse: Callable[[Source], T], index: str, *, partly: Callable[[T], str] = no_faults
) -> ToApply[T]:
    """The configuration file `name` for `index`, which follows it: `in_force`, but only what is new to it is parsed.

    Raises:
        ConfigError, MissingIndexError: see `in_force`.
    """
    application, now = Application(context.es, context.names, name, index), context.clock()
    wrong = unparsed(context, name, lambda file_hash: application.covers(file_hash, now))
    if wrong is not None:
        return ToApply(None, wrong, application)
    found = in_force(context, name, parse, partly=partly)
    is_known = found.is_in_force and application.covers(found.source.hash, now)
    return ToApply(None if is_known else found, found.wrong, application)


def feeds_to_apply(context: Context) -> ToApply[Any]:
    """The feeds of `feeds.yaml`, if the stored ones don't follow the version in force yet.

    Raises:
        ConfigError: see `in_force`.
    """
    return to_apply(context, FEEDS, load_feeds, context.names.feeds)


def seed_searches(context: Context, seeding: Bulkhead) -> int:
    """Seed the saved searches of `alerts.yaml` in force; what is wrong with it, or with an item, becomes a problem.

    Does nothing if the stored ones follow that version already. If no version can be used, every saved search stays as
    stored. Returns how many were written.

    Raises:
        StoreError, elastic_transport's errors: Elasticsearch is unavailable.
    """
    index = context.names.searches
    try:
        listed = to_apply(context, ALERTS, read_saved_searches, index, partly=faults_among)
    except ConfigError as error:
        log.error("The saved searches stay as stored: %s", error)
        seeding.note(Problem("search", ALERTS, str(error), seeding.stage))
        return 0
    found = listed.found
    if listed.wrong != (faults_among(found.value) if found else ""):
        seeding.note(Problem("search", ALERTS, listed.wrong, seeding.stage))
    if found is None:
        return 0
    searches, faults = found.value
    stored = SavedSearches(context.es, context.names)
    written = stored.seed_items(searches, faults, seeding, now=context.clock())
    if not seeding.problems:
        listed.done(context.clock())
    return written


def alerts_if_usable(context: Context) -> Alerts | None:
    """The saved searches of `alerts.yaml` in force, and the faults of its other items; None: no version can be used."""
    try:
        return alerts_in_force(context, adopt=False).value
    except ConfigError:
        return None


def taken_out(context: Context, alerts: Alerts | None) -> dict[str, str]:
    """Id of each saved search that came from `alerts.yaml`, is not in it any more, and mails as before → what to do.

    A feed that is taken out of its file is switched off; a search is not, since readers rely on it, and its name in the
    file may only have changed. Where a part of the file can't be read, nothing is said.
    """
    if alerts is None or alerts[1]:
        return {}
    left = set(SavedSearches(context.es, context.names).of_the_file()) - {search.id for search in alerts[0]}
    return {
        name: f"{name} is not in config/{ALERTS} any more, and mails as before: `newswatch alerts edit {name} --off` "
        "switches it off; once it is saved here, it stays without the file."
        for name in sorted(left)
    }
