"""What strangers or users wrote and could not be used: set aside as a value, so that it costs only itself.

Every loop over entries, pages, feeds, stored documents, saved searches, recipients or mails passes the work on each
item to `Bulkhead.attempt`. What the item breaks becomes a `Problem`, and the loop goes on; what is broken for all of
them (Elasticsearch is away, a configuration file is wrong) is raised as before. `store.quarantine` keeps the
problems, where the News page, `newswatch problems` and Kibana show them.
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

ProblemKind = Literal["article", "entry", "page", "feed", "document", "search", "recipient", "mail", "batch"]
"""What it is that was set aside."""

KINDS: Final[tuple[ProblemKind, ...]] = get_args(ProblemKind)

ADVICE: Final[Mapping[ProblemKind, str]] = {
    "article": "Elasticsearch refused the article. It is kept whole here; it is tried again when its feed changes it.",
    "entry": "The feed's other entries were read. Tell its publisher, or report the reason as a fault of newswatch.",
    "page": "The article keeps its feed's text. The page is tried again when the feed changes the entry.",
    "feed": "The other feeds are polled. Correct its address in `config/feeds.yaml`, or remove it.",
    "document": "The document in Elasticsearch can't be read and is passed over. Correct it in Kibana, or delete it.",
    "search": "It mails nobody until it is corrected: open the saved search and save it anew.",
    "recipient": "The other recipients are served. Correct the address in the saved searches that name it.",
    "mail": "The other mails are sent. This one stays in the outbox and is tried again.",
    "batch": "The other batches are worked on. This one is tried again by the next run.",
}
"""What to do about a problem, by its kind: one or two sentences."""

NO_ADVICE: Final = "Another version of newswatch set it aside. If that is no longer used, forget it."
"""For a kind that is not known here."""

REASON_CHARS: Final = 1_000
"""A reason longer than that is cut, and ends in "…"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was set aside."""

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
    """What would be lost otherwise, whole."""

    @property
    def id(self) -> str:
        """The same for the same thing, so that a problem met every minute is one with a count."""
        return hashlib.sha256(f"{self.kind} {self.feed_id or ''} {self.subject}".encode()).hexdigest()[:32]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE.get(self.kind, NO_ADVICE)


Fault = Callable[[str, str], None]
"""Called with kind and subject before the work on an item; a test's own raises in the place it wants to break."""


def no_fault(_kind: str, _subject: str) -> None:
    """The fault of a pipeline that is not being tested."""


class Bulkhead:
    """The walls of one stage: collects what single items break, and lets pass what is broken for all of them."""

    def __init__(self, stage: str, *, fault: Fault = no_fault) -> None:
        self._stage, self._fault = stage, fault
        self._problems: dict[str, Problem] = {}

    @property
    def stage(self) -> str:
        """What the stage is called."""
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
        """What `work` on one item gives; None if the item broke it, which is then among the problems.

        Raises:
            StoreError, ConfigError, elastic_transport's errors: what is wrong is not the item's (`is_trouble`).
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
        """The same for work that is awaited; being cancelled is nobody's fault and goes through.

        Raises:
            StoreError, ConfigError, elastic_transport's errors: what is wrong is not the item's (`is_trouble`).
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
        log.error("%s: %s %s is set aside", self._stage, kind, subject, exc_info=error)
        self.note(Problem(kind, subject, reason_of(error), self._stage, url, feed_id))

    def note(self, problem: Problem) -> None:
        """Set something aside that was found to be wrong without an exception."""
        self._problems[problem.id] = problem

    def has(self, kind: ProblemKind, subject: str, *, feed_id: str | None = None) -> bool:
        """Whether that item was set aside."""
        return Problem(kind, subject, "", feed_id=feed_id).id in self._problems

    def reason(self, kind: ProblemKind, subject: str, *, feed_id: str | None = None) -> str:
        """Why that item was set aside; empty if it was not."""
        found = self._problems.get(Problem(kind, subject, "", feed_id=feed_id).id)
        return found.reason if found else ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was set aside so far, the last word on each item."""
        return tuple(self._problems.values())


_collecting: ContextVar[Bulkhead | None] = ContextVar("collecting", default=None)


@contextmanager
def collecting(bulkhead: Bulkhead) -> Iterator[Bulkhead]:
    """Within the block, also in the threads of `asyncio.to_thread`, `set_aside` gives problems to `bulkhead`."""
    token = _collecting.set(bulkhead)
    try:
        yield bulkhead
    finally:
        _collecting.reset(token)


def set_aside(problem: Problem) -> None:
    """Report what was found to be wrong far below the stage that is running, such as a stored document.

    Outside of a stage (a command, the News page) it is logged: the jobs meet it too, and keep it.
    """
    bulkhead = _collecting.get()
    if bulkhead is None or not bulkhead.has(problem.kind, problem.subject, feed_id=problem.feed_id):
        log.warning("%s %s is set aside: %s", problem.kind, problem.subject, problem.reason)
    if bulkhead is not None:
        bulkhead.note(problem if problem.stage else replace(problem, stage=bulkhead.stage))


def is_trouble(error: BaseException) -> bool:
    """Whether an error is nobody's in particular: the store is away or refuses everybody, the configuration is wrong.

    Elasticsearch answers 400 and 413 to what is wrong with the one request; anything else it says of itself. Only a
    closed index is a 400 as well.
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
