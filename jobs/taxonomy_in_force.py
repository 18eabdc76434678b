"""Which taxonomy says what the topics are called, for pages and mails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from newswatch import config
from newswatch.config import Source, Written
from newswatch.errors import ConfigError, DocumentError, StoreError
from store.configuration import (
    TAXONOMY,
    ConfigurationStore,
    Kept,
)
from store.elastic.client import Client
from store.elastic.faults import REFUSALS
from store.names import Names

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

T = TypeVar("T")


class TaxonomyInForce:
    """Which taxonomy says what the topics are called: the version in force. For `store.names.Names`.

    Pages ask many times, so that what is in force is asked for at most every `LOOK_S` seconds.
    """

    LOOK_S = 10.0

    def __init__(self, es: Client, names: Names, path: Path, *, progress: Callable[[], float] = time.monotonic) -> None:
        self._store, self._path, self._progress = ConfigurationStore(es, names), path, progress
        self._looked = -self.LOOK_S
        self._kept = Kept(TAXONOMY)
        self._text: Written | None = None
        self._file: tuple[tuple[int, int], str] | None = None

    def __call__(self) -> Source:
        """The machine's own file if its version is in force, or none is; otherwise the kept text."""
        if self._progress() - self._looked >= self.LOOK_S:
            self._looked = self._progress()
            self._kept = self._asked(lambda: self._store.kept(TAXONOMY)) or self._kept
        if not self._kept.hash or self._own_hash() == self._kept.hash:
            return self._path
        if self._text is None or self._text.hash != self._kept.hash:
            self._text = self._asked(lambda: self._store.text(self._kept))
        return self._text or self._path

    def renew(self) -> None:
        """Ask anew the next time: a job has found another version in force."""
        self._looked = -self.LOOK_S

    def _asked(self, question: Callable[[], T]) -> T | None:
        """The answer; None if Elasticsearch gives none, which stops nothing here."""
        try:
            return question()
        except (StoreError, DocumentError, *REFUSALS) as error:
            log.warning("Which taxonomy is in force can't be asked: %s", error)
            return None

    def _own_hash(self) -> str:
        """The hash of the machine's own file, read again when it changes; empty if it can't be read."""
        try:
            about = self._path.stat()
            state = (about.st_mtime_ns, about.st_size)
            if self._file is None or self._file[0] != state:
                self._file = (state, config.written(self._path).hash)
            return self._file[1]
        except (OSError, ConfigError):
            return ""
