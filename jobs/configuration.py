"""The configuration files as jobs, pages and commands use them: what reads each, and what is wrong in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alerts.definitions import EntryFault, read_alerts
from delivery.channels import registry as channels
from delivery.channels.registry import parse_address
from ingest.feed_list.feeds import load_feeds
from jobs.audited import adoption
from newswatch import config
from newswatch.alert import SavedSearch
from newswatch.config import Source, Written
from newswatch.errors import ConfigError, NewswatchError
from newswatch.setting_faults import disagreements, mistyped
from newswatch.settings_in_part import wrong_settings
from store.configuration import (
    ALERTS,
    FEEDS,
    SETTINGS,
    TAXONOMY,
    ConfigurationStore,
    Kept,
    Look,
    put_in_force,
)
from transforms.taxonomy import load_taxonomy

if TYPE_CHECKING:
    from jobs.context import Context
    from newswatch.settings import Settings
from jobs import versions

log = logging.getLogger(__name__)


Alerts = tuple[tuple[SavedSearch, ...], tuple[EntryFault, ...]]


def read_saved_searches(source: Source) -> Alerts:
    """The saved searches of `alerts.yaml`, and the faults of its other items.

    Raises:
        ConfigError: the file as a whole can't be used.
    """
    return read_alerts(source, parse_address)


def faults_among(read: Alerts) -> str:
    """What is wrong with items of `alerts.yaml`; empty if nothing is. Pure."""
    return "; ".join(str(fault.error) for fault in read[1])


def feeds_in_force(context: Context) -> versions.InForce[Any]:
    """The feeds of `feeds.yaml` in force.

    Raises:
        ConfigError: see `versions.in_force`.
    """
    return versions.in_force(context, FEEDS, load_feeds)


def alerts_in_force(context: Context, *, adopt: bool = True) -> versions.InForce[Alerts]:
    """The saved searches of `alerts.yaml` in force, and the faults of its other items.

    Raises:
        ConfigError: see `versions.in_force`.
    """
    return versions.in_force(context, ALERTS, read_saved_searches, partly=faults_among, adopt=adopt)


def look_at_all(context: Context) -> None:
    """Look at the files that only some jobs read, so that a new version and a fault are known within a minute.

    A file that is the version in force is not parsed. What is wrong is noted, and raised by the job that needs it. The
    settings are looked at too: a fault that does not stop the work must not stay unknown.
    """
    examine_settings(context)
    for name, parse, partly in _RARELY_READ:
        try:
            _examine(context, name, parse, partly)
        except ConfigError as error:
            log.error("%s", error)


def examine_settings(context: Context) -> None:
    """Note what is wrong with the settings of this process, or that nothing is."""
    settings = context.settings
    faults = [*mistyped(os.environ), *(each for each in disagreements(settings) if each.is_error)]
    wrong = [f"{variable}: {why}" for variable, why in wrong_settings(settings).items()]
    why = "; ".join([*wrong, *_of_channels(settings), *map(str, faults)])
    # Processes of one machine have environments of their own, so that one that is well clears no other's fault.
    path = f"environment {sha256(why.encode()).hexdigest()[:8]}" if why else "environment"
    look = Look(versions.HOST, path, None, why, is_usable=not why)
    versions.looked(context, ConfigurationStore(context.es, context.names), SETTINGS, look)


def _of_channels(settings: Settings) -> Iterator[str]:
    try:
        channels.check(settings)
    except ConfigError:
        return  # a setting is wrong by itself, which is told as such
    except NewswatchError as error:
        yield str(error)


_RARELY_READ: Final[tuple[tuple[str, Callable[[Source], Any], Callable[[Any], str]], ...]] = (
    (ALERTS, read_saved_searches, faults_among),
    (TAXONOMY, lambda source: load_taxonomy(source), versions.no_faults),  # so that tests can replace it
)


def _examine(context: Context, name: str, parse: Callable[[Source], Any], partly: Callable[[Any], str]) -> None:
    if versions.unparsed(context, name) is None:
        versions.in_force(context, name, parse, partly=partly)


PARSERS: Final[dict[str, Callable[[Source], Any]]] = {
    FEEDS: load_feeds,
    ALERTS: read_saved_searches,
    TAXONOMY: load_taxonomy,
}
"""File → what reads it, and raises a ConfigError if it can't be used."""


def use(context: Context, path: Path, name: str, *, by: str) -> Kept:
    """Put the file at `path` in force as `name` for the user `by`, whatever its time; what is known of it then.

    Raises:
        ConfigError: it can't be used.
        StoreError: Elasticsearch is unavailable.
    """
    file, now = config.written(path), context.clock()
    PARSERS[name](file)
    store = ConfigurationStore(context.es, context.names)
    store.keep_text(name, file)
    # In force from now on: a version that is newer than this file's own time is older than this decision.
    decided = Written(file.path, file.text, now)
    before = store.kept(name)
    deed = adoption(name, versions.text_of(store, before), decided, by, before.hash)
    after = context.audit.change(
        deed, lambda: store.change(name, lambda kept: put_in_force(kept, decided, versions.HOST, now))
    )
    store.drop_text(after)
    return after


def with_listed_feeds(settings: Settings) -> Context:
    """A context of an installation whose feeds of `feeds.yaml` are stored, so that the lists can be compared.

    Raises:
        StoreError: Elasticsearch can't be reached.
    """
    from jobs.context import open_context
    from store.feeds import FeedStore

    context = open_context(settings)
    try:
        listed = feeds_in_force(context)
        if listed.is_in_force:
            FeedStore(context.es, context.names).sync(listed.value)
    except ConfigError as error:
        log.info("No version of %s is in force: %s", FEEDS, error)
    return context
