"""The configuration files as jobs, pages and commands use them: the version in force, whatever lies on this machine.

`in_force` is the one way to a file. It reads the machine's own, keeps it as the version in force if it is good and not
older than that one (`store.configuration.judge`), and otherwise gives the version in force and notes what is wrong.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from alerts.definitions import EntryFault, read_alerts
from delivery.channels import registry as channels
from delivery.channels.registry import parse_address
from ingest.feeds import load_feeds
from jobs.audited import adoption
from newswatch import config
from newswatch.alert import SavedSearch
from newswatch.clock import utc_now
from newswatch.config import Source, Written
from newswatch.errors import ConfigError, DocumentError, MissingIndexError, NewswatchError, StoreError
from newswatch.feed import Feed
from newswatch.problems import report_problem
from newswatch.setting_faults import disagreements, mistyped
from newswatch.settings_in_part import wrong_settings
from store.client import Client, connect
from store.configuration import (
    ALERTS,
    FEEDS,
    SETTINGS,
    TAXONOMY,
    ConfigurationStore,
    Kept,
    Look,
    Verdict,
    fault_of,
    judge,
    observed,
    older,
    put_in_force,
)
from store.documents import problem_of
from store.faults import REFUSALS, store_error
from store.names import Names
from transforms.taxonomy import load_taxonomy

if TYPE_CHECKING:
    from jobs.context import Context
    from newswatch.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

HOST: Final = socket.gethostname()
"""What this machine is called in what is noted of its files."""

Alerts = tuple[tuple[SavedSearch, ...], tuple[EntryFault, ...]]


@dataclass(frozen=True, slots=True)
class InForce(Generic[T]):
    """A configuration file as it is to be used."""

    value: T
    source: Written
    wrong: str = ""
    """What is wrong with this machine's file: it is not used, or not whole. Empty: it is the version in force."""
    is_in_force: bool = True
    """False: it is this machine's file, because the version in force can't be read here. Nothing that it no longer
    names may be dropped."""


def read_saved_searches(source: Source) -> Alerts:
    """The saved searches of `alerts.yaml`, and the faults of its other items.

    Raises:
        ConfigError: the file as a whole can't be used.
    """
    return read_alerts(source, parse_address)


def faults_among(read: Alerts) -> str:
    """What is wrong with items of `alerts.yaml`; empty if nothing is. Pure."""
    return "; ".join(str(fault.error) for fault in read[1])


def no_faults(_value: Any) -> str:
    """For files that are used whole or not at all."""
    return ""


def in_force(
    context: Context,
    name: str,
    parse: Callable[[Source], T],
    *,
    partly: Callable[[T], str] = no_faults,
    adopt: bool = True,
) -> InForce[T]:
    """The configuration file `name` in the version in force, read by `parse`, which raises ConfigErrors.

    `partly` says what in a good file can't be used. With `adopt`, a newer file of this machine is put in force, and
    what is wrong with it is noted. Otherwise nothing is written.

    Raises:
        ConfigError: this machine's file can't be used, and no version is kept that can be.
        MissingIndexError: the index of the configuration is missing.
    """
    store, path = ConfigurationStore(context.es, context.names), context.settings.config_dir / name
    own = _own(path, parse)
    look = Look(HOST, str(path), own.file, own.told(partly), own.value is not None)
    kept = _looked(context, store, name, look) if adopt else _kept(store, name)
    if kept is None:
        return InForce(own.require(), own.require_file(), is_in_force=False)
    # The same whether or not it was noted.
    mine = fault_of(observed(kept, look, context.clock()), look.host, look.path)
    wrong = mine.why if mine else ""
    if own.value is not None and (not kept.hash or own.require_file().hash == kept.hash):
        return InForce(own.value, own.require_file(), wrong)
    text = _text(store, kept)
    if text is not None:
        try:
            return InForce(parse(text), text, wrong)
        except ConfigError as error:
            log.error("%s in force since %s can't be used by this version of newswatch: %s", name, kept.since, error)
    return InForce(own.require(), own.require_file(), wrong, is_in_force=False)


@dataclass(frozen=True, slots=True)
class _Own(Generic[T]):
    """This machine's file."""

    file: Written | None
    value: T | None
    error: ConfigError | None

    def told(self, partly: Callable[[T], str]) -> str:
        return str(self.error) if self.value is None else partly(self.value)

    def require(self) -> T:
        if self.value is None:
            assert self.error is not None
            raise self.error
        return self.value

    def require_file(self) -> Written:
        assert self.file is not None, "what has a value was read"
        return self.file


def _own(path: Path, parse: Callable[[Source], T]) -> _Own[T]:
    file = None
    try:
        file = config.written(path)
        return _Own(file, parse(file), None)
    except ConfigError as error:
        return _Own(file, None, error)


def _kept(store: ConfigurationStore, name: str) -> Kept | None:
    """What is known of the file; None: it can't be read, which is told and does not stop the work."""
    try:
        return store.kept(name)
    except DocumentError as error:
        report_problem(problem_of(error))
    except MissingIndexError:
        raise
    except StoreError as error:
        log.error("The version of %s in force can't be read: %s", name, error)
    return None


def _text(store: ConfigurationStore, kept: Kept) -> Written | None:
    """The version in force; None: its text is lost, or can't be read, which is told and does not stop the work."""
    try:
        return store.text(kept)
    except StoreError as error:
        log.error("The text of %s in force can't be read: %s", kept.name, error)
        return None


def _looked(
    context: Context, store: ConfigurationStore, name: str, look: Look, before: Kept | None = None
) -> Kept | None:
    """What is known of the file after this machine's look; None: that can't be read or written.

    `before` is what has just been read of it.
    """
    now, before = context.clock(), before or _kept(store, name)
    if before is None:
        return None

    def changed(kept: Kept) -> Kept:
        if look.file and look.is_usable and judge(kept, look.file, now) is Verdict.REPLACES:
            store.keep_text(name, look.file)  # before the version is in force, so that it can always be read
        return observed(kept, look, now)

    if observed(before, look, now) == before:
        return before
    adopted = look.file if look.file and look.is_usable and judge(before, look.file, now) is Verdict.REPLACES else None
    change = partial(store.change, name, changed)
    try:
        if adopted:
            deed = adoption(name, _text(store, before), adopted, f"{adopted.path} on {look.host}", before.hash)
            after = context.audit.change(deed, change)
        else:
            after = change()
        if after.hash != before.hash:
            log.info("%s: the version of %s on %s is in force", name, after.path, after.host)
            store.drop_text(after)
    except MissingIndexError:
        raise
    except (StoreError, DocumentError, *REFUSALS) as error:
        if isinstance(error, REFUSALS) and isinstance(store_error(error), MissingIndexError):
            raise
        log.error("What is known of %s could not be written: %s", name, error)
        return before
    _renew(context)
    return after


# ── each file ────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    look = Look(HOST, path, None, why, is_usable=not why)
    _looked(context, ConfigurationStore(context.es, context.names), SETTINGS, look)


def _of_channels(settings: Settings) -> Iterator[str]:
    try:
        channels.check(settings)
    except ConfigError:
        return  # a setting is wrong by itself, which is told as such
    except NewswatchError as error:
        yield str(error)


_RARELY_READ: Final[tuple[tuple[str, Callable[[Source], Any], Callable[[Any], str]], ...]] = (
    (ALERTS, read_saved_searches, faults_among),
    (TAXONOMY, lambda source: load_taxonomy(source), no_faults),  # so that tests can replace it
)


def _examine(context: Context, name: str, parse: Callable[[Source], Any], partly: Callable[[Any], str]) -> None:
    if unparsed(context, name) is None:
        in_force(context, name, parse, partly=partly)


def unparsed(context: Context, name: str, suffices: Callable[[str], bool] = lambda _hash: True) -> str | None:
    """What in this machine's file can't be used, if it is the version in force, as was found when it was parsed.

    None: it is not, or its hash does not suffice, so it must be parsed.

    Raises:
        MissingIndexError: the index of the configuration is missing.
    """
    store, path = ConfigurationStore(context.es, context.names), context.settings.config_dir / name
    kept = _kept(store, name)
    file = _own(path, lambda file: file).file
    if kept is None or file is None or file.hash != kept.hash or not suffices(file.hash):
        return None
    mine = fault_of(kept, HOST, path)
    # The version in force may have faults of its own, such as an item that can't be used.
    why = mine.why if mine is not None and mine.hash == kept.hash else ""
    _looked(context, store, name, Look(HOST, str(path), file, why), kept)
    return why


def feeds_in_force(context: Context) -> InForce[Any]:
    """The feeds of `feeds.yaml` in force.

    Raises:
        ConfigError: see `in_force`.
    """
    return in_force(context, FEEDS, load_feeds)


def alerts_in_force(context: Context, *, adopt: bool = True) -> InForce[Alerts]:
    """The saved searches of `alerts.yaml` in force, and the faults of its other items.

    Raises:
        ConfigError: see `in_force`.
    """
    return in_force(context, ALERTS, read_saved_searches, partly=faults_among, adopt=adopt)


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
    deed = adoption(name, _text(store, before), decided, by, before.hash)
    after = context.audit.change(deed, lambda: store.change(name, lambda kept: put_in_force(kept, decided, HOST, now)))
    store.drop_text(after)
    return after


PARSERS: Final[dict[str, Callable[[Source], Any]]] = {
    FEEDS: load_feeds,
    ALERTS: read_saved_searches,
    TAXONOMY: load_taxonomy,
}
"""File → what reads it, and raises a ConfigError if it can't be used."""


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
    own = _own(path, parse)
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


_ASKED_S = 3
"""Seconds for asking which version is in force, before a file is edited that needs no server otherwise."""


# ── the topics ───────────────────────────────────────────────────────────────────────────────────────────────────────


class TaxonomyInForce:
    """Which taxonomy says what the topics are called: the version in force. For `store.names.Names`.

    Pages ask many times, so that what is in force is asked for at most every `LOOK_S` seconds.
    """

    LOOK_S = 10.0

    def __init__(self, es: Client, names: Names, path: Path, *, progress: Callable[[], float] = time.monotonic) -> None:
        self._store, self._path, self._progress = ConfigurationStore(es, names), path, progress
        self._looked = -self.LOOK_S
        self._kept = Kept(TAXONOMY)
        self._text: Written | None = None
        self._file: tuple[tuple[int, int], str] | None = None

    def __call__(self) -> Source:
        """The machine's own file if its version is in force, or none is; otherwise the kept text."""
        if self._progress() - self._looked >= self.LOOK_S:
            self._looked = self._progress()
            self._kept = self._asked(lambda: self._store.kept(TAXONOMY)) or self._kept
        if not self._kept.hash or self._own_hash() == self._kept.hash:
            return self._path
        if self._text is None or self._text.hash != self._kept.hash:
            self._text = self._asked(lambda: self._store.text(self._kept))
        return self._text or self._path

    def renew(self) -> None:
        """Ask anew the next time: a job has found another version in force."""
        self._looked = -self.LOOK_S

    def _asked(self, question: Callable[[], T]) -> T | None:
        """The answer; None if Elasticsearch gives none, which stops nothing here."""
        try:
            return question()
        except (StoreError, DocumentError, *REFUSALS) as error:
            log.warning("Which taxonomy is in force can't be asked: %s", error)
            return None

    def _own_hash(self) -> str:
        """The hash of the machine's own file, read again when it changes; empty if it can't be read."""
        try:
            about = self._path.stat()
            state = (about.st_mtime_ns, about.st_size)
            if self._file is None or self._file[0] != state:
                self._file = (state, config.written(self._path).hash)
            return self._file[1]
        except (OSError, ConfigError):
            return ""


def _renew(context: Context) -> None:
    if isinstance(context.names.taxonomy, TaxonomyInForce):
        context.names.taxonomy.renew()
