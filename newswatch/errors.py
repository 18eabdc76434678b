"""The errors that a user can act on.

    NewswatchError          every error of ours; its text is one sentence with the next step
    ├─ ConfigError          a file that a user edits is wrong: names file and line
    ├─ QueryError           a search that can't be run: names the position
    ├─ StoreError           Elasticsearch is unreachable, or refuses
    │  └─ MissingIndexError an index that newswatch created is missing
    ├─ SetupError           something optional that was asked for is not installed
    ├─ DocumentError        one document in Elasticsearch can't be read: names it
    ├─ StackError           the embedded stack can't start or stop
    └─ ChangedMeanwhileError somebody else has written what was to be changed

A bad feed, page or article is a value (`FetchFailed`, `NotAFeed`, `problems`), never one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class NewswatchError(Exception):
    """Base of all; `exit_code` is the exit code of the command line."""

    exit_code = 1


class ConfigError(NewswatchError):
    """A configuration file is wrong; the message begins with `file:line:`.

    `faults` are all faults that were found, each with its line; the message may name only the first of many.
    """

    exit_code = 3

    def __init__(
        self, path: Path | str, line: int | None, message: str, faults: Sequence[tuple[int | None, str]] = ()
    ) -> None:
        self.path, self.line = str(path), line
        self.faults = tuple(faults) or ((line, message),)
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


class QueryError(NewswatchError):
    """A query can't be parsed; the message shows where."""

    exit_code = 2


class StoreError(NewswatchError):
    """Elasticsearch can't be reached, or refused the request."""

    exit_code = 4


class ChangedMeanwhileError(NewswatchError):
    """Somebody else has changed, made or deleted it since it was looked at; nothing was changed."""


class SetupError(NewswatchError):
    """What was asked for needs something that is not installed, or is switched off; the message says what."""

    exit_code = 3


class MissingIndexError(StoreError):
    """An index is missing; `index` is its name."""

    def __init__(self, index: str, message: str) -> None:
        self.index = index
        super().__init__(message)


class DocumentError(NewswatchError):
    """A stored document can't be read; only work that needs it fails. `index`, `id` and `reason` say which and why."""

    exit_code = 4

    def __init__(self, index: str, document_id: str, reason: str) -> None:
        self.index, self.id, self.reason = index, document_id, reason
        super().__init__(
            f"The document {index}/{document_id} in Elasticsearch can't be read: {reason}. "
            "Correct it in Kibana, or delete it."
        )


class StackError(NewswatchError):
    """A part of the embedded stack can't be started or stopped."""

    exit_code = 5
