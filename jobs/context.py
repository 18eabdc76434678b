"""What every job needs: the settings, a client, the index names, a clock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import wraps
from socket import gethostname
from typing import Concatenate, ParamSpec, TypeVar

from delivery.channels import registry as channels
from jobs.taxonomy_in_force import TaxonomyInForce
from newswatch.clock import Clock, utc_now
from newswatch.errors import MissingIndexError, StoreError
from newswatch.origin import coming_from, origin_said
from newswatch.problems import Bulkhead, Fault, Problem, collecting, no_fault
from newswatch.settings import Settings
from observe.record import Run, recording
from store.audit import AuditLog
from store.configuration import TAXONOMY
from store.elastic.access import no_access
from store.elastic.client import Client, connect, where
from store.elastic.clock import store_clock
from store.elastic.faults import REFUSALS, store_error
from store.elastic.index_facts import created_at
from store.elastic.nodes import UnansweredError, UnreachableError
from store.indices.mapping import plain_indices
from store.indices.setup import set_up
from store.names import Names
from store.quarantine import Quarantine

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """Passed to every job; tests pass their own clock."""

    settings: Settings
    es: Client
    names: Names
    clock: Clock = utc_now
    fault: Fault = no_fault
    """Makes the work on chosen items fail, for tests."""
    after_run: Callable[[Run], None] = lambda _run: None
    """Called after each run of a job, also of one that failed (its `report` is None then). It must not raise."""

    @property
    def audit(self) -> AuditLog:
        """The log of who changed what."""
        return AuditLog(self.es, self.names, clock=self.clock)

    def bulkhead(self, stage: str) -> Bulkhead:
        """The walls of one stage of a job."""
        return Bulkhead(stage, fault=self.fault)

    def keep_problems(self, bulkhead: Bulkhead) -> None:
        """Put the problems of a stage into quarantine, where users see them.

        If that fails, they are logged and reported again by the next run; the work of the stage is kept.
        """
        if not bulkhead.problems:
            return
        try:
            Quarantine(self.es, self.names).note(bulkhead.problems, now=self.clock())
        except (StoreError, *REFUSALS):
            listed = "; ".join(f"{problem.subject}: {problem.reason}" for problem in bulkhead.problems)
            log.exception("%s: these problems could not be kept: %s", bulkhead.stage, listed)

    def replace_problems(self, bulkhead: Bulkhead) -> None:
        """Like `keep_problems`, for a stage that checks everything each time: forgets problems that no longer occur.

        If forgetting fails, the next run does it.
        """
        self.keep_problems(bulkhead)
        try:
            Quarantine(self.es, self.names).settle(bulkhead.stage, bulkhead.problems)
        except (StoreError, *REFUSALS) as error:
            log.warning("%s: solved problems could not be forgotten: %s", bulkhead.stage, error)

    @contextmanager
    def stage(self, name: str) -> Iterator[Bulkhead]:
        """The walls of a stage, also around everything that it reads; its problems are kept once, when it ends.

        Raises:
            StoreError: Elasticsearch refused a request for a reason that affects all items.
        """
        bulkhead = self.bulkhead(name)
        try:
            with collecting(bulkhead):
                yield bulkhead
        except REFUSALS as error:
            raise store_error(error) from error
        finally:
            self.keep_problems(bulkhead)

    def restore(self, index: str) -> bool:
        """Create a missing index again, empty, and report it. False: the index is not one that is created up front."""
        if index not in plain_indices(self.names):
            return False
        self._report_restored(set_up(self.es, self.names, self.settings))
        return True

    def _are_new(self, others: Iterable[str], created: Iterable[str]) -> bool:
        """Whether the oldest of `others` was created less than `SET_UP_S` before the newest of `created`."""
        born = created_at(self.es, [*others, *created])
        before = [born[index] for index in others if index in born]
        after = [born[index] for index in created if index in born]
        return bool(before and after) and max(after) - min(before) < timedelta(seconds=SET_UP_S)

    def _report_restored(self, created: list[str]) -> None:
        """Report indices that had to be created in an installation that has others.

        Where those were created a moment ago, another process is setting the installation up at the same time.
        """
        others = plain_indices(self.names).keys() - set(created)
        if not created or not others or self._are_new(others, created):
            return
        bulkhead = self.bulkhead("set up")
        for index in created:
            bulkhead.note(Problem("document", index, _RESTORED.format(index=index), bulkhead.stage))
            log.warning(_RESTORED.format(index=index))
        self.keep_problems(bulkhead)


SET_UP_S = 30.0
"""Seconds within which the processes of a new installation, which start together, have created all indices."""
_RESTORED = (
    "The index {index} was missing and has been created again, empty. If no upgrade has just added it, its content is "
    "lost: restore it from a snapshot"
)


def job(name: str) -> Callable[[Callable[Concatenate[Context, P], T]], Callable[Concatenate[Context, P], T]]:
    """Makes a function a job: a stage of that name, which recreates a missing index and then runs once more.

    Each run is recorded in the pulse (`observe.record`).
    """

    def made(work: Callable[Concatenate[Context, P], T]) -> Callable[Concatenate[Context, P], T]:
        def tried(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
            try:
                with context.stage(name):
                    return work(context, *args, **kwargs)
            except MissingIndexError as error:
                if not context.restore(error.index):
                    raise
            with context.stage(name):
                return work(context, *args, **kwargs)

        @wraps(work)
        def run(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
            recorded: Run | None = None
            try:
                with (
                    coming_from(origin_said() or f"the job {name} on {gethostname()}"),
                    recording(name, context.es, context.names, context.clock) as recorded,
                ):
                    recorded.report = result = tried(context, *args, **kwargs)
            finally:
                if recorded is not None:
                    context.after_run(recorded)
            return result

        return run

    return made


def open_context(
    settings: Settings | None = None, *, clock: Clock | None = None, check_channels: bool = True
) -> Context:
    """A context for the Elasticsearch of the settings, with its indices in place; its clock is Elasticsearch's.

    Without `check_channels`, only jobs that send mails are stopped by settings with which none can be sent.

    Raises:
        NewswatchError: what the settings say of a channel or of the operator can't be used.
        ConfigError: a setting that is needed for Elasticsearch is wrong.
        StoreError: Elasticsearch can't be reached, or refuses the mapping.
    """
    settings = settings or Settings()
    if check_channels:
        channels.check(settings)
    es, names = connect(settings), Names.of(settings)
    names = replace(names, taxonomy=TaxonomyInForce(es, names, settings.config_dir / TAXONOMY))
    context = Context(settings, es, names, clock or store_clock(es))
    try:
        created = set_up(es, names, settings)
    except REFUSALS as error:
        es.close()
        if barred := no_access(error):
            raise StoreError(str(barred)) from error
        # Connection errors name every address themselves.
        address = "" if isinstance(error, UnreachableError | UnansweredError) else f" at {where(settings)}"
        raise StoreError(
            f"Elasticsearch{address} can't be used: {_short(error)}. "
            "Start the embedded one with `newswatch up`, or set NEWSWATCH_ELASTICSEARCH_URL."
        ) from error
    context._report_restored(created)
    return context


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
