"""What a query's words mean, as a vector: encoded once per process, while Elasticsearch searches for the words.

Whatever fails here costs a page its order by meaning, never the page: `Unmeant` says why, on the page and in the log,
and many failures of one process are a condition that its pages and metrics tell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, TypeVar

from newswatch.errors import NewswatchError
from search.failures import Failures, Tally
from search.limits import shown
from transforms import encoder as encoders
from transforms.encoder import Vector
from transforms.meaning import encoded

T = TypeVar("T")
_log = logging.getLogger(__name__)

AGAIN_S: Final = 60.0
"""Seconds after which words that could not be encoded are tried again."""
BUDGET_S: Final = 2.0
"""Seconds that a page waits for its words to be encoded, which takes tens of milliseconds. What comes later is kept for
the next page."""
_AT_ONCE: Final = 8
"""Queries that may be encoded at the same time. An encoder that hangs holds so many threads, and no more."""
_MOST_KEPT: Final = 1_000
"""Queries whose vectors are kept: 12 kB each."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The meaning of words, by an encoder."""

    vector: Vector
    by: str
    """The encoder's name: vectors of two must not be compared."""


@dataclass(frozen=True, slots=True)
class Unmeant:
    """Why a page does not go by what the words mean, though it should."""

    reason: str
    """As the end of a sentence."""
    is_absent: bool = False
    """This machine has no encoder: nothing has failed."""


def not_searched(why: str) -> Unmeant:
    """Elasticsearch has refused or failed."""
    return Unmeant(f"Elasticsearch could not search by meaning ({why})")


def told(unmeant: Unmeant | None, *, by_name: bool) -> str:
    """What a page says of it: a sentence, or nothing. An absent encoder counts if vectors were asked for `by_name`."""
    if unmeant is None or (unmeant.is_absent and not by_name):
        return ""
    return f"Ordered by the words only, not by their meaning: {unmeant.reason}."


ABSENT: Final = Unmeant("this server has no encoder", is_absent=True)
SWITCHED_OFF: Final = Unmeant("vectors are switched off", is_absent=True)
"""Nothing is lacking, so no page says it."""


class NotEncodedError(NewswatchError):
    """The encoder could not encode the words; the log has its reason."""


def meant(words: Sequence[str]) -> Meant | None:
    """What the words mean; None if this machine has no encoder.

    Raises:
        NotEncodedError: the encoder can't be loaded, failed now, or less than `AGAIN_S` ago.
    """
    encoder = encoders.load()
    if encoder is None and (fault := encoders.why_broken()):
        raise NotEncodedError(fault)
    if encoder is None:
        return None
    query = " ".join(words)
    kept, failed_at = _kept.get(query), _failed.get(query)
    if kept is not None and kept.by == encoder.name:
        return kept
    if failed_at is not None and time.monotonic() - failed_at < AGAIN_S:
        raise NotEncodedError(f"the encoder failed on these words less than {AGAIN_S:.0f} s ago")
    vector = encoded(query, None, encoder)  # of so few words the language can't be told: the mean of all is taken off
    if vector is None:
        _keep(_failed, query, time.monotonic())
        _log.warning("The encoder failed on %s", shown(query, 100))
        raise NotEncodedError(f"the encoder failed on these words, and is asked again in {AGAIN_S:.0f} s")
    return _keep(_kept, query, Meant(vector, encoder.name))


_kept: Final[dict[str, Meant]] = {}
_failed: Final[dict[str, float]] = {}
"""Query → when its encoding failed, by the monotonic clock."""
_keeping: Final = threading.Lock()


def _keep(by_query: dict[str, T], query: str, value: T) -> T:
    """The value, kept for the query in place of the oldest."""
    with _keeping:
        if len(by_query) >= _MOST_KEPT:
            del by_query[next(iter(by_query))]
        by_query[query] = value
    return value


def meant_soon(words: Sequence[str]) -> Callable[[], Meant | Unmeant]:
    """Begins to encode the words in a thread; what it returns waits for the result, for at most `BUDGET_S`.

    The encoder needs tens of milliseconds and releases the interpreter. The thread is made anew each time, as one that
    is kept would be missing in the processes that a web server forks. It ends with its process.
    """
    if kept := _kept.get(" ".join(words)):
        return lambda: kept
    slots = _slots
    if not slots.acquire(blocking=False):
        return lambda: Unmeant(f"the encoder is busy with {_AT_ONCE} other searches")
    soon: Future[Meant | Unmeant] = Future()
    begun = time.monotonic()
    try:
        threading.Thread(target=_encode, args=(words, soon, slots), name="encode", daemon=True).start()
    except RuntimeError as error:  # the machine gives no more threads
        slots.release()
        fault = f"the encoder could not begin ({error})"
        return lambda: Unmeant(fault)

    def result() -> Meant | Unmeant:
        try:
            return soon.result(max(0.0, begun + BUDGET_S - time.monotonic()))
        except TimeoutError:
            return Unmeant(f"the encoder took more than {BUDGET_S:g} s")

    return result


_slots: Final = threading.BoundedSemaphore(_AT_ONCE)


def _encode(words: Sequence[str], soon: Future[Meant | Unmeant], slots: threading.Semaphore) -> None:
    try:
        soon.set_result(meant(words) or ABSENT)
    except NotEncodedError as error:
        soon.set_result(Unmeant(str(error)))
    except BaseException as error:
        _log.exception("Words could not be encoded")
        soon.set_result(Unmeant(f"the encoder failed ({type(error).__name__})"))
    finally:
        slots.release()


# ── told and counted ─────────────────────────────────────────────────────────────────────────────────────────────────


_tally = Tally()


def failures() -> Failures:
    """Searches of this process that did not go by meaning."""
    return _tally.failures


def count_failure(unmeant: Unmeant) -> None:
    """Log and count a search that did not go by meaning; nothing where there is no encoder."""
    if unmeant.is_absent:
        return
    _tally.add(unmeant.reason)
    _log.warning("A page is not ordered by meaning: %s", unmeant.reason)
