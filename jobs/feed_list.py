"""Changes the list of feeds: in `feeds.yaml` where it can be written, else in Elasticsearch, beside the file.

The command line and the News page change it here. The page edits the file only if this machine's file is the version
in force: on another machine, an edited file would never be read.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeVar

from ingest.feed_list.feed_file import add_feeds, edit_feed
from ingest.feed_list.feeds import FeedSpec
from jobs.configuration import feeds_in_force
from jobs.context import Context
from jobs.foreseen import stale
from jobs.versions import HOST
from newswatch.errors import ChangedMeanwhileError, ConfigError, NewswatchError
from newswatch.feed import Feed
from newswatch.settings import Settings
from store.audit import Deed, digest
from store.configuration import FEEDS, ConfigurationStore
from store.feeds import FeedStore

log = logging.getLogger(__name__)

T = TypeVar("T")

Where = Literal["config/feeds.yaml", "the list in Elasticsearch"]
IN_FILE: Final[Where] = "config/feeds.yaml"
IN_STORE: Final[Where] = "the list in Elasticsearch"
READ_ONLY: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
"""What the system answers where a file can't be replaced: by its permissions, a read-only mount, a mount of its own."""


def path_of(settings: Settings) -> Path:
    """Where this machine's file is."""
    return settings.config_dir / FEEDS


def may_write(path: Path) -> bool:
    """Whether the file is there and meant to be changed. The administrator, who may write any file, obeys its mode."""
    try:
        return bool(path.stat().st_mode & 0o222) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    except OSError:
        return False


def refuse_stale(settings: Settings, path: Path) -> None:
    """Raise a NewswatchError if the file is older than the version in force: edited, it would replace a newer one.

    Without Elasticsearch that can't be known, and the file is edited all the same.
    """
    if why := stale(settings, path):
        raise NewswatchError(f"{why}. Or add --store, which lists the feed in Elasticsearch beside any version.")


def in_file_or_store(change_file: Callable[[], T], change_store: Callable[[], T], *, file: bool) -> tuple[T, Where]:
    """The result of the change in the file, if `file`; where that turns out to be read-only, and else, in the store."""
    if file:
        try:
            return change_file(), IN_FILE
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
    return change_store(), IN_STORE


# ── for the News page ────────────────────────────────────────────────────────────────────────────────────────────────


def add(context: Context, spec: FeedSpec, *, by: str) -> tuple[Feed | None, Where]:
    """List a feed; None: it was listed already. The next poll takes it.

    Raises:
        ConfigError: the file can't be used; nothing was changed.
        StoreError: Elasticsearch is unavailable, or that can't be recorded in the audit log; nothing was changed.
    """
    path, wanted = path_of(context.settings), spec.feed()

    def work() -> tuple[Feed, Where] | None:
        added, where = in_file_or_store(
            lambda: add_feeds(path, [spec]),
            lambda: FeedStore(context.es, context.names).add([wanted]),
            file=_is_in_force(context, path),
        )
        return (added[0], where) if added else None

    done = context.audit.change(Deed(by, "feed added", wanted.id, "", digest(wanted)), work)
    if done is None:
        return None, IN_STORE
    _done(context, "added", *done, by)
    return done


def edit(context: Context, was: Feed, spec: FeedSpec, *, by: str) -> tuple[Feed, Where]:
    """Change a listed feed, or switch it on or off. It keeps its id, and its state unless its address changes.

    Raises:
        ChangedMeanwhileError: `was` is not what is listed any more.
        ConfigError: the file can't be used; nothing was changed.
        StoreError: Elasticsearch is unavailable.
    """
    path, store = path_of(context.settings), FeedStore(context.es, context.names)
    wanted = replace(spec.feed(), id=was.id, origin=was.origin)

    def work() -> tuple[Feed, Where]:
        changed, where = in_file_or_store(
            lambda: edit_feed(path, was, spec),
            lambda: store.edit(was, wanted),
            file=was.origin == "file" and _is_in_force(context, path),
        )
        if changed is None:
            raise ChangedMeanwhileError(f"{was.title} has been changed by somebody else: load its page again.")
        return changed, where

    fields = ", ".join(name for name, _, _ in _differing(was, wanted))
    deed = Deed(by, "feed changed", was.id, digest(was), digest(wanted), fields)
    changed, where = context.audit.change(deed, work)
    _done(context, "changed", changed, where, by, _differences(was, changed))
    return changed, where


def _is_in_force(context: Context, path: Path) -> bool:
    """Whether the file is the version in force, of this machine, and can be written."""
    if not may_write(path):
        return False
    try:
        listed = feeds_in_force(context)
    except ConfigError:
        return False
    kept = ConfigurationStore(context.es, context.names).kept(FEEDS)
    is_ours = not kept.hash or (kept.host, kept.path) == (HOST, str(path))
    return is_ours and listed.is_in_force and not listed.wrong


def _done(context: Context, what: str, feed: Feed, where: Where, by: str, details: str = "") -> None:
    """Bring a changed file into force, so that pages show the change at once, and note who made it."""
    log.info("audit: feed %s %s in %s by %r: %r %r%s", feed.id, what, where, by, feed.title, feed.url, details)
    if where == IN_FILE:
        listed = feeds_in_force(context)
        if listed.is_in_force:
            FeedStore(context.es, context.names).sync(listed.value)


def _differences(before: Feed, after: Feed) -> str:
    return "".join(f"; {name} {old!r} -> {new!r}" for name, old, new in _differing(before, after))


def _differing(before: Feed, after: Feed) -> list[tuple[str, object, object]]:
    """The fields that differ, each with both values."""
    names = [name for name in Feed.__dataclass_fields__ if name not in ("id", "origin")]
    told = [(name, getattr(before, name), getattr(after, name)) for name in names]
    return [(name, old, new) for name, old, new in told if old != new]
