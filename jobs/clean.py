"""`clean`: keeps Airflow's database and all logs small. It runs beside Airflow, as tasks can't reach the database.

Logs are bounded by age and by size, hourly. Old rows of the database are deleted nightly, by `airflow db clean`, and a
SQLite file of which much is unused then is written anew.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jobs.context import Context, job
from newswatch import private
from newswatch.errors import StackError
from newswatch.settings import Settings

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""Airflow's variable with the address of its database; without it there is no database to clean here."""
STAMP = ".database-cleaned"
"""File in the log folder whose time says when the database was last cleaned."""
NIGHT_HOUR = 3
"""The hour, UTC, from which on the database is cleaned once a day."""
OPEN_LOG_BYTES = 10_000_000
"""A log that a running process appends to is emptied into `….1` above this size."""
ROWS_AT_ONCE = 1_000
"""Rows deleted in one transaction: SQLite lets nobody else write meanwhile."""
TABLES: Final = (
    "_xcom_archive",
    "asset_event",
    "callback",
    "celery_taskmeta",
    "celery_tasksetmeta",
    "connection_test_request",
    "dag_run",
    "dag_version",
    "deadline",
    "import_error",
    "job",
    "log",
    "partitioned_asset_key_log",
    "revoked_token",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "task_state_store",
    "trigger",
    "xcom",
)
"""Airflow's tables that grow: all that `airflow db clean` knows but `dag`. That has a row for each DAG, with whether it
is paused; after weeks without Airflow all of them would be deleted before they are parsed again."""
DATABASE_TIMEOUT_S = 3_600.0
SQLITE: Final = "sqlite:///"
FREE_SHARE: Final = 0.5
"""Share of unused pages in a SQLite file from which on it is written anew: SQLite returns none by itself."""
FREE_BYTES: Final = 50_000_000
"""Fewer unused bytes are left alone."""
SHRUNK_BYTES: Final = 500_000_000
"""A database with more bytes in use is left as it is: while it is written anew, nobody else writes, for seconds."""
LOCK_S: Final = 10.0
"""Seconds to wait until nobody else writes."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file that no running process needs any more."""

    path: Path
    size: int
    """Bytes."""
    modified: datetime


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a run did."""

    logs_deleted: int = 0
    bytes_deleted: int = 0
    logs_emptied: int = 0
    """Logs of running processes that were moved to `….1`."""
    database: bool = False
    """Whether the database was cleaned."""
    database_bytes_freed: int = 0
    """By how much its file was shrunk."""


@job("clean")
def clean(context: Context, folder: Path) -> Cleaned:
    """Clean the logs in `folder`, and once a night Airflow's database, recorded in the pulse.

    Raises:
        StackError: `airflow db clean` failed; the logs are cleaned.
    """
    return clean_here(context.settings, folder, context.clock())


def clean_here(settings: Settings, folder: Path, now: datetime) -> Cleaned:
    """The same without Elasticsearch, so that nothing grows while that is away."""
    emptied = _empty_open_logs(folder)
    deleted = surplus(
        list(_closed_logs(folder)),
        now=now,
        keep=timedelta(days=settings.log_retention_days),
        max_bytes=settings.log_max_bytes,
    )
    for each in deleted:
        each.path.unlink(missing_ok=True)
    _remove_empty_folders(folder, before=now - timedelta(days=1))
    database = DATABASE in os.environ and database_is_due(_cleaned_at(folder), now)
    if database:
        _clean_database(now - timedelta(days=settings.airflow_retention_days))
        private.write_text(folder / STAMP, "")
    freed = shrink(os.environ[DATABASE]) if database else 0
    return Cleaned(len(deleted), sum(each.size for each in deleted), emptied, database, freed)


def surplus(logs: Sequence[LogFile], *, now: datetime, keep: timedelta, max_bytes: int) -> list[LogFile]:
    """The logs to delete: those older than `keep`, and the oldest of the rest while they are too large together. Pure.

    A log that was written to within the last hour is always kept, since its task may still run.
    """
    room, deleted = max_bytes, []
    for log in sorted(logs, key=lambda log: log.modified, reverse=True):
        room -= log.size
        age = now - log.modified
        if age > keep or (room < 0 and age > timedelta(hours=1)):
            deleted.append(log)
    return deleted


def database_is_due(cleaned_at: datetime | None, now: datetime) -> bool:
    """Whether the database has not been cleaned since the last night began. Pure."""
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    night = night if night <= now else night - timedelta(days=1)
    return cleaned_at is None or cleaned_at < night


def clean_command(before: datetime) -> list[str]:
    """The command that deletes what is older than `before` from Airflow's database. Pure."""
    stated = ["--clean-before-timestamp", before.isoformat(), "--batch-size", str(ROWS_AT_ONCE)]
    stated += ["--tables", ",".join(TABLES)]
    flags = ["--skip-archive", "--yes", "--error-on-cleanup-failure"]
    return [sys.executable, "-m", "airflow", "db", "clean", *stated, *flags]


def _clean_database(before: datetime) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            clean_command(before),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DATABASE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"`airflow db clean` did not end within {DATABASE_TIMEOUT_S:.0f} s.") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise StackError(f"`airflow db clean` failed (status {done.returncode}): {last}")


def shrink(address: str) -> int:
    """Write a SQLite database anew if much of its file is unused; the bytes freed. Other databases reuse their own.

    Where somebody else keeps writing, or the disk is full, it stays as it is until the next night.
    """
    path = Path(address.removeprefix(SQLITE).partition("?")[0])
    if not address.startswith(SQLITE) or not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_S, isolation_level=None)) as database:
            size, pages, free = (
                int(database.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_size", "page_count", "freelist_count")
            )
            if not is_worth_shrinking(size * pages, size * free):
                return 0
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return size * (pages - int(database.execute("PRAGMA page_count").fetchone()[0]))
    except sqlite3.Error as error:
        log.warning("%s could not be shrunk, and is tried again the next night: %s", path, error)
        return 0


def is_worth_shrinking(total: int, free: int) -> bool:
    """Whether so many unused bytes of a SQLite file are worth the pause. Pure."""
    return free >= FREE_BYTES and free >= FREE_SHARE * total and total - free <= SHRUNK_BYTES


def _cleaned_at(folder: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp((folder / STAMP).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _open_logs(folder: Path) -> Iterable[Path]:
    """Logs of the stack's own processes, which keep them open; they lie in the folder itself."""
    return (path for path in folder.glob("*.log") if path.is_file() and not path.is_symlink())


def _empty_open_logs(folder: Path) -> int:
    large = [path for path in _open_logs(folder) if path.stat().st_size > OPEN_LOG_BYTES]
    for path in large:
        # The writer appends, so it goes on at the new end. What it writes between the two steps is lost.
        with private.open_file(path.with_name(f"{path.name}.1"), "wb") as copy, path.open("rb") as log:
            shutil.copyfileobj(log, copy)
        os.truncate(path, 0)
    return len(large)


def _closed_logs(folder: Path) -> Iterator[LogFile]:
    """All other files in the folder and under it; links are not followed."""
    still_open = {*_open_logs(folder), folder / STAMP}
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if path not in still_open:
                yield LogFile(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _remove_empty_folders(folder: Path, *, before: datetime) -> None:
    """Remove folders that are empty and old; a task that starts may just have made a new one."""
    for parent, _, _ in os.walk(folder, topdown=False):
        path = Path(parent)
        try:
            if path != folder and path.stat().st_mtime < before.timestamp():
                path.rmdir()
        except OSError:
            # It holds something.
            continue
