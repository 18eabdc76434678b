"""What every job needs: the settings, a client, the index names, a clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from delivery.channels import registry as channels
from newswatch.clock import Clock, utc_now
from newswatch.errors import MissingIndexError, StoreError
from newswatch.problems import Bulkhead, Fault, Problem, collecting, no_fault
from newswatch.settings import Settings
from store.client import Client, connect, set_up, where
from store.clock import store_clock
from store.faults import REFUSALS, store_error
from store.mapping import plain_indices
from store.names import Names
from store.nodes import UnansweredError, UnreachableError
from store.quarantine import Quarantine

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every job; tests hand in their own clock."""

    settings: Settings
    es: Client
    names: Names
    clock: Clock = utc_now
    fault: Fault = no_fault
    """Breaks the work on chosen items, for tests."""

    def bulkhead(self, stage: str) -> Bulkhead:
        """The walls of one stage of a job."""
        return Bulkhead(stage, fault=self.fault)

    def set_aside(self, bulkhead: Bulkhead) -> None:
        """Keep the problems of a stage, where users see them.

        What the stage did stands, also if its problems can't be kept: they are logged, and come again.
        """
        if not bulkhead.problems:
            return
        try:
            Quarantine(self.es, self.names).note(bulkhead.problems, now=self.clock())
        except (StoreError, *REFUSALS):
            told = "; ".join(f"{problem.subject}: {problem.reason}" for problem in bulkhead.problems)
            log.exception("%s: these problems could not be kept: %s", bulkhead.stage, told)

    def settle(self, bulkhead: Bulkhead) -> None:
        """As `set_aside`, for a stage that looks at everything each time: what it no longer meets is forgotten.

        If that fails, it is done at the next run.
        """
        self.set_aside(bulkhead)
        try:
            Quarantine(self.es, self.names).settle(bulkhead.stage, bulkhead.problems)
        except (StoreError, *REFUSALS) as error:
            log.warning("%s: problems that are mended could not be forgotten: %s", bulkhead.stage, error)

    @contextmanager
    def stage(self, name: str) -> Iterator[Bulkhead]:
        """The walls of a stage, around all that is read in it: its problems are kept, once, when it ends.

        Raises:
            StoreError: what Elasticsearch refused everybody, in one sentence.
        """
        bulkhead = self.bulkhead(name)
        try:
            with collecting(bulkhead):
                yield bulkhead
        except REFUSALS as error:
            raise store_error(error) from error
        finally:
            self.set_aside(bulkhead)

    def restore(self, index: str) -> bool:
        """Make an index that is missing anew, empty, and tell; False: it is none that is made beforehand."""
        if index not in plain_indices(self.names):
            return False
        self._tell_restored(set_up(self.es, self.names, self.settings))
        return True

    def _tell_restored(self, created: list[str]) -> None:
        """Indices that had to be made in an installation that has others."""
        if not created or len(created) == len(plain_indices(self.names)):
            return
        bulkhead = self.bulkhead("set up")
        for index in created:
            bulkhead.note(Problem("document", index, _RESTORED.format(index=index), bulkhead.stage))
            log.warning(_RESTORED.format(index=index))
        self.set_aside(bulkhead)


_RESTORED = (
    "The index {index} was missing and has been made anew, empty. If no upgrade has just added it, what it held is "
    "lost: restore it from a snapshot"
)


def job(name: str) -> Callable[[Callable[Concatenate[Context, P], T]], Callable[Concatenate[Context, P], T]]:
    """Makes a function a job: a stage of that name, which makes an index that is missing anew and then runs again."""

    def made(work: Callable[Concatenate[Context, P], T]) -> Callable[Concatenate[Context, P], T]:
        @wraps(work)
        def run(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                with context.stage(name):
                    return work(context, *args, **kwargs)
            except MissingIndexError as error:
                if not context.restore(error.index):
                    raise
            with context.stage(name):
                return work(context, *args, **kwargs)

        return run

    return made


def open_context(settings: Settings | None = None, *, clock: Clock | None = None) -> Context:
    """A context on the Elasticsearch of the settings, its indices in place; its clock is Elasticsearch's.

    Raises:
        NewswatchError: what the settings say of a channel or of the operator can't be used.
        StoreError: Elasticsearch can't be reached, or refuses the mapping.
    """
    settings = settings or Settings()
    channels.check(settings)
    es, names = connect(settings), Names(settings.index_prefix)
    context = Context(settings, es, names, clock or store_clock(es))
    try:
        created = set_up(es, names, settings)
    except REFUSALS as error:
        es.close()
        # What tells of connections names every address itself.
        at = "" if isinstance(error, UnreachableError | UnansweredError) else f" at {where(settings)}"
        raise StoreError(
            f"Elasticsearch{at} can't be used: {_short(error)}. "
            "Start the embedded one with `newswatch up`, or set NEWSWATCH_ELASTICSEARCH_URL."
        ) from error
    context._tell_restored(created)
    return context


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
