"""What an answer lacks: slices of the index that could not be searched. Elasticsearch answers all the same, in silence.

One slice (a month) may be on a dead node, be read with an error, or have a mapping of its own. Where people look, the
rest is shown and it is said what is missing (`lacking` of `search.asking`). Whatever counts, exports, feeds or
compares gets an `IncompleteError` instead.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from newswatch.errors import StoreError
from newswatch.some_of import some_of
from newswatch.texts import cut_short
from search.failures import Failures, Tally

_log = logging.getLogger(__name__)

_NAMED: Final = 3
"""Slices that a sentence names."""
_REASON_CHARS: Final = 200
_PARTIAL: Final = "Partial shards failure"
"""What Elasticsearch calls it where partial answers are refused."""
_NO_COPY: Final = "no_shard_available_action_exception"
_REJECTED: Final = "Search rejected due to missing shards"
"""What it says of slices without a copy where partial answers are refused."""

_OF_THE_QUERY: Final = frozenset(
    ("query_shard_exception", "parse_exception", "parsing_exception", "too_many_nested_clauses", "too_many_clauses")
)


@dataclass(frozen=True, slots=True)
class Missing:
    """Slices that could not be searched."""

    slices: tuple[str, ...]
    count: int
    """Shards that failed; 0: not known."""
    of: int
    """Shards that were asked; 0: not known."""
    reason: str

    def __str__(self) -> str:
        """One sentence for those who read the answer."""
        named = some_of(self.slices, _NAMED)
        of = f" of {self.of} slices" if self.of else f" slice{'s' * (self.count != 1)}"
        why = f"{named}: {self.reason}" if named else self.reason
        part = f"{self.count}{of}" if self.count else "A part"
        fault = f"{part} of the index could not be searched ({why})"
        whose = "their" if self.count > 1 else "its"
        return f"{fault}: {whose} articles are missing here, and in every count."


class IncompleteError(StoreError):
    """A part of the index could not be searched, so there is no whole answer. Made by `refused_part`."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        super().__init__(f"{missing} Try again in a minute; `newswatch status` says what is wrong.")


_tally = Tally()


def incomplete() -> Failures:
    """Answers of this process that lacked a slice."""
    return _tally.failures


def missing_in(answer: Mapping[str, Any]) -> Missing | None:
    """What an answer to a search lacks; None if it is whole.

    One that a time limit has cut does not say which slices it lacks. A shard of which no copy is in reach is neither
    successful nor always counted as failed (Elasticsearch, #45739).
    """
    shards = answer.get("_shards") or {}
    of = int(shards.get("total", 0))
    count = max(int(shards.get("failed", 0)), of - int(shards.get("successful", of)))
    if count:
        return _missing(shards.get("failures") or (), count, of)
    return Missing((), 0, of, "the time limit has passed") if answer.get("timed_out") else None


def missing_by(error: Any) -> Missing | None:
    """What the `error` of a search says that an answer would lack; None if it is another error.

    No slice at all may be in reach, as long as a node starts: what was asked is as little at fault as with one of many.
    """
    if not isinstance(error, Mapping):
        return None
    failures = error.get("failed_shards") or ()
    if error.get("reason") != _PARTIAL and not _has_no_copy(error, failures):
        return None
    return _missing(failures, max(1, len(failures)), 0)


def _has_no_copy(error: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]) -> bool:
    kinds = {(failure.get("reason") or {}).get("type") for failure in failures}
    return kinds == {_NO_COPY} or str((error.get("caused_by") or {}).get("reason", "")).startswith(_REJECTED)


def whole(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer.

    Raises:
        IncompleteError: it lacks a slice.
    """
    if missing := missing_in(answer):
        raise refused_part(missing)
    return answer


def refused_part(missing: Missing) -> IncompleteError:
    """The error for an answer that must be whole and is not; counted and logged."""
    return IncompleteError(noted(missing))


def cant_be_run(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Why the query is at fault, as every slice that was not passed over has refused it; None otherwise.

    Elasticsearch passes over months that can't match (`since:1d`). Where only they did not fail, it answers "nothing
    found" to a query that can't be run.
    """
    shards = answer.get("_shards") or {}
    failures = shards.get("failures") or ()
    if not failures or int(shards["failed"]) + int(shards.get("skipped", 0)) < int(shards["total"]):
        return None
    reason = failures[0].get("reason") or {}
    return {"root_cause": [reason], "failed_shards": failures} if reason.get("type") in _OF_THE_QUERY else None


def worst(missing: Iterable[Missing]) -> Missing | None:
    """The worst of what the answers to one question lack: most lack the same."""
    return max(missing, key=lambda one: one.count, default=None)


def noted(missing: Missing) -> Missing:
    """The same, counted and logged, as somebody gets the rest without it."""
    _tally.add(missing.reason)
    _log.warning("An answer is incomplete: %s", missing)
    return missing


def note_missing(answer: Mapping[str, Any]) -> Missing | None:
    """`missing_in`, counted and logged."""
    missing = missing_in(answer)
    return noted(missing) if missing else None


def _missing(failures: Sequence[Mapping[str, Any]], count: int, of: int) -> Missing:
    slices = tuple(dict.fromkeys(str(failure["index"]) for failure in failures if failure.get("index")))
    cause: Any = failures[0].get("reason") if failures else None
    while isinstance(cause, Mapping) and cause.get("caused_by"):
        cause = cause["caused_by"]
    told = "no copy is in reach"
    if isinstance(cause, Mapping) and cause.get("type") != _NO_COPY:
        told = str(cause.get("reason") or cause.get("type"))
    return Missing(slices, count, of, cut_short(" ".join(told.split()), _REASON_CHARS).rstrip("."))
