"""Input that can't be used becomes a value, so that it costs only itself.

Every loop over entries, pages, feeds, stored documents, saved searches, recipients or mails passes the work on each
item to `Bulkhead.attempt`. An exception for one item becomes a `Problem`, and the loop continues; an error that affects
all items (Elasticsearch is away, a configuration file is wrong) is raised. `store.quarantine` keeps the problems; the
News page, `newswatch problems` and Kibana show them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar, get_args

from newswatch.errors import ConfigError, StoreError
from newswatch.texts import cut_short

log = logging.getLogger(__name__)

T = TypeVar("T")

ProblemKind = Literal[
    "article", "entry", "page", "feed", "document", "search", "recipient", "mail", "batch", "archive", "hub"
]
"""What kind of thing is in quarantine."""

KINDS: Final[tuple[ProblemKind, ...]] = get_args(ProblemKind)

ADVICE: Final[Mapping[ProblemKind, str]] = {
    "article": "Elasticsearch refused the article. It is kept whole here; it is tried again when its feed changes it.",
    "entry": "The feed's other entries were read. Tell its publisher, or report the reason as a fault of newswatch.",
    "page": "The article keeps its feed's text. The page is tried again when the feed changes the entry.",
    "feed": "The other feeds are polled. Correct its address in `config/feeds.yaml`, or remove it.",
    "document": "The document in Elasticsearch can't be read and is skipped. Correct it in Kibana, or delete it.",
    "search": "It sends no mails until it is corrected: open the saved search and save it again.",
    "recipient": "The other recipients get their mails. Correct the address in the saved searches that name it.",
    "mail": "The other mails are sent. This one stays in the outbox and is tried again.",
    "batch": "The other batches are processed. The next run tries this one again, but for joining across languages.",
    "hub": "Readers get the feeds as ever, only not at once. The next run tells the hub again.",
    "archive": "Articles are read, tagged and mailed as ever; only the bytes they were read from are not kept.",
}
"""What to do about a problem, by its kind: one or two sentences."""

NO_ADVICE: Final = "Another version of newswatch put it into quarantine. If that version is gone, forget the problem."
"""For a kind that this version does not know."""

REASON_CHARS: Final = 1_000
"""A longer reason is cut and ends in "…"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing in quarantine."""

    kind: ProblemKind
    subject: str
    """Which one: the id of a feed, an entry, a search, `index/id` of a document, an address."""
    reason: str
    """Why, in one line."""
    stage: str = ""
    """Where: plan, fetch, parse, assemble, index, match, deliver, …"""
    url: str | None = None
    feed_id: str | None = None
    document: Mapping[str, Any] | None = None
    """The whole thing, where it is kept nowhere else."""

    @property
    def id(self) -> str:
        """The same for the same thing, so that a problem that recurs every minute is one with a count."""
        return hashlib.sha256(f"{self.kind} {self.feed_id or ''} {self.subject}".encode()).hexdigest()[:32]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE.get(self.kind, NO_ADVICE)


Fault = Callable[[str, str], None]
"""Called with kind and subject before the work on an item; a test passes one that raises where it wants a failure."""


def no_fault(_kind: str, _subject: str) -> None:
    """The `Fault` outside tests: does nothing."""


class Bulkhead:
    """The walls of one stage: collects the failures of single items, and raises errors that affect all of them."""

    def __init__(self, stage: str, *, fault: Fault = no_fault) -> None:
        self._stage, self._fault = stage, fault
        self._problems: dict[str, Problem] = {}

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self._stage

    def attempt(
        self,
        kind: ProblemKind,
        subject: str,
        work: Callable[[], T],
        *,
        url: str | None = None,
        feed_id: str | None = None,
    ) -> T | None:
        """The result of `work` on one item; None if the item made it fail, which is then among the problems.

        Raises:
            StoreError, ConfigError, elastic_transport's errors: the item is not the cause (`is_trouble`).
        """
        try:
            self._fault(kind, subject)
            return work()
        except Exception as error:
            self._judge(error, kind, subject, url, feed_id)
            return None

    async def attempt_async(
        self,
        kind: ProblemKind,
        subject: str,
        work: Callable[[], Awaitable[T]],
        *,
        url: str | None = None,
        feed_id: str | None = None,
    ) -> T | None:
        """The same for awaitable work; a cancellation passes through.

        Raises:
            StoreError, ConfigError, elastic_transport's errors: the item is not the cause (`is_trouble`).
        """
        try:
            self._fault(kind, subject)
            return await work()
        except Exception as error:
            self._judge(error, kind, subject, url, feed_id)
            return None

    def _judge(self, error: Exception, kind: ProblemKind, subject: str, url: str | None, feed_id: str | None) -> None:
        if is_trouble(error):
            raise error
        log.error("%s: %s %s goes into quarantine", self._stage, kind, subject, exc_info=error)
        self.note(Problem(kind, subject, reason_of(error), self._stage, url, feed_id))

    def note(self, problem: Problem) -> None:
        """Add a problem that was noticed without an exception."""
        self._problems[problem.id] = problem

    def has(self, kind: ProblemKind, subject: str, *, feed_id: str | None = None) -> bool:
        """Whether that item has a problem."""
        return Problem(kind, subject, "", feed_id=feed_id).id in self._problems

    def reason(self, kind: ProblemKind, subject: str, *, feed_id: str | None = None) -> str:
        """The problem of that item; empty if it has none."""
        problem = self._problems.get(Problem(kind, subject, "", feed_id=feed_id).id)
        return problem.reason if problem else ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems so far, the latest for each item."""
        return tuple(self._problems.values())


_collecting: ContextVar[Bulkhead | None] = ContextVar("collecting", default=None)


@contextmanager
def collecting(bulkhead: Bulkhead) -> Iterator[Bulkhead]:
    """Within the block, also in the threads of `asyncio.to_thread`, `report_problem` gives problems to `bulkhead`."""
    token = _collecting.set(bulkhead)
    try:
        yield bulkhead
    finally:
        _collecting.reset(token)


def report_problem(problem: Problem) -> None:
    """Report a problem from code far below the running stage, such as the reader of stored documents.

    Outside a stage (in a command, on the News page) it is only logged: the jobs meet the problem too, and keep it.
    """
    bulkhead = _collecting.get()
    if bulkhead is None or not bulkhead.has(problem.kind, problem.subject, feed_id=problem.feed_id):
        log.warning("%s %s goes into quarantine: %s", problem.kind, problem.subject, problem.reason)
    if bulkhead is not None:
        bulkhead.note(problem if problem.stage else replace(problem, stage=bulkhead.stage))


def is_trouble(error: BaseException) -> bool:
    """Whether an error has no single item as its cause: the store is away or refuses all, the configuration is wrong.

    Elasticsearch answers 400 and 413 if the request is at fault; all its other errors are its own. A closed index is
    the exception: it answers 400 too.
    """
    if isinstance(error, StoreError | ConfigError):
        return True
    from elastic_transport import ApiError, TransportError

    if isinstance(error, ApiError):
        return error.meta.status not in (400, 413) or "index_closed_exception" in str(error.body)
    return isinstance(error, TransportError)


def reason_of(error: BaseException) -> str:
    """An exception in one line of at most `REASON_CHARS` characters."""
    return cut_short(" ".join(f"{type(error).__name__}: {error}".split()), REASON_CHARS)
