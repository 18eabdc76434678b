"""Snapshots of all indices of an installation, in a repository of Elasticsearch's own.

They are incremental: each takes what has changed since the one before. They hold the data of our indices and nothing of
the cluster: templates come with newswatch, users with the installation.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from secrets import token_hex
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from newswatch.errors import StoreError
from store.generations import all_slices
from store.indices.mapping import plain_indices
from store.names import Names

GOOD: Final = "SUCCESS"
DRILL: Final = "drill-"
"""Before the names of a drill's indices, followed by its day (20260304) and a random part of six hexadecimal digits."""
UNDER_WAY: Final = "IN_PROGRESS"
DAMAGED: Final = "DAMAGED"
"""The state of a snapshot that the repository lists and Elasticsearch can't read."""
_LOOK_S: Final = 0.5
_MOMENT: Final = "%Y.%m.%d-%H%M%S"
_NAMED: Final = re.compile(r"newswatch-(\d{4}\.\d\d\.\d\d-\d{6})(?:-[a-z-]+)?-[0-9a-f]{4}$")
"""What `backup_name` makes; the moment is in `_MOMENT`."""
_AT_ONCE: Final = 30
"""Indices that one request names in its address, which Elasticsearch takes up to 4,096 bytes."""
_STUCK_S: Final = 3.0
"""How long a shard that nobody restores is looked at before it is given up."""
_TRIED: Final = 5
"""Elasticsearch gives a shard up after so many attempts (`index.allocation.max_retries`)."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A snapshot of an installation."""

    name: str
    state: str
    """As Elasticsearch has it: "SUCCESS", "IN_PROGRESS", "PARTIAL", "FAILED"; or "DAMAGED"."""
    begun_at: datetime
    """What was written before is in it."""
    seconds: float
    indices: tuple[str, ...]
    version: str
    """Of newswatch's mapping in it; empty if it does not say."""
    failures: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    """Months of the articles that are not in it, because somebody had closed them."""

    @property
    def is_good(self) -> bool:
        """Whether it is complete."""
        return self.state == GOOD


def backup_name(names: Names, begun_at: datetime, what: str = "") -> str:
    """A new name for a snapshot of the installation, with when it was begun and `what` it is (`-before-restore`)."""
    return f"{names.prefix}newswatch-{begun_at:{_MOMENT}}{what}-{token_hex(2)}"


class Backups:
    """The snapshots of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._names = es, names
        self._repository = f"{names.prefix}newswatch"

    def register(self, location: str) -> None:
        """Make the folder `location`, as Elasticsearch's nodes see it, the repository.

        Raises:
            StoreError: Elasticsearch can't use it; the message says what to do.
        """
        repository = {"type": "fs", "settings": {"location": location, "compress": True}}
        try:
            self._es.snapshot.create_repository(name=self._repository, repository=repository)
        except ApiError as error:
            raise StoreError(
                f"Elasticsearch can't keep snapshots in {location}: {_cause(error)}. The folder must lie in its "
                "setting `path.repo` and be writable for it, the same one on each of its nodes."
            ) from error

    def reopen(self, location: str) -> None:
        """Register the folder as if for the first time: Elasticsearch reads anew what is in it, and takes nothing away.

        Raises:
            StoreError: Elasticsearch can't use it; the one that was registered stays.
        """
        was = self.location()
        try:
            self._es.options(ignore_status=404).snapshot.delete_repository(name=self._repository)
        except ApiError as error:
            raise StoreError(f"The folder can't be read anew now: {_said(error)}. Run it again later.") from error
        try:
            self.register(location)
        except StoreError:
            if was:
                self.register(was)
            raise

    def location(self) -> str | None:
        """The folder of the repository that is registered; None if none is."""
        found = self._es.options(ignore_status=404).snapshot.get_repository(name=self._repository)
        location = (found.get(self._repository) or {}).get("settings", {}).get("location")
        return str(location) if location else None

    def all(self) -> list[Backup]:
        """The snapshots of this installation, the newest first; none where no repository is registered.

        Installations of other prefixes may share the folder: theirs are neither listed, restored nor forgotten.

        Raises:
            StoreError: the folder can't be read.
        """
        ours = f"{self._repository}-*"
        try:
            # Without details from the list of the repository alone, which names also those that can't be read.
            listed = self._es.snapshot.get(repository=self._repository, snapshot=ours, verbose=False)["snapshots"]
            read = self._es.snapshot.get(repository=self._repository, snapshot=ours, ignore_unavailable=True)
        except NotFoundError:
            return []
        except ApiError as error:
            raise StoreError(f"The backups can't be read: {_said(error)}") from error
        details = {each["snapshot"]: each for each in read["snapshots"]}
        found = [_backup(each) for each in details.values() if (each.get("metadata") or {}).get("by") == "newswatch"]
        found += [each for name in listed if (each := _damaged(name)) and each.name not in details]
        return sorted(found, key=lambda each: (each.begun_at, each.name), reverse=True)

    def take(self, name: str, *, version: int) -> Backup:
        """Take a snapshot of all indices that there are, and wait for it.

        Raises:
            StoreError: it is not complete. What it has is kept in the repository until it is forgotten.
        """
        indices = self.indices()
        if not indices:
            raise StoreError("There is nothing to back up: no index of this installation exists.")
        try:
            self._es.snapshot.create(
                repository=self._repository,
                snapshot=name,
                indices=indices,
                include_global_state=False,
                feature_states=["none"],
                metadata={"by": "newswatch", "version": str(version), "lacking": ",".join(self.closed())},
                wait_for_completion=False,
            )
        except ApiError as error:
            raise StoreError(f"No snapshot can be taken: {_said(error)}") from error
        while True:
            taken = next((each for each in self.all() if each.name == name), None)
            if taken is None:
                raise StoreError(f"The snapshot {name} was deleted while it was taken.")
            if taken.is_good:
                return taken
            if taken.state != UNDER_WAY:
                why = "; ".join(taken.failures[:3]) or "Elasticsearch's log says why"
                raise StoreError(f"The snapshot {name} is not complete ({taken.state}): {why}")
            time.sleep(_LOOK_S)

    def forget(self, backups: Iterable[Backup]) -> None:
        """Delete snapshots; what later ones need of them stays.

        Raises:
            StoreError: Elasticsearch can't.
        """
        for each in backups:
            try:
                self._es.options(ignore_status=404).snapshot.delete(repository=self._repository, snapshot=each.name)
            except ApiError as error:
                raise StoreError(f"The old backup {each.name} can't be deleted: {_said(error)}") from error

    def indices(self) -> list[str]:
        """The indices of this installation that there are."""
        plain = list(plain_indices(self._names))
        there = self._es.indices.get_settings(index=plain, name="index.uuid", ignore_unavailable=True)
        return [*(part.index for part in all_slices(self._es, self._names)), *there, *self.audit_months()]

    def closed(self) -> list[str]:
        """The months of the articles that somebody has closed: no snapshot takes them."""
        closed = self._es.indices.get_settings(index=self._names.slices, name="index.uuid", expand_wildcards="closed")
        return sorted(index for index in closed.body if self._names.parse_slice(index))

    def audit_months(self) -> list[str]:
        """The indices with the records of the audit log."""
        return sorted(self._es.indices.get(index=self._names.audit_months, features="settings").body)

    def counts(self) -> dict[str, int]:
        """Index → its number of documents."""
        return {name: self.count(name) for name in self.indices()}

    def count(self, index: str) -> int:
        """The documents of an index; 0 if there is none."""
        self._es.options(ignore_status=(400, 404)).indices.refresh(index=index)
        answer = self._es.options(ignore_status=(400, 404)).count(index=index)
        return int(answer.get("count", 0))

    def delete_indices(self, indices: Iterable[str]) -> None:
        """Delete indices; harmless if they are gone."""
        for name in indices:
            self._es.options(ignore_status=404).indices.delete(index=name)

    def drilled_before(self, day: date) -> list[str]:
        """The indices of this installation's drills before that day, whose processes were killed.

        Others may have indices of such names on the same cluster, too: `drill-10-results` is not ours.
        """
        found = self._es.indices.get(index=f"{DRILL}*", ignore_unavailable=True, features="settings")
        ours = re.compile(rf"{DRILL}(\d{{8}})-[0-9a-f]{{6}}-{re.escape(self._names.prefix)}")
        named = ((name, ours.match(name)) for name in found)
        return [name for name, of_drill in named if of_drill and of_drill[1] < f"{day:%Y%m%d}"]

    def lost(self) -> list[str]:
        """The indices of this installation of which a part can't be read: it is on no node in reach."""
        return [name for name, each in self._health(self.indices()).items() if each["status"] == "red"]

    def restore(self, backup: Backup, *, to_prefix: str | None = None, without: Collection[str] = ()) -> list[str]:
        """Restore its indices, under their own names or with a prefix before them, and wait until they can be read.

        Those named in `without` are left out. With a prefix they are a copy beside the installation, without its
        aliases. Returns the names.

        Raises:
            StoreError: Elasticsearch refuses, or a part could not be restored.
        """
        more: dict[str, Any] = {"include_aliases": to_prefix is None}
        if to_prefix is not None:
            more |= {"rename_pattern": "^", "rename_replacement": to_prefix}
            more |= {"index_settings": {"index.number_of_replicas": 0}}
        indices = [name for name in backup.indices if name not in without]
        names = [f"{to_prefix or ''}{name}" for name in indices]
        try:
            self._es.snapshot.restore(
                repository=self._repository,
                snapshot=backup.name,
                indices=indices,
                include_global_state=False,
                feature_states=["none"],
                wait_for_completion=False,
                **more,
            )
        except ApiError as error:
            raise StoreError(f"The backup {backup.name} can't be restored: {_said(error)}") from error
        self._await_restored(backup, names)
        for some in _few(names):
            self._es.indices.refresh(index=some)
        return names

    def _await_restored(self, backup: Backup, names: list[str]) -> None:
        """Wait until every index can be read.

        Its state does not say so: Elasticsearch calls an index yellow before its restore has begun.

        Raises:
            StoreError: a shard can't be restored; says which and why.
        """
        stuck_since: float | None = None
        while self._lacks_shards(names):
            why = self._given_up(names)
            stuck_since = None if why is None else stuck_since or time.monotonic()
            if stuck_since and time.monotonic() - stuck_since > _STUCK_S:
                raise StoreError(f"The backup {backup.name} can't be restored: {why}")
            time.sleep(_LOOK_S)

    def _lacks_shards(self, names: list[str]) -> bool:
        """Whether an index is not there yet, or has a shard that can't be read."""
        health = self._health(names).values()
        up = [each for each in health if each["active_primary_shards"] == each["number_of_shards"]]
        return len(up) < len(names)

    def _health(self, names: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for some in _few(names):
            found |= self._es.cluster.health(index=some, level="indices").get("indices", {})
        return found

    def _given_up(self, names: list[str]) -> str | None:
        """Why Elasticsearch does not restore a shard, and what to do; None while it restores."""
        if any(self._es.cat.recovery(index=some, active_only=True, format="json").body for some in _few(names)):
            return None
        shards: list[Any] = []
        for some in _few(names):
            shards += self._es.cat.shards(index=some, h="index,shard,prirep,state", format="json").body
        lacking = [each for each in shards if each["prirep"] == "p" and each["state"] == "UNASSIGNED"]
        for each in lacking[:1]:
            told = self._es.options(ignore_status=400).cluster.allocation_explain(
                index=each["index"], shard=int(each["shard"]), primary=True
            )
            return not_restored(each["index"], told.body)
        return None


def _few(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


def not_restored(index: str, told: Mapping[str, Any]) -> str | None:
    """Why a shard of the index is not restored, by Elasticsearch's explanation, and what to do; None: it will be. Pure.

    A file that is missing or damaged is one that later backups share.
    """
    of_shard = told.get("unassigned_info") or {}
    if of_shard.get("failed_allocation_attempts", 0) >= _TRIED:
        causes = [line for line in str(of_shard.get("details", "")).splitlines() if line.startswith("Caused by: ")]
        cause = causes[-1].removeprefix("Caused by: ") if causes else str(of_shard.get("details", ""))[:300]
        return (
            f"{index}: {cause}. The folder is damaged, and with it the backups that share this file: try an older one, "
            "and set NEWSWATCH_BACKUP_LOCATION to an empty folder, where the next one is whole again."
        )
    if told.get("can_allocate") != "no":
        return None
    of_nodes = (decision for node in told.get("node_allocation_decisions", ()) for decision in node.get("deciders", ()))
    why = next((str(each["explanation"]) for each in of_nodes if each.get("decision") == "NO"), "")
    return (
        f"{index} has no place: {why or told.get('allocate_explanation', '')} "
        "Make room for it, and run it again; a restore goes without the copy with --untried."
    )


def _backup(snapshot: Mapping[str, Any]) -> Backup:
    failures = (f"{each.get('index')}: {each.get('reason')}" for each in snapshot.get("failures") or ())
    return Backup(
        name=snapshot["snapshot"],
        state=snapshot["state"],
        begun_at=datetime.fromtimestamp(snapshot["start_time_in_millis"] / 1_000, UTC),
        seconds=snapshot.get("duration_in_millis", 0) / 1_000,
        indices=tuple(snapshot["indices"]),
        version=str(snapshot["metadata"].get("version", "")),
        failures=tuple(failures),
        lacking=tuple(filter(None, str(snapshot["metadata"].get("lacking", "")).split(","))),
    )


def _damaged(listed: Mapping[str, Any]) -> Backup | None:
    """A snapshot of which only the name can be read; it tells when it was begun. None: it is not one of newswatch's."""
    named = _NAMED.search(str(listed["snapshot"]))
    if named is None:
        return None
    begun_at = datetime.strptime(named[1], _MOMENT).replace(tzinfo=UTC)
    return Backup(str(listed["snapshot"]), DAMAGED, begun_at, 0.0, tuple(listed.get("indices", ())), "")


def _said(error: ApiError) -> str:
    """Elasticsearch's reason; with what to do if it has shut the folder, which it never opens again by itself."""
    cause = _cause(error)
    if "has been disabled to prevent data corruption" not in cause:
        return cause
    return (
        "their folder is not as Elasticsearch left it: it was emptied, not mounted, put back from a copy, or another "
        "Elasticsearch writes into it. See to that, then run `newswatch backup reopen`."
    )


def _cause(error: ApiError) -> str:
    """Elasticsearch's innermost reason, on one line."""
    info = error.body if isinstance(error.body, dict) else {}
    cause: Any = info.get("error", {})
    while isinstance(cause, dict) and isinstance(cause.get("caused_by"), dict):
        cause = cause["caused_by"]
    reason = cause.get("reason") if isinstance(cause, dict) else cause
    return " ".join(str(reason or error).split())
