"""Keeps what a job reads in the archive, if there is one. What is wrong with the archive costs the archive alone."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from threading import Lock
from typing import Final

from ingest.archive import Archive, join_past, tidy
from ingest.http.fetched import Fetched
from jobs.context import Context
from jobs.doubt import is_clock_doubted
from newswatch import private
from newswatch.problems import Problem, reason_of

log = logging.getLogger(__name__)

STAGE = "archive"
TIDIED_EVERY_S: Final = 600.0
"""Seconds between two looks at the size of the archive: each looks at every file of the day, and the fast lane ends
batches by the second."""


class Keeping:
    """The archive of one run of a job; does nothing without `archive_dir`."""

    def __init__(self, context: Context) -> None:
        self._context, self._folder = context, context.settings.archive_dir
        self._archive = Archive(self._folder, now=context.clock()) if self._folder else None
        self._walls = context.bulkhead(STAGE)
        self._lock = Lock()

    def keep(self, answer: Fetched, *, feed_id: str | None = None) -> None:
        """Archive an answer. After a first failure the rest of the run is not archived, which is told once."""
        archive = self._archive
        if archive is None:
            return
        try:
            archive.keep(answer, feed_id=feed_id)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Finish the archive of this run, keep all of it within its limits, and tell or forget what was wrong."""
        if self._folder is None:
            return
        settings = self._context.settings
        try:
            if self._archive is not None:
                self._archive.close()
            if _is_due(self._folder):
                keep_days = None if is_clock_doubted(self._context) else settings.archive_days
                most = settings.archive_max_bytes
                tidy(self._folder, keep_days=keep_days, max_bytes=most, now=self._context.clock())
        except OSError as error:
            self._give_up(error)
        self._context.replace_problems(self._walls)

    def _give_up(self, error: OSError) -> None:
        with self._lock:
            archive, self._archive = self._archive, None
        if archive is None:  # another thread has told it
            return
        log.error("the archive in %s is not written", self._folder, exc_info=error)
        self._walls.note(Problem("archive", str(self._folder), reason_of(error), STAGE))


def join_archive(context: Context) -> None:
    """Make the archive's files of each past day one, on this machine. What is wrong with them becomes a problem."""
    folder = context.settings.archive_dir
    if folder is None:
        return
    walls = context.bulkhead(f"{STAGE} joined")
    try:
        join_past(folder, now=context.clock())
    except OSError as error:
        log.exception("the archive in %s can't be joined", folder)
        walls.note(Problem("archive", f"{folder} joined", reason_of(error), walls.stage))
    context.replace_problems(walls)


def _is_due(folder: Path) -> bool:
    """Whether nobody has tidied the archive for a while; it is noted as tidied now."""
    mark = folder / ".tidied"
    try:
        if 0 <= time.time() - mark.stat().st_mtime < TIDIED_EVERY_S:
            return False
    except FileNotFoundError:
        if not folder.is_dir():  # nothing was ever kept
            return False
    private.write_text(mark, "")
    return True
