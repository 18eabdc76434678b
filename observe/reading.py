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

from alerts.saved import read_search
from delivery.due import Owed, owed
from delivery.links import key_mark
from newswatch.batch import BatchState
from newswatch.delivery import DeliveryState
from newswatch.errors import DocumentError, MissingIndexError, NewswatchError
from newswatch.feed import FeedHealth
from newswatch.problems import Bulkhead, Problem, ProblemKind, collecting
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.keys import query_of, read_keys
from observe.pulse import FailingSearch, FileState, MailState, Pulse, Reach, Storage, Waiting
from observe.watched import WATCHMAN, certificates_of, conditions_of, valid_until
from store.client import Client
from store.configuration import ConfigurationStore
from store.documents import Document, read, values
from store.faults import REFUSALS, store_error
from store.mapping import plain_indices
from store.names import Names
from store.pulse import read_pulse as read_job
from store.quarantine import FAILED_IN_MATCHING, LATEST_FIRST, moment
from store.times import moment_at

PATIENCE_S: Final = 3.0
"""Time limit of each request. A page shows the pulse, and must not wait for it; the whole is some tens of ms."""
_MOST_FAILING: Final = 50
"""Maximum number of failing saved searches that are named."""
_DENIED: Final = (400, 401, 403, 404, 405, 410)
"""Status codes of an Elasticsearch that does not offer a request: Serverless, or too few privileges."""

_NONSENSE: Final = (KeyError, TypeError, ValueError, OverflowError)
"""What reading a document that was edited by hand may raise."""

Answer = Mapping[str, Any]
T = TypeVar("T")


class _AwayError(Exception):
    """Elasticsearch does not answer."""


def read_pulse(es: Client, names: Names, settings: Settings, now: datetime) -> Pulse:
    """The pulse at `now`, as of the last refresh (a second ago at most).

    It takes `PATIENCE_S` or a little more if Elasticsearch does not answer; then `storage.away` says why.
    """
    patient = es.options(request_timeout=PATIENCE_S, max_retries=0)
    reader = _Reader(patient, names, settings, now)
    try:
        return reader.read()
    except _AwayError as error:
        return Pulse(now, storage=Storage(away=str(error)))


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
            reach=_with_moments(found.get("reach", Reach()), jobs),
            newest_article_at=found.get("newest_article_at"),
            waiting=waiting,
            mail=_mail(jobs, found.get("mail", MailState())),
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
        asked = self._attempt("everything", lambda: self._es.msearch(searches=searches)["responses"])
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
        yield "jobs", _Part(names.pulse, {"size": 1_000}, _read_jobs)
        yield "feeds", _Part(names.feeds, self._of_feeds(), _read_feeds)
        newest = {"size": 0, "track_total_hits": False, "aggs": {"newest": {"max": {"field": "indexed_at"}}}}
        yield "articles", _Part(names.articles, newest, lambda a: {"newest_article_at": _moment(a, "newest")})
        yield "batches", _Part(names.batches, _OF_BATCHES, _read_batches)
        yield "outbox", _Part(f"{names.deliveries},{names.outcomes}", _OF_DELIVERIES, _read_deliveries)
        yield "problems", _Part(names.quarantine, _of_problems(names), partial(_read_problems, names))
        yield "saved searches", _Part(names.searches, _of_searches(self._now), _read_searches)
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

    def _named(self, failing: Sequence[_Failed]) -> tuple[FailingSearch, ...]:
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
            if failed.search.id in stored and _still_fails(failed, stored[failed.search.id], self._now)
        )

    def _storage(self) -> Storage:
        present = self._es.indices.get_settings(
            index=[*plain_indices(self._names), self._names.slices],
            name="index.blocks.read_only_allow_delete,index.creation_date",
            flat_settings=True,
            ignore_unavailable=True,
        ).body
        created = present.get(self._names.pulse, {}).get("settings", {}).get("index.creation_date")
        full = sorted(index for index, told in present.items() if _is_full(told["settings"]))
        storage = Storage(
            read_only=tuple(full),
            takes_notes=self._names.pulse not in full,
            installed_at=moment_at(float(created)) if created else None,
        )
        asking = self._es.options(ignore_status=_DENIED)
        if present:
            health = asking.cluster.health(index=sorted(present), level="cluster", local=True).body
            storage = replace(storage, status=str(health.get("status", "")))
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


def _disks(nodes: Answer) -> Iterator[Answer]:
    for node in nodes.values():
        yield node["fs"]["total"]


# ── answers → fields. Pure ───────────────────────────────────────────────────────────────────────────────────────────

_OF_BATCHES: Final[Document] = {
    "size": 0,
    "track_total_hits": False,
    "aggs": {
        "matched": {"max": {"field": "matched_at"}},
        "waiting": {
            "filter": {"term": {"state": BatchState.INDEXED}},
            "aggs": {"since": {"min": {"field": "indexed_at"}}},
        },
    },
}
_OF_DELIVERIES: Final[Document] = {
    "size": 0,
    # Once a delivery is spread, its outcomes count in its place, one for each recipient.
    "query": {"bool": {"must_not": {"term": {"spread": True}}}},
    "track_total_hits": False,
    "aggs": {
        "sent": {"max": {"field": "sent_at"}},
        "states": {"terms": {"field": "state", "size": len(DeliveryState)}},
    },
}


def _of_searches(now: datetime) -> Document:
    """The searches of alerts.yaml whose query can't be run: they are stored, and never matched."""
    expired = {"range": {"expires_at": {"lte": now.isoformat()}}}
    on = {"filter": [{"exists": {"field": "problem"}}, {"term": {"enabled": True}}], "must_not": expired}
    return {
        "size": _MOST_FAILING,
        "track_total_hits": False,
        "query": {"bool": on},
        "_source": ["name", "problem", "changed_at"],
    }


def _of_problems(names: Names) -> Document:
    """The kinds of problems, and the problems of saved searches: they fail in matching, or can't be read."""
    unreadable = {"bool": {"filter": [{"term": {"what": "document"}}, {"prefix": {"id": f"{names.searches}/"}}]}}
    return {
        "size": _MOST_FAILING,
        "track_total_hits": False,
        "post_filter": {"bool": {"should": [FAILED_IN_MATCHING, unreadable]}},
        "sort": LATEST_FIRST,
        "_source": ["what", "id", "at", "first_at", "reason"],
        "aggs": {"kinds": {"terms": {"field": "what", "size": 100}}},
    }


def _read_jobs(answer: Answer) -> dict[str, Any]:
    return {"jobs": {job.job: job for job in values(answer["hits"]["hits"], read_job)}}


def _read_feeds(answer: Answer) -> dict[str, Any]:
    aggs = answer.get("aggregations")
    if not aggs:  # there is no index yet
        return {}
    middles = aggs["failing"]["middle"]["values"]
    middle = middles[0]["value"] if middles else None
    reach = Reach(
        enabled=answer["hits"]["total"]["value"],
        states=_counts(aggs["states"]),
        due=aggs["due"]["doc_count"],
        failing_since=moment_at(middle) if middle is not None else None,
    )
    return {"reach": reach}


def _read_batches(answer: Answer) -> dict[str, Any]:
    aggs = answer.get("aggregations")
    if not aggs:
        return {}
    count, since = aggs["waiting"]["doc_count"], _moment(aggs["waiting"], "since")
    return {"batches": Waiting(batches=count, batch_since=since, matched_at=_moment(answer, "matched"))}


def _read_deliveries(answer: Answer) -> dict[str, Any]:
    states = _counts(answer.get("aggregations", {}).get("states", {}))
    return {"mail": MailState(accepted_at=_moment(answer, "sent"), states=states)}


def _read_searches(answer: Answer) -> dict[str, Any]:
    sources = ((hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
    unrunnable = (
        FailingSearch(id_, str(source.get("name") or id_), _moment_or_none(source.get("changed_at")), source["problem"])
        for id_, source in sources
    )
    return {"unrunnable": tuple(unrunnable)}


def _moment_or_none(value: object) -> datetime | None:
    try:
        return moment(str(value))
    except _NONSENSE:
        return None


def _read_problems(names: Names, answer: Answer) -> dict[str, Any]:
    failing = (_failed(names, hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
    kinds = _counts(answer.get("aggregations", {}).get("kinds", {}))
    return {"problem_kinds": kinds, "failing": tuple(failed for failed in failing if failed)}


@dataclass(frozen=True, slots=True)
class _Failed:
    """A saved search that failed in matching."""

    search: FailingSearch
    at: datetime
    """When it failed last."""
    unreadable: bool = False
    """Its document can't be read, so it is not even run."""


def _failed(names: Names, problem_id: str, document: Answer) -> _Failed | None:
    """The failing search of a problem; None if its document was edited to nonsense, or is of something else."""
    try:
        kind: ProblemKind = "document" if document["what"] == "document" else "search"
        subject, last = str(document["id"]), moment(document["at"])
        since = moment(document["first_at"]) if document.get("first_at") else last
    except _NONSENSE:
        return None
    if Problem(kind, subject, "").id != problem_id:
        return None
    search_id = subject.removeprefix(f"{names.searches}/")
    failing = FailingSearch(search_id, search_id, since, str(document.get("reason", "")))
    return _Failed(failing, last, unreadable=kind == "document")


def _still_fails(failed: _Failed, hit: Answer, now: datetime) -> bool:
    """Whether the search is to be run, and was not corrected since it failed."""
    stored = hit["_source"]
    expires_at = _moment_or_none(stored.get("expires_at"))
    if not stored.get("enabled", True) or (expires_at is not None and expires_at <= now):
        return False
    if failed.unreadable:
        return not _is_readable(hit)
    try:
        return moment(stored["changed_at"]) <= failed.at
    except _NONSENSE:
        return True


def _is_readable(hit: Answer) -> bool:
    try:
        read(hit, read_search)
    except DocumentError:
        return False
    return True


def _counts(terms: Answer) -> dict[str, int]:
    return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in terms.get("buckets", ())}


def _moment(answer: Answer, name: str) -> datetime | None:
    """The moment of a min or max aggregation; None if no document has the field."""
    aggs = answer.get("aggregations", answer)
    value = aggs.get(name, {}).get("value")
    return None if value is None else moment_at(value)


def _with_moments(reach: Reach, jobs: Mapping[str, JobPulse]) -> Reach:
    pull = jobs.get("pull", JobPulse("pull"))
    return replace(
        reach,
        reached_at=pull.moments.get("reached"),
        offline_since=pull.moments.get("offline"),
        unanswered_since=pull.moments.get("unanswered"),
        why=pull.reasons.get("offline") or pull.reasons.get("unanswered") or "",
    )


def _mail(jobs: Mapping[str, JobPulse], mail: MailState) -> MailState:
    job = jobs.get("deliver", JobPulse("deliver"))
    accepted = [moment for moment in (mail.accepted_at, job.moments.get("accepted")) if moment]
    return replace(
        mail,
        accepted_at=max(accepted, default=None),
        down_since=job.moments.get("down"),
        broken_since=job.moments.get("broken"),
        why=job.reasons.get("down") or job.reasons.get("broken", ""),
    )
