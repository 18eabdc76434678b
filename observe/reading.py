"""Reads the pulse from Elasticsearch: a few small requests without retries, each with a short time limit.

A part that can't be read is named in `Pulse.unread`, and the others stand. If Elasticsearch does not answer at all, the
rest is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from delivery.due import Owed, owed
from delivery.links import key_mark
from newswatch.errors import MissingIndexError, NewswatchError
from newswatch.feed import FeedHealth
from newswatch.problems import Bulkhead, collecting
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.answers import (
    OF_BATCHES,
    OF_DELIVERIES,
    Answer,
    FailedSearch,
    mail_of,
    moment_in,
    of_problems,
    of_searches,
    read_batches,
    read_deliveries,
    read_feeds,
    read_jobs,
    read_problems,
    read_searches,
    still_fails,
    with_moments,
)
from observe.keys import query_of, read_keys
from observe.pulse import FailingSearch, FileState, MailState, Pulse, Reach, Storage, Waiting
from observe.watched import WATCHMAN, certificates_of, conditions_of, valid_until
from store.configuration import ConfigurationStore
from store.elastic.access import no_access
from store.elastic.client import Client
from store.elastic.documents import Document
from store.elastic.faults import REFUSALS, store_error
from store.elastic.times import moment_at
from store.indices.mapping import plain_indices
from store.names import Names

PATIENCE_S: Final = 3.0
"""Time limit of each request. A page shows the pulse, and must not wait for it; the whole is some tens of ms."""
_DENIED: Final = (400, 401, 403, 404, 405, 410)
"""Status codes of an Elasticsearch that does not offer a request: Serverless, or too few privileges."""
EVERYTHING: Final = "everything"
"""What is read by the searches that are sent together."""
T = TypeVar("T")


class _AwayError(Exception):
    """Elasticsearch does not answer, or lets newswatch do nothing."""

    def __init__(self, why: str, next_step: str = "") -> None:
        super().__init__(why)
        self.next_step = next_step


def read_pulse(es: Client, names: Names, settings: Settings, now: datetime) -> Pulse:
    """The pulse at `now`, as of the last refresh (a second ago at most).

    It takes `PATIENCE_S` or a little more if Elasticsearch does not answer; then `storage.away` says why.
    """
    patient = es.options(request_timeout=PATIENCE_S, max_retries=0)
    reader = _Reader(patient, names, settings, now)
    try:
        return reader.read()
    except _AwayError as error:
        return Pulse(now, storage=Storage(away=str(error), away_step=error.next_step))


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the searches that are sent together."""

    index: str
    body: Document
    read: Callable[[Answer], dict[str, Any]]
    """Its answer → fields of the pulse."""


class _Reader:
    def __init__(self, es: Client, names: Names, settings: Settings, now: datetime) -> None:
        self._es, self._names, self._settings, self._now = es, names, settings, now
        self._unread: dict[str, str] = {}

    def read(self) -> Pulse:
        storage = self._attempt("storage", self._storage) or Storage()
        found = self._searched()
        files = self._attempt("configuration", self._files) or ()
        late = self._attempt("mails", self._owed) or Owed()
        jobs: Mapping[str, JobPulse] = found.get("jobs", {})
        waiting = replace(
            found.get("batches", Waiting()),
            mails=late.mails,
            mail_since=late.since,
            refused=late.refused,
            refused_since=late.refused_since,
            refused_why=late.why,
        )
        failing = self._attempt("searches", partial(self._named, found.get("failing", ()))) or ()
        failing = (*found.get("unrunnable", ()), *failing)
        watchman = jobs.get(WATCHMAN, JobPulse(WATCHMAN))
        return Pulse(
            at=self._now,
            key_mark=key_mark(self._settings),
            jobs={name: job for name, job in jobs.items() if name != WATCHMAN},
            reach=with_moments(found.get("reach", Reach()), jobs),
            newest_article_at=found.get("newest_article_at"),
            waiting=waiting,
            mail=mail_of(jobs, found.get("mail", MailState())),
            files=files,
            keys=found.get("keys", ()),
            failing_searches=failing,
            problems=sum(found.get("problem_kinds", {}).values()),
            problem_kinds=found.get("problem_kinds", {}),
            storage=storage,
            watched_at=watchman.beat_at,
            watched_until=valid_until(watchman),
            watched=conditions_of(watchman, self._now),
            certificates=certificates_of(watchman),
            watch_began_at=watchman.started_at,
            unread=self._unread,
        )

    def _attempt(self, part: str, read: Callable[[], T]) -> T | None:
        """The result of `read`; None, with the reason noted, if Elasticsearch refuses.

        Raises:
            _AwayError: it does not answer.
        """
        try:
            return read()
        except REFUSALS as error:
            if (barred := no_access(error)) and (barred.of_all or part == EVERYTHING):
                raise _AwayError(barred.sentence, barred.next_step) from error
            if not _is_answer(error):
                raise _AwayError((str(error).splitlines() or [type(error).__name__])[0]) from error
            fault = store_error(error)
            if not isinstance(fault, MissingIndexError):
                self._unread[part] = str(fault)
        except MissingIndexError:
            return None  # nothing is installed yet, or the next job creates it
        except NewswatchError as error:
            self._unread[part] = str(error)
        return None

    # ── the searches that are sent together ──────────────────────────────────────────────────────────────────────────

    def _searched(self) -> dict[str, Any]:
        parts = dict(self._parts())
        searches: list[dict[str, Any]] = []
        for part in parts.values():
            searches += [{"index": part.index, "ignore_unavailable": True}, part.body]
        asked = self._attempt(EVERYTHING, lambda: self._es.msearch(searches=searches)["responses"])
        found: dict[str, Any] = {}
        for (name, part), answer in zip(parts.items(), asked or (), strict=bool(asked)):
            if "error" in answer:
                self._unread[name] = f"Elasticsearch refuses: {_reason(answer['error'])}"
            else:
                with collecting(Bulkhead("observe")):  # the jobs meet an unreadable document too, and keep the problem
                    found |= part.read(answer)
        return found

    def _parts(self) -> Iterator[tuple[str, _Part]]:
        names = self._names
        yield "jobs", _Part(names.pulse, {"size": 1_000}, read_jobs)
        yield "feeds", _Part(names.feeds, self._of_feeds(), read_feeds)
        newest = {"size": 0, "track_total_hits": False, "aggs": {"newest": {"max": {"field": "indexed_at"}}}}
        yield "articles", _Part(names.articles, newest, lambda a: {"newest_article_at": moment_in(a, "newest")})
        yield "batches", _Part(names.batches, OF_BATCHES, read_batches)
        yield "outbox", _Part(f"{names.deliveries},{names.outcomes}", OF_DELIVERIES, read_deliveries)
        yield "problems", _Part(names.quarantine, of_problems(names), partial(read_problems, names))
        yield "saved searches", _Part(names.searches, of_searches(self._now), read_searches)
        yield "API keys", _Part(names.keys, query_of(self._now), read_keys)

    def _of_feeds(self) -> Document:
        """Feeds count as due once they are overdue by the shortest interval, and no batch holds them."""
        late = self._now - timedelta(seconds=self._settings.poll_min_interval_s)
        held = {"range": {"lease_until": {"gte": self._now.isoformat()}}}
        due = {"bool": {"must_not": [held, {"range": {"next_poll_at": {"gt": late.isoformat()}}}]}}
        failing = {"terms": {"health": [FeedHealth.FAILING, FeedHealth.GONE]}}
        middle = {"percentiles": {"field": "health_since", "percents": [50], "keyed": False}}
        return {
            "size": 0,
            "query": {"term": {"enabled": True}},
            "track_total_hits": True,
            "aggs": {
                "states": {"terms": {"field": "health", "size": len(FeedHealth)}},
                "due": {"filter": due},
                "failing": {"filter": failing, "aggs": {"middle": middle}},
            },
        }

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _files(self) -> tuple[FileState, ...]:
        states = ConfigurationStore(self._es, self._names).states()
        return tuple(FileState(state.name, state.wrong_since, state.why) for state in states)

    def _owed(self) -> Owed:
        walls = Bulkhead("observe")
        with collecting(walls):
            return owed(self._es, self._names, self._settings, now=self._now, bulkhead=walls)

    def _named(self, failing: Sequence[FailedSearch]) -> tuple[FailingSearch, ...]:
        """The failing searches under their names, without those that are gone, disabled, expired, or
        saved since they failed."""
        if not failing:
            return ()
        wanted = ["name", "enabled", "expires_at", "changed_at", "definition"]
        ids = [failed.search.id for failed in failing]
        docs = self._es.mget(index=self._names.searches, ids=ids, source_includes=wanted)["docs"]
        stored = {doc["_id"]: doc for doc in docs if doc.get("found")}
        return tuple(
            replace(failed.search, name=str(stored[failed.search.id]["_source"].get("name") or failed.search.id))
            for failed in failing
            if failed.search.id in stored and still_fails(failed, stored[failed.search.id], self._now)
        )

    def _storage(self) -> Storage:
        present = self._es.indices.get_settings(
            index=[*plain_indices(self._names), self._names.slices],
            name="index.blocks.read_only_allow_delete,index.creation_date,index.verified_before_close",
            flat_settings=True,
            ignore_unavailable=True,
            expand_wildcards=["open", "closed"],
        ).body
        created = present.get(self._names.pulse, {}).get("settings", {}).get("index.creation_date")
        full = sorted(index for index, told in present.items() if _is_full(told["settings"]))
        storage = Storage(
            read_only=tuple(full),
            closed=tuple(sorted(index for index, told in present.items() if _is_closed(told["settings"]))),
            takes_notes=self._names.pulse not in full,
            installed_at=moment_at(float(created)) if created else None,
        )
        asking = self._es.options(ignore_status=_DENIED)
        if present:
            wanted = ["status", "indices.*.status"]
            # The pattern, as the names of many months would be too long for an address.
            names = [*(name for name in plain_indices(self._names) if name in present), self._names.slices]
            health = asking.cluster.health(index=names, level="indices", local=True, filter_path=wanted).body
            lost = sorted(name for name, one in health.get("indices", {}).items() if one.get("status") == "red")
            storage = replace(storage, status=str(health.get("status", "")), lost=tuple(lost))
        told = asking.health_report(feature=["disk"], verbose=False).body
        disk = told.get("indicators", {}).get("disk", {})
        nodes = asking.nodes.stats(metric="fs", filter_path="nodes.*.fs.total").body.get("nodes", {})
        free = [fs["available_in_bytes"] / fs["total_in_bytes"] for fs in _disks(nodes) if fs.get("total_in_bytes")]
        return replace(
            storage,
            disk=str(disk.get("status", "")),
            disk_why=str(disk.get("symptom", "")),
            disk_free=min(free, default=None),
        )


def _is_answer(error: Exception) -> bool:
    """Whether Elasticsearch answered the request, if only with a refusal."""
    return hasattr(error, "meta")


def _reason(error: Any) -> str:
    return str(error.get("reason") or error.get("type")) if isinstance(error, Mapping) else str(error)


def _is_full(settings: Answer) -> bool:
    """Whether Elasticsearch has blocked the index because of its disk. An upgrade sets blocks of another kind."""
    return str(settings.get("index.blocks.read_only_allow_delete")) == "true"


def _is_closed(settings: Answer) -> bool:
    """Whether somebody has closed the index."""
    return str(settings.get("index.verified_before_close")) == "true"


def _disks(nodes: Answer) -> Iterator[Answer]:
    for node in nodes.values():
        yield node["fs"]["total"]
