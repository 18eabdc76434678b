"""The version of a configuration file in force, whatever lies on this machine.

`in_force` is the one way to a file. It reads the machine's own, keeps it as the version in force if it is good and not
older than that one (`store.configuration.judge`), and otherwise gives the version in force and notes what is wrong.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from jobs.audited import adoption
from jobs.taxonomy_in_force import TaxonomyInForce
from newswatch import config
from newswatch.config import Source, Written
from newswatch.errors import ConfigError, DocumentError, MissingIndexError, StoreError
from newswatch.problems import report_problem
from store.configuration import ConfigurationStore, Kept, Look, Verdict, fault_of, judge, observed
from store.elastic.documents import problem_of
from store.elastic.faults import REFUSALS, store_error

if TYPE_CHECKING:
    from jobs.context import Context

log = logging.getLogger(__name__)

T = TypeVar("T")


HOST: Final = socket.gethostname()
"""What this machine is called in what is noted of its files."""


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
    own = own_of(path, parse)
    look = Look(HOST, str(path), own.file, own.told(partly), own.value is not None)
    kept = looked(context, store, name, look) if adopt else kept_of(store, name)
    if kept is None:
        return InForce(own.require(), own.require_file(), is_in_force=False)
    # The same whether or not it was noted.
    mine = fault_of(observed(kept, look, context.clock()), look.host, look.path)
    wrong = mine.why if mine else ""
    if own.value is not None and (not kept.hash or own.require_file().hash == kept.hash):
        return InForce(own.value, own.require_file(), wrong)
    text = text_of(store, kept)
    if text is not None:
        try:
            return InForce(parse(text), text, wrong)
        except ConfigError as error:
            log.error("%s in force since %s can't be used by this version of newswatch: %s", name, kept.since, error)
    return InForce(own.require(), own.require_file(), wrong, is_in_force=False)


def unparsed(context: Context, name: str, suffices: Callable[[str], bool] = lambda _hash: True) -> str | None:
    """What in this machine's file can't be used, if it is the version in force, as was found when it was parsed.

    None: it is not, or its hash does not suffice, so it must be parsed.

    Raises:
        MissingIndexError: the index of the configuration is missing.
    """
    store, path = ConfigurationStore(context.es, context.names), context.settings.config_dir / name
    kept = kept_of(store, name)
    file = own_of(path, lambda file: file).file
    if kept is None or file is None or file.hash != kept.hash or not suffices(file.hash):
        return None
    mine = fault_of(kept, HOST, path)
    # The version in force may have faults of its own, such as an item that can't be used.
    why = mine.why if mine is not None and mine.hash == kept.hash else ""
    looked(context, store, name, Look(HOST, str(path), file, why), kept)
    return why


@dataclass(frozen=True, slots=True)
class Own(Generic[T]):
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


def own_of(path: Path, parse: Callable[[Source], T]) -> Own[T]:
    file = None
    try:
        file = config.written(path)
        return Own(file, parse(file), None)
    except ConfigError as error:
        return Own(file, None, error)


def kept_of(store: ConfigurationStore, name: str) -> Kept | None:
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


def text_of(store: ConfigurationStore, kept: Kept) -> Written | None:
    """The version in force; None: its text is lost, or can't be read, which is told and does not stop the work."""
    try:
        return store.text(kept)
    except StoreError as error:
        log.error("The text of %s in force can't be read: %s", kept.name, error)
        return None


def looked(
    context: Context, store: ConfigurationStore, name: str, look: Look, before: Kept | None = None
) -> Kept | None:
    """What is known of the file after this machine's look; None: that can't be read or written.

    `before` is what has just been read of it.
    """
    now, before = context.clock(), before or kept_of(store, name)
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
            deed = adoption(name, text_of(store, before), adopted, f"{adopted.path} on {look.host}", before.hash)
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


def _renew(context: Context) -> None:
    if isinstance(context.names.taxonomy, TaxonomyInForce):
        context.names.taxonomy.renew()
