"""Remembers which version of a configuration file an index follows, so that the file is applied once per version.

A note counts for one index, known by its UUID, so that an index that was deleted and made again gets the file again;
and for `APPLIED_FOR`, which mends what was changed by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch

from newswatch.clock import SKEW
from newswatch.errors import DocumentError, MissingIndexError, StoreError
from newswatch.problems import report_problem
from store.elastic.compare_and_set import put
from store.elastic.documents import Stored, dump, load, problem_of
from store.elastic.faults import REFUSALS, our_error
from store.elastic.index_facts import uuid_of
from store.elastic.reading import get_one
from store.names import Names

log = logging.getLogger(__name__)

APPLIED_FOR: Final = timedelta(hours=1)
"""How long the note of an applied version counts."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The version of a configuration file that an index follows."""

    name: str
    hash: str = ""
    """Empty: it must be applied again."""
    index: str = ""
    """The UUID of the index."""
    since: datetime | None = None

    def covers(self, file_hash: str, index: str, now: datetime) -> bool:
        """Whether a version needs not be applied to an index now. Pure."""
        if self.since is None or not file_hash or (self.hash, self.index) != (file_hash, index):
            return False
        return -SKEW <= now - self.since < APPLIED_FOR


class Application:
    """One file and the index that follows it, as they are now. Make it before the file is applied.

    A note that can't be read or written does not stop the work: the file is applied again.
    """

    def __init__(self, es: Elasticsearch, names: Names, name: str, index: str) -> None:
        """Read the note about the file `name`.

        Raises:
            MissingIndexError: one of the two indices is missing.
        """
        self._es, self._index, self._name = es, names.configuration, name
        self._was: Stored[Applied] | None = None
        self._follows = ""
        try:
            self._was = _read(es, names, name)
            self._follows = uuid_of(es, index)
        except (StoreError, *REFUSALS) as error:
            why = our_error(error)
            if isinstance(why, MissingIndexError):
                raise why from error
            log.warning("Which version of %s was applied can't be asked, so it is applied again: %s", name, why)

    def covers(self, file_hash: str, now: datetime) -> bool:
        """Whether that version needs not be applied now."""
        return self._was is not None and self._was.value.covers(file_hash, self._follows, now)

    def note(self, file_hash: str, now: datetime) -> None:
        """Note that the version was applied, unless somebody has changed the index by other means meanwhile."""
        if not self._follows:
            return
        applied = Applied(self._name, file_hash, self._follows, now)
        with _tolerated(self._name):
            put(self._es, self._index, _id(self._name), applied, dump(applied), self._was)


def apply_again(es: Elasticsearch, names: Names, name: str) -> None:
    """Have the file applied again at the next occasion. Call it after the index was changed by other means."""
    with _tolerated(name):
        es.index(index=names.configuration, id=_id(name), document=dump(Applied(name)))


@contextmanager
def _tolerated(name: str) -> Iterator[None]:
    """What was done stays done if it can't be noted; within an hour the file is applied again in any case."""
    try:
        yield
    except REFUSALS as error:
        log.warning("Which version of %s was applied can't be noted: %s", name, our_error(error))


def _read(es: Elasticsearch, names: Names, name: str) -> Stored[Applied] | None:
    try:
        return get_one(es, names.configuration, _id(name), read_applied)
    except DocumentError as error:
        report_problem(problem_of(error))
        apply_again(es, names, name)
        return get_one(es, names.configuration, _id(name), read_applied)


def _id(name: str) -> str:
    return f"{name}~applied"


def read_applied(_: str, document: Mapping[str, Any]) -> Applied:
    """The note of a document. Pure."""
    return load(Applied, document)
