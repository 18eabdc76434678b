"""What a query's words mean, as a vector: encoded once per process, while Elasticsearch searches for the words."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from newswatch.errors import NewswatchError
from search.limits import shown
from transforms import encoder as encoders
from transforms.encoder import Vector
from transforms.meaning import encoded

T = TypeVar("T")
_log = logging.getLogger(__name__)

AGAIN_S: Final = 60.0
"""Seconds after which words that could not be encoded are tried again."""
_MOST_KEPT: Final = 1_000
"""Queries whose vectors are kept: 12 kB each."""


@dataclass(frozen=True, slots=True)
class Meant:
    """The meaning of words, by an encoder."""

    vector: Vector
    by: str
    """The encoder's name: vectors of two must not be compared."""


class NotEncodedError(NewswatchError):
    """The encoder could not encode the words; the log has its reason."""


def meant(words: Sequence[str]) -> Meant | None:
    """What the words mean; None if this machine has no encoder.

    Raises:
        NotEncodedError: the encoder failed now, or less than `AGAIN_S` ago.
    """
    encoder = encoders.load()
    if encoder is None:
        return None
    query = " ".join(words)
    kept, failed_at = _kept.get(query), _failed.get(query)
    if kept is not None and kept.by == encoder.name:
        return kept
    if failed_at is not None and time.monotonic() - failed_at < AGAIN_S:
        raise NotEncodedError(f"the encoder failed on {shown(query, 100)} less than {AGAIN_S:.0f} s ago")
    vector = encoded(query, None, encoder)  # of so few words the language can't be told: the mean of all is taken off
    if vector is None:
        _keep(_failed, query, time.monotonic())
        raise NotEncodedError(f"the encoder failed on {shown(query, 100)}, and is asked again in {AGAIN_S:.0f} s")
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


@contextmanager
def encoding(words: Sequence[str]) -> Iterator[Callable[[], Meant | None]]:
    """Encode the words in a thread while the block runs; what it yields gives the result of `meant`, None on failure.

    The encoder needs tens of milliseconds and releases the interpreter. The thread is made anew each time, as one that
    is kept would be missing in the processes that a web server forks.
    """
    if kept := _kept.get(" ".join(words)):
        yield lambda: kept
        return
    with ThreadPoolExecutor(1, "encode") as pool:
        soon = pool.submit(meant, words)

        def result() -> Meant | None:
            try:
                return soon.result()
            except NotEncodedError as error:
                _log.warning("A page is not ordered by meaning: %s", error)
                return None

        yield result
