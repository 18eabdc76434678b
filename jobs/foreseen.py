"""Which version of a configuration file the next job will use, found out without changing anything."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from ingest.feed_list.feeds import load_feeds
from jobs.versions import own_of
from newswatch import config
from newswatch.clock import utc_now
from newswatch.config import Source, Written
from newswatch.errors import ConfigError, DocumentError, MissingIndexError, NewswatchError, StoreError
from newswatch.feed import Feed
from store.configuration import FEEDS, ConfigurationStore, Verdict, judge, older
from store.elastic.client import Client, connect
from store.elastic.faults import REFUSALS, store_error
from store.names import Names

if TYPE_CHECKING:
    from newswatch.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


def stale(settings: Settings, path: Path) -> str:
    """Why the file at `path` must not be edited: a newer version is in force. Empty: it may be, or nobody knows."""
    with asking(settings) as es:
        try:
            kept = ConfigurationStore(es, Names.of(settings)).kept(path.name)
            file = config.written(path)
            return older(kept, file) if judge(kept, file, utc_now()) is Verdict.OLDER else ""
        except (ConfigError, StoreError, DocumentError, *REFUSALS) as error:
            log.info("Which version of %s is in force can't be asked: %s", path.name, error)
            return ""


@dataclass(frozen=True, slots=True)
class Foreseen(Generic[T]):
    """What the next job will use, found out without changing anything."""

    value: T
    source: Written
    note: str = ""
    """Why it is not this machine's file, or why Elasticsearch could not be asked; empty: it was, and it is."""


def foreseen(settings: Settings, name: str, parse: Callable[[Source], T]) -> Foreseen[T]:
    """The configuration file `name` as the next job of this machine will use it: its file, or the version in force.

    Without an answer from Elasticsearch it is the file.

    Raises:
        ConfigError: the file can't be used, and no version is in force.
    """
    with asking(settings) as es:
        return _foreseen(ConfigurationStore(es, Names.of(settings)), settings.config_dir / name, parse)


def foreseen_feeds(settings: Settings) -> Foreseen[tuple[Feed, ...]]:
    """The feeds as the next plan will list them: `foreseen`, and beside it the list in Elasticsearch.

    Raises:
        ConfigError: as `foreseen`.
    """
    from store.feed_listing import listed_beside
    from store.feeds import FeedStore

    with asking(settings) as es:
        names = Names.of(settings)
        file = _foreseen(ConfigurationStore(es, names), settings.config_dir / FEEDS, load_feeds)
        try:
            stored = [record.feed for record in FeedStore(es, names).all()]
        except (StoreError, *REFUSALS) as error:
            if isinstance(fault := _fault(error), MissingIndexError):
                return file
            return file if file.note else replace(file, note=_unasked("feeds are listed in Elasticsearch", fault))
    return replace(file, value=listed_beside(file.value, stored))


def _foreseen(store: ConfigurationStore, path: Path, parse: Callable[[Source], T]) -> Foreseen[T]:
    own = own_of(path, parse)
    try:
        kept = store.kept(path.name)
        mine = own.value is not None and judge(kept, own.require_file(), utc_now()) is not Verdict.OLDER
        text = None if mine or not kept.hash else store.text(kept)
    except (StoreError, DocumentError, *REFUSALS) as error:
        fault = _fault(error)
        note = "" if isinstance(fault, MissingIndexError) else _unasked(f"version of {path.name} is in force", fault)
        return Foreseen(own.require(), own.require_file(), note)
    if text is None:
        return Foreseen(own.require(), own.require_file())
    try:
        return Foreseen(parse(text), text, str(own.error) if own.error else older(kept, own.require_file()))
    except ConfigError as error:  # written for another version of newswatch
        return Foreseen(own.require(), own.require_file(), str(error))


def _fault(error: Exception) -> NewswatchError:
    return error if isinstance(error, NewswatchError) else store_error(error)  # type: ignore[arg-type]  # REFUSALS


def _unasked(what: str, why: NewswatchError) -> str:
    return f"Which {what} can't be asked, so this machine's file alone is used: {why}"


_ASKED_S = 3
"""Seconds for asking which version is in force, before a file is edited that needs no server otherwise."""


@contextmanager
def asking(settings: Settings) -> Iterator[Client]:
    """A client that is not kept waiting, for what can be done without a server; closed at the end."""
    with connect(settings) as client:
        yield client.options(request_timeout=_ASKED_S, max_retries=0)


def answers(settings: Settings) -> bool:
    """Whether Elasticsearch answers at once, for what can be done without it."""
    with asking(settings) as es:
        try:
            es.info()
        except (StoreError, *REFUSALS):
            return False
        return True
