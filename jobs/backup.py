"""`backup`: takes a snapshot of everything each night, and restores one, for good or as a drill."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from delivery.fanout import Fanout
from jobs.context import Context, job
from jobs.doubt import is_clock_doubted
from newswatch.clock import SKEW
from newswatch.errors import NewswatchError, StoreError
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.reading import read_pulse
from store.audit import AuditLog, Deed
from store.batches import BatchStore
from store.elastic.client import connect
from store.entries import EntryStore
from store.feeds import FeedStore
from store.imports import Imports
from store.indices.backups import DAMAGED, DRILL, Backup, Backups, backup_name
from store.indices.mapping import VERSION
from store.indices.setup import drop_newer_templates, installed_template, set_up
from store.milestones import Milestones
from store.names import Names

_DAY: Final = timedelta(days=1)
LEAST: Final = 3
"""Good snapshots that are kept, however old."""
AT_WORK: Final = timedelta(seconds=60)
"""A job that gave a sign of life since is taken to be running."""

BATCHES_A_SECOND: Final = 10
"""Maximum number that can have been opened since a snapshot was taken."""
BEFORE: Final = "-before-restore"
"""In the name of a snapshot of what a restore has replaced. It is restored by its name only."""

Told = Callable[[str], None]

_NO_PLACE: Final = "There are no backups: set NEWSWATCH_BACKUP_LOCATION to a folder in Elasticsearch's `path.repo`."


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a run did."""

    taken: str = ""
    """The snapshot's name; empty: no location is set, so none is taken."""
    seconds: float = 0.0
    indices: int = 0
    forgotten: int = 0
    """Snapshots that were too old, or not complete."""
    lacking: tuple[str, ...] = ()
    """Months of the articles that are not in it, because somebody has closed them."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore gave back."""

    backup: Backup
    seconds: float
    documents: dict[str, int]
    """Index → documents restored."""
    live: dict[str, int]
    """The same index → documents that the installation holds now; only of a drill."""


@job("backup")
def backup(context: Context) -> BackupReport:
    """Take a snapshot, and forget those that are older than `backup_days`, unless the clock is doubtful.

    Does nothing without `backup_location`.

    Raises:
        StoreError: no complete snapshot could be taken. The older ones are kept.
    """
    backups = Backups(context.es, context.names)
    if not _is_set_up(backups, context.settings):
        return BackupReport()
    now = context.clock()
    taken = backups.take(backup_name(context.names, now), version=VERSION)
    keep = timedelta(days=context.settings.backup_days)
    old = [] if is_clock_doubted(context) else surplus(backups.all(), now=now, keep=keep)
    backups.forget(old)
    return BackupReport(taken.name, taken.seconds, len(taken.indices), len(old), taken.lacking)


def surplus(backups: Sequence[Backup], *, now: datetime, keep: timedelta) -> list[Backup]:
    """The snapshots to forget: the old ones, but for the newest `LEAST` good ones, and those not complete. Pure."""
    good = sorted((each for each in backups if each.is_good), key=lambda each: each.begun_at, reverse=True)
    old = [each for each in good[LEAST:] if now - each.begun_at > keep]
    # One that is being taken may be somebody else's, until it has been for a day; a damaged one tells of the disk.
    kept = {DAMAGED: keep}
    failed = [each for each in backups if not each.is_good and now - each.begun_at > kept.get(each.state, _DAY)]
    return [*old, *failed]


# ── restoring ────────────────────────────────────────────────────────────────────────────────────────────────────────


def listed(settings: Settings) -> list[Backup]:
    """The snapshots, the newest first.

    Raises:
        NewswatchError: no location is set, or Elasticsearch can't use it.
    """
    return _opened(settings)[0].all()


def _opened(settings: Settings) -> tuple[Backups, Context]:
    """The snapshots of the settings' Elasticsearch, in which no index is created."""
    es, names = connect(settings), Names.of(settings)
    backups = Backups(es, names)
    if not _is_set_up(backups, settings):
        raise NewswatchError(_NO_PLACE)
    return backups, Context(settings, es, names)


def _is_set_up(backups: Backups, settings: Settings) -> bool:
    """Whether there is a place for snapshots: the settings name one, or `newswatch up` has made one known."""
    if settings.backup_location:
        backups.register(settings.backup_location)
    return bool(settings.backup_location or backups.location())


def _chosen(backups: Sequence[Backup], name: str | None) -> Backup:
    if name is None:
        good = next((each for each in backups if each.is_good and BEFORE not in each.name), None)
        if good is None:
            raise NewswatchError("There is no complete backup: `newswatch backup list` shows what there is.")
        return good
    found = next((each for each in backups if each.name == name), None)
    if found is None:
        raise NewswatchError(f"There is no backup {name!r}: `newswatch backup list` shows them.")
    if not found.is_good:
        raise NewswatchError(f"The backup {name} is not complete ({found.state}); choose another.")
    return found


def _refuse_newer(backup: Backup) -> None:
    if backup.version.isdigit() and int(backup.version) > VERSION:
        raise NewswatchError(
            f"The backup {backup.name} was made by a newer newswatch (its indices have version {backup.version}, this "
            f"one knows {VERSION}): update newswatch, or choose an older backup."
        )


def _refuse_lost(lost: Sequence[str]) -> None:
    if lost:
        raise NewswatchError(
            f"{', '.join(lost)} can't be read, and so not be kept before it is replaced: start the node of "
            f"Elasticsearch that has it. If it is lost for good, delete it (`DELETE {','.join(lost)}`), and run this "
            "again."
        )


def restore(
    settings: Settings,
    name: str | None = None,
    *,
    replace: bool = False,
    untried: bool = False,
    told: Told = lambda _: None,
    by: str = "",
) -> Restored:
    """Put a snapshot, the newest one by default, in the place of the installation's indices.

    With `replace`, indices that hold something are first put into a snapshot of their own and then deleted; before
    that the snapshot is restored beside them, as in a drill, unless it is `untried`: the one that is taken would share
    its damage. Killed at any point it can be run again: the snapshots stay, and the one of what was replaced is not the
    default. An audit log that is there stays and goes on, with a record of the restore; but one that began after the
    backup is replaced as all else. Indices of a newer version of newswatch are replaced too, with their templates: so
    one goes back.

    Raises:
        NewswatchError: jobs are running, there is something to replace, or it can't be read and so not be kept, there
            is no such snapshot, or a newer version of newswatch made it; all is as it was.
        StoreError: Elasticsearch can't restore it.
    """
    backups, context = _opened(settings)
    found = _chosen(backups.all(), name)
    _refuse_newer(found)
    _refuse_lost(backups.lost())
    now = context.clock()
    _refuse_running([*read_pulse(context.es, context.names, settings, now).jobs.values()], now)
    # An audit log that is there stays; the month that the record of this restore makes, too.
    stays = context.names.audit if backups.audit_months() and not _is_younger(context.audit, found) else None
    held = {index: count for index, count in backups.counts().items() if count and not _is_of(stays, index)}
    if held and not replace:
        raise NewswatchError(
            f"Elasticsearch holds {sum(held.values()):,} documents of this installation. `--replace` puts them into a "
            "backup of their own and then takes them away."
        )
    begin = time.monotonic()
    if held and not untried:
        told("Trying the backup beside what is there …")
        _tried(backups, found, now)
    if held:
        made_by = int(installed_template(context.es, context.names).get("version") or 0)
        kept = backups.take(backup_name(context.names, now, BEFORE), version=max(VERSION, made_by))
        told(f"What was there is kept as {kept.name}.")
    deed = Deed(by or "the command line", "backup restored", found.name, details=f"of {found.begun_at.isoformat()}")
    if stays:
        context.audit.record(deed)
    backups.delete_indices(index for index in backups.indices() if not _is_of(stays, index))
    drop_newer_templates(context.es, context.names)
    names = backups.restore(found, without=[name for name in found.indices if _is_of(stays, name)])
    set_up(context.es, context.names, settings)
    if not stays:
        context.audit.record(deed)
    settle(context, found.begun_at)
    seconds = time.monotonic() - begin
    return Restored(found, seconds, {index: backups.count(index) for index in names}, {})


def _is_younger(log: AuditLog, backup: Backup) -> bool:
    """Whether the log began after the backup: on a new machine, that moved its installation there.

    The backup's log is the installation's. What was done here since is kept with all else that is replaced.
    """
    log.refresh()
    with closing(log.all()) as records:
        first = next(records, None)
    has_one = any(_is_of(log.index, index) for index in backup.indices)
    return has_one and first is not None and first.n == 1 and first.at > backup.begun_at


def _is_of(log: str | None, index: str) -> bool:
    """Whether the index is the audit log's head or one of its months."""
    return log is not None and (index == log or index.startswith(f"{log}-2"))


def settle(context: Context, begun_at: datetime) -> None:
    """Have done again what a restored snapshot may hold in part. Harmless to repeat.

    Elasticsearch takes each index at a moment of its own after `begun_at`. So an entry may be noted as read whose
    article is missing, a feed as unchanged whose entries are, a batch as matched whose mails are, and an import as
    done. Ingest numbers that were given after it are not given again, or readers in ingest order would take what is new
    for known.
    """
    since = begun_at - SKEW
    EntryStore(context.es, context.names).forget_since(since)
    Imports(context.es, context.names).forget_since(since)
    feeds = FeedStore(context.es, context.names)
    polled = feeds.polled_since(since)
    feeds.save([(feed, replace(feed.value.state, etag=None, last_modified=None, body_hash=None)) for feed in polled])
    Fanout(context.es, context.names).spread_again(since)
    batches, now = BatchStore(context.es, context.names), context.clock()
    batches.match_again_since(since, now=now)
    # Readers who go by ingest numbers, or by the time of adding, may have got some that the snapshot lacks.
    lost = BATCHES_A_SECOND * max(1, round((now - since).total_seconds()))
    before, after = batches.leave_out(lost, now=now)
    milestones = Milestones(context.es, context.names)
    milestones.reach(before, now - timedelta(seconds=2))
    milestones.reach(after, now)


def _refuse_running(pulses: Sequence[JobPulse], now: datetime) -> None:
    """Raise a NewswatchError if a job is at work: it would create the indices again that are being restored."""
    at_work = [each.job for each in pulses if each.alive_at and now - each.alive_at < AT_WORK]
    if at_work:
        raise NewswatchError(
            f"Jobs are running ({', '.join(sorted(at_work))}), and would write into what is restored: stop Airflow and "
            "the fast lane (`newswatch up --no-airflow --no-fast-lane` starts neither), and wait a minute."
        )


def drill(settings: Settings, name: str | None = None) -> Restored:
    """Restore a snapshot beside the installation, count what is in it, and take it away again.

    Raises:
        NewswatchError: there is no such snapshot.
        StoreError: it can't be restored, so it is no backup.
    """
    backups, context = _opened(settings)
    found = _chosen(backups.all(), name)
    begin = time.monotonic()
    documents = _tried(backups, found, context.clock())
    seconds = time.monotonic() - begin
    live = {index: backups.count(index) for index in documents}
    articles = [index for index in documents if context.names.parse_slice(index)]
    empty = [index for index in articles if live[index] and not documents[index]]
    if empty:
        raise StoreError(f"The backup {found.name} has no documents of {', '.join(empty)}, which hold some now.")
    return Restored(found, seconds, documents, live)


def _tried(backups: Backups, found: Backup, now: datetime) -> dict[str, int]:
    """Index → its documents in a copy of the backup, which is restored and taken away again.

    Raises:
        StoreError: it can't be restored, so it is no backup.
    """
    today = now.date()
    backups.delete_indices(backups.drilled_before(today - timedelta(days=1)))
    prefix = f"{DRILL}{today:%Y%m%d}-{token_hex(3)}-"
    try:
        names = backups.restore(found, to_prefix=prefix)
        return {index.removeprefix(prefix): backups.count(index) for index in names}
    finally:
        backups.delete_indices(f"{prefix}{index}" for index in found.indices)


def reopen(settings: Settings) -> list[Backup]:
    """Have Elasticsearch read its folder of snapshots anew; the snapshots in it.

    Raises:
        NewswatchError: no location is set, or Elasticsearch can't use it.
    """
    backups = Backups(connect(settings), Names.of(settings))
    location = settings.backup_location or backups.location()
    if not location:
        raise NewswatchError(_NO_PLACE)
    backups.reopen(location)
    return backups.all()
