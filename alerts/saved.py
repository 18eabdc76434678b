"""Saved searches: seeded from `config/alerts.yaml`, kept in Elasticsearch."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from alerts.definitions import EntryFault
from alerts.kinds import KINDS
from alerts.query import check
from newswatch.alert import SavedSearch
from newswatch.errors import ChangedMeanwhileError, DocumentError, NewswatchError, QueryError
from newswatch.problems import Bulkhead, Problem, reason_of, report_problem
from search.asking import HeavySearchError, SlowSearchError
from store.applied import apply_again
from store.audit import AuditLog, Deed, digest
from store.configuration import ALERTS
from store.elastic.client import Client
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Document, Hit, Stored, dump, load, problem_of, require_id, values
from store.elastic.reading import every, get_hit, get_hits, get_one
from store.names import Names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """An earlier version of a saved search: who replaced it, when, and which fields changed."""

    search: SavedSearch
    replaced_at: datetime
    replaced_by: str
    fields: tuple[str, ...]


class SavedSearches:
    """The saved searches of one installation."""

    def __init__(self, es: Client, names: Names) -> None:
        self._es, self._names, self._index = es, names, names.searches
        self._audit = AuditLog(es, names)

    def seed_items(
        self,
        searches: Iterable[SavedSearch],
        faults: Iterable[EntryFault],
        bulkhead: Bulkhead,
        *,
        now: datetime | None = None,
    ) -> int:
        """`seed`, item by item; an item at fault becomes a problem. Returns how many were written.

        Raises:
            StoreError, elastic_transport's errors: Elasticsearch is unavailable.
        """
        for fault in faults:
            log.error("An item of the file is skipped: %s", fault.error)
            bulkhead.note(Problem("search", fault.subject, reason_of(fault.error), "seed"))
        moment, wanted = now or datetime.now(UTC), tuple(searches)
        fresh = self._unseeded(wanted)
        return sum(bool(bulkhead.attempt("search", each.id, partial(self._seed, each, moment))) for each in fresh)

    def seed(self, searches: Iterable[SavedSearch], *, now: datetime | None = None) -> int:
        """Create the missing searches; update those that changed in the file and that no user has changed.

        Returns how many were written. A search whose query can't be run is written with its problem and not matched, so
        that it does not keep the others from being matched.
        """
        return sum(self._seed(search, now or datetime.now(UTC)) for search in self._unseeded(tuple(searches)))

    def _unseeded(self, searches: Sequence[SavedSearch]) -> list[SavedSearch]:
        """Those to be written: not stored, or changed in the file alone. One multi-get, instead of a get for each."""
        hits = get_hits(self._es, self._index, [search.id for search in searches])
        seeds = {hit["_id"]: hit["_source"].get("seed") for hit in hits}
        return [search for search in searches if seeds.get(search.id) not in ("", _fingerprint(search))]

    def _seed(self, search: SavedSearch, now: datetime) -> bool:
        mark = _fingerprint(search)
        try:
            was = self._find(search.id)
        except DocumentError as error:
            report_problem(problem_of(error))  # it may hold a user's change, so it is not overwritten
            return False
        if was is not None and was.value.get("seed", "") in ("", mark):
            return False
        problem = ""
        try:
            check(self._es, self._names, search)
        except (SlowSearchError, HeavySearchError) as error:
            log.warning("%s is saved anyway, and quarantined if matching it is slow too: %s", search.id, error)
        except QueryError as error:
            problem = str(error)
        # If another worker or a user was faster, their version stays.
        return self._write(search, was, by="config/alerts.yaml", seed=mark, now=now, problem=problem) is not None

    def all(self) -> tuple[SavedSearch, ...]:
        """Every saved search, by id."""
        return _searches(self._hits())

    def enabled(self, *, now: datetime | None = None) -> tuple[SavedSearch, ...]:
        """The searches to be matched: enabled, not expired, runnable. A muted one is matched, its mails suppressed."""
        moment, hits = now or datetime.now(UTC), self._hits()
        problems = {hit["_id"] for hit in hits if hit["_source"].get("problem") not in (None, [])}
        live = (s for s in _searches(hits) if s.enabled and s.id not in problems)
        return tuple(s for s in live if s.expires_at is None or s.expires_at > moment)

    def problems(self) -> dict[str, str]:
        """Id of each saved search that can't be run → the reason."""
        hits = self._hits({"exists": {"field": "problem"}})
        return {hit["_id"]: str(hit["_source"]["problem"]) for hit in hits}

    def of_the_file(self) -> tuple[str, ...]:
        """The ids of the searches that are as `alerts.yaml` once said: no user has changed or switched them off."""
        hits = self._hits({"bool": {"filter": {"exists": {"field": "seed"}}, "must_not": {"term": {"seed": ""}}}})
        return tuple(search.id for search in _searches(hits) if search.enabled)

    def _hits(self, query: Document | None = None) -> list[Hit]:
        self._es.indices.refresh(index=self._index)
        return list(every(self._es, self._index, query))

    def get(self, saved_search_id: str) -> SavedSearch:
        """The saved search, in real time.

        Raises:
            NewswatchError: no search has that id, or its document can't be read.
        """
        document = self._existing(saved_search_id)
        return read_search(document.id, document.value)

    def of(self, saved_search_ids: Iterable[str]) -> dict[str, SavedSearch]:
        """The existing saved searches by id, in real time; an unreadable one is quarantined."""
        hits = get_hits(self._es, self._index, filter(None, saved_search_ids))
        return {search.id: search for search in values(hits, read_search)}

    def history(self, saved_search_id: str) -> tuple[Change, ...]:
        """The versions before the one in force, oldest first; an unreadable one is left out, and quarantined."""
        document = self._existing(saved_search_id)
        versions = enumerate(_as_list(document.value.get("history", [])))
        hits = ({"_index": document.index, "_id": f"{document.id} history {n}", "_source": v} for n, v in versions)
        return tuple(values(hits, lambda _, version: load(Change, version)))

    def save(self, search: SavedSearch, *, by: str, now: datetime | None = None) -> SavedSearch:
        """Create or change a saved search, whatever is stored now; without a difference there is no new version.

        Who looked at it first calls `create` or `replace`, which overwrite nobody; who changes a part, `change`.

        Raises:
            QueryError: Elasticsearch can't run the query, or it names a field that doesn't exist.
            DocumentError: the document stored under its id can't be read, and stays unchanged.
            StoreError: others keep changing it.
        """
        return self._save(search.id, lambda _: search, by, now)

    def create(self, search: SavedSearch, *, by: str, now: datetime | None = None) -> SavedSearch:
        """Save a new search on a user's behalf.

        Raises:
            ChangedMeanwhileError: another one has its id.
            QueryError, DocumentError, StoreError: as `save`.
        """

        def wanted(before: SavedSearch | None) -> SavedSearch:
            if before is not None and _changed(before, search):
                raise ChangedMeanwhileError(
                    f"There is a saved search {search.id!r} already: give this one another name."
                )
            return search

        return self._save(search.id, wanted, by, now)

    def replace(self, was: SavedSearch, search: SavedSearch, *, by: str, now: datetime | None = None) -> SavedSearch:
        """Change the saved search that a user has looked at as `was`.

        Raises:
            ChangedMeanwhileError: it is not as `was` any more.
            QueryError, DocumentError, StoreError: as `save`.
        """

        def wanted(before: SavedSearch | None) -> SavedSearch:
            if before is None:
                raise ChangedMeanwhileError(f"{was.name} was deleted meanwhile: save it as a new one if you want it.")
            if before != was and _changed(before, search):
                raise ChangedMeanwhileError(f"{was.name} was changed by somebody else meanwhile: look at it again.")
            return search

        return self._save(search.id, wanted, by, now)

    def change(
        self,
        saved_search_id: str,
        change: Callable[[SavedSearch], SavedSearch],
        *,
        by: str,
        now: datetime | None = None,
    ) -> SavedSearch:
        """Change a part of a saved search on a user's behalf, whatever the rest is by then.

        Raises:
            NewswatchError: no search has that id.
            QueryError, DocumentError, StoreError: as `save`.
        """

        def wanted(before: SavedSearch | None) -> SavedSearch:
            if before is None:
                raise _unknown(saved_search_id)
            return change(before)

        return self._save(saved_search_id, wanted, by, now)

    def _save(
        self, saved_search_id: str, wanted: Callable[[SavedSearch | None], SavedSearch], by: str, now: datetime | None
    ) -> SavedSearch:
        """Write what is wanted in place of what is stored, if anything."""

        def attempt() -> SavedSearch | None:
            was = self._find(saved_search_id)
            before = read_search(was.id, was.value) if was else None
            search = wanted(before)
            changed = _changed(before, search) if before else tuple(_ASKED)
            if before is not None and not changed:
                return before
            # A search that can't be run can still be muted, disabled or given other recipients.
            must_run = not _ASKED.isdisjoint(changed) or (search.enabled and "enabled" in changed)
            if must_run:
                check(self._es, self._names, search)
            problem = "" if must_run or was is None else str(was.value.get("problem", ""))
            moment = now or datetime.now(UTC)
            write = partial(self._write, search, was, by=by, seed="", now=moment, problem=problem)
            return self._audit.change(_deed(by, before, search), write, now=now)

        return until_written(
            attempt, lambda: f"Saved search {saved_search_id} keeps being changed by others: try again."
        )

    def delete(self, saved_search_id: str, *, by: str) -> None:
        """Delete the saved search on a user's behalf; its deliveries stay.

        Raises:
            NewswatchError: no search has that id.
            StoreError: that can't be recorded in the audit log; it stays.
        """
        hit = get_hit(self._es, self._index, saved_search_id)
        if hit is None:
            raise _unknown(saved_search_id)
        deed = Deed(
            by,
            "saved search deleted",
            saved_search_id,
            digest({**(hit["_source"].get("definition") or {}), "version": 1}),
        )
        self._audit.change(deed, lambda: self._es.delete(index=self._index, id=saved_search_id, refresh=True), now=None)
        apply_again(self._es, self._names, ALERTS)

    def _find(self, saved_search_id: str) -> Stored[Document] | None:
        """The document, checked to be readable; None if it does not exist.

        Raises:
            DocumentError: it can't be read.
        """
        return get_one(self._es, self._index, saved_search_id, _readable)

    def _existing(self, saved_search_id: str) -> Stored[Document]:
        document = self._find(saved_search_id)
        if document is None:
            raise _unknown(saved_search_id)
        return document

    def _write(
        self,
        search: SavedSearch,
        was: Stored[Document] | None,
        *,
        by: str,
        seed: str,
        now: datetime,
        problem: str = "",
    ) -> SavedSearch | None:
        """Write the saved search in its new version, and return it; None: another worker wrote first."""
        before = read_search(was.id, was.value) if was else None
        search = replace(search, version=before.version + 1 if before else 1)
        history = _as_list(was.value.get("history", []) if was else [])
        if before:
            history.append(dump(Change(before, now, by, _changed(before, search))))
        document = _document(search, history, by=by, seed=seed, now=now)
        if problem:
            document["problem"] = problem
        written = put(self._es, self._index, search.id, search, document, was, refresh=True)
        return written.value if written else None


def _searches(hits: Iterable[Hit]) -> tuple[SavedSearch, ...]:
    """By id; an unreadable one is quarantined."""
    return tuple(sorted(values(hits, read_search), key=lambda search: search.id))


def _deed(by: str, before: SavedSearch | None, after: SavedSearch) -> Deed:
    """What the audit log says of a change."""
    what = "saved search changed" if before else "saved search created"
    fields = ", ".join(_changed(before, after)) if before else ""
    return Deed(by, what, after.id, _digest(before) if before else "", _digest(after), fields)


def _digest(search: SavedSearch) -> str:
    return digest(dump(replace(search, version=1)))


def _document(search: SavedSearch, history: list[Document], *, by: str, seed: str, now: datetime) -> Document:
    shown: dict[str, Any] = {
        "id": search.id,
        "name": search.name,
        "kind": search.kind,
        "query": search.query,
        "tags": [f"{tag.tag}:{tag.level}" for tag in search.tags],
        "recipients": list(search.recipients),
        "owner": search.owner,
        "schedule": search.schedule,
        "enabled": search.enabled,
        "mute_until": search.mute_until and search.mute_until.isoformat(),
        "expires_at": search.expires_at and search.expires_at.isoformat(),
        "version": search.version,
    }
    stamp = {"changed_at": now.isoformat(), "changed_by": by, "seed": seed}
    return shown | stamp | {"definition": dump(search), "history": history}


def _as_list(history: Any) -> list[Any]:
    """The versions in a document; an edit by hand, or Kibana, may have left a single one without its list."""
    return [*history] if isinstance(history, list) else [history]


def _unknown(saved_search_id: str) -> NewswatchError:
    return NewswatchError(f"There is no saved search {saved_search_id!r}: `newswatch alerts list` shows them.")


def read_search(saved_search_id: str, document: Mapping[str, Any]) -> SavedSearch:
    """The saved search of a document; `alerts.bounds.unusable` checks whether it can be run. Pure."""
    search = load(SavedSearch, {"query": "", "name": ""} | dict(document["definition"]))
    require_id(saved_search_id, search.id)
    if search.kind not in KINDS:
        raise ValueError(f"kind: {search.kind!r} is none of {', '.join(KINDS)}")
    return search


def _readable(saved_search_id: str, document: Mapping[str, Any]) -> Document:
    """The document of a saved search, checked to be readable. Pure."""
    read_search(saved_search_id, document)
    return dict(document)


def _changed(before: SavedSearch, after: SavedSearch) -> tuple[str, ...]:
    names = (name for name in SavedSearch.__dataclass_fields__ if name != "version")
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


_ASKED = frozenset(("query", "tags", "languages", "countries", "sources", "kinds", "min_score", "min_sources"))
_ASKED |= {"min_reliability", "kind"}
"""Fields on which the Elasticsearch query depends."""


def _fingerprint(search: SavedSearch) -> str:
    """A hash that changes when the search's definition in the file changes."""
    plain = json.dumps(dump(replace(search, version=1)), sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]
