"""Elasticsearch's answers as fields of the pulse, and the searches that they answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from alerts.saved import read_search
from newswatch.batch import BatchState
from newswatch.delivery import DeliveryState
from newswatch.errors import DocumentError
from newswatch.problems import Problem, ProblemKind
from newswatch.pulse import JobPulse
from observe.pulse import FailingSearch, MailState, Reach, Waiting
from store.elastic.documents import Document, read, values
from store.elastic.times import moment_at
from store.names import Names
from store.pulse import read_pulse as read_job
from store.quarantine import FAILED_IN_MATCHING, LATEST_FIRST, moment

NONSENSE: Final = (KeyError, TypeError, ValueError, OverflowError)
"""What reading a document that was edited by hand may raise."""
Answer = Mapping[str, Any]
_MOST_FAILING: Final = 50
"""Maximum number of failing saved searches that are named."""
OF_BATCHES: Final[Document] = {
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
OF_DELIVERIES: Final[Document] = {
    "size": 0,
    # Once a delivery is spread, its outcomes count in its place, one for each recipient.
    "query": {"bool": {"must_not": {"term": {"spread": True}}}},
    "track_total_hits": False,
    "aggs": {
        "sent": {"max": {"field": "sent_at"}},
        "states": {"terms": {"field": "state", "size": len(DeliveryState)}},
    },
}


def of_searches(now: datetime) -> Document:
    """The searches of alerts.yaml whose query can't be run: they are stored, and never matched."""
    expired = {"range": {"expires_at": {"lte": now.isoformat()}}}
    on = {"filter": [{"exists": {"field": "problem"}}, {"term": {"enabled": True}}], "must_not": expired}
    return {
        "size": _MOST_FAILING,
        "track_total_hits": False,
        "query": {"bool": on},
        "_source": ["name", "problem", "changed_at"],
    }


def of_problems(names: Names) -> Document:
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


def read_jobs(answer: Answer) -> dict[str, Any]:
    return {"jobs": {job.job: job for job in values(answer["hits"]["hits"], read_job)}}


def read_feeds(answer: Answer) -> dict[str, Any]:
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


def read_batches(answer: Answer) -> dict[str, Any]:
    aggs = answer.get("aggregations")
    if not aggs:
        return {}
    count, since = aggs["waiting"]["doc_count"], moment_in(aggs["waiting"], "since")
    return {"batches": Waiting(batches=count, batch_since=since, matched_at=moment_in(answer, "matched"))}


def read_deliveries(answer: Answer) -> dict[str, Any]:
    states = _counts(answer.get("aggregations", {}).get("states", {}))
    return {"mail": MailState(accepted_at=moment_in(answer, "sent"), states=states)}


def read_searches(answer: Answer) -> dict[str, Any]:
    sources = ((hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
    unrunnable = (
        FailingSearch(id_, str(source.get("name") or id_), _moment_or_none(source.get("changed_at")), source["problem"])
        for id_, source in sources
    )
    return {"unrunnable": tuple(unrunnable)}


def _moment_or_none(value: object) -> datetime | None:
    try:
        return moment(str(value))
    except NONSENSE:
        return None


def read_problems(names: Names, answer: Answer) -> dict[str, Any]:
    failing = (_failed(names, hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
    kinds = _counts(answer.get("aggregations", {}).get("kinds", {}))
    return {"problem_kinds": kinds, "failing": tuple(failed for failed in failing if failed)}


@dataclass(frozen=True, slots=True)
class FailedSearch:
    """A saved search that failed in matching."""

    search: FailingSearch
    at: datetime
    """When it failed last."""
    unreadable: bool = False
    """Its document can't be read, so it is not even run."""


def _failed(names: Names, problem_id: str, document: Answer) -> FailedSearch | None:
    """The failing search of a problem; None if its document was edited to nonsense, or is of something else."""
    try:
        kind: ProblemKind = "document" if document["what"] == "document" else "search"
        subject, last = str(document["id"]), moment(document["at"])
        since = moment(document["first_at"]) if document.get("first_at") else last
    except NONSENSE:
        return None
    if Problem(kind, subject, "").id != problem_id:
        return None
    search_id = subject.removeprefix(f"{names.searches}/")
    failing = FailingSearch(search_id, search_id, since, str(document.get("reason", "")))
    return FailedSearch(failing, last, unreadable=kind == "document")


def still_fails(failed: FailedSearch, hit: Answer, now: datetime) -> bool:
    """Whether the search is to be run, and was not corrected since it failed."""
    stored = hit["_source"]
    expires_at = _moment_or_none(stored.get("expires_at"))
    if not stored.get("enabled", True) or (expires_at is not None and expires_at <= now):
        return False
    if failed.unreadable:
        return not _is_readable(hit)
    try:
        return moment(stored["changed_at"]) <= failed.at
    except NONSENSE:
        return True


def _is_readable(hit: Answer) -> bool:
    try:
        read(hit, read_search)
    except DocumentError:
        return False
    return True


def _counts(terms: Answer) -> dict[str, int]:
    return {str(bucket["key"]): int(bucket["doc_count"]) for bucket in terms.get("buckets", ())}


def moment_in(answer: Answer, name: str) -> datetime | None:
    """The moment of a min or max aggregation; None if no document has the field."""
    aggs = answer.get("aggregations", answer)
    value = aggs.get(name, {}).get("value")
    return None if value is None else moment_at(value)


def with_moments(reach: Reach, jobs: Mapping[str, JobPulse]) -> Reach:
    pull = jobs.get("pull", JobPulse("pull"))
    return replace(
        reach,
        reached_at=pull.moments.get("reached"),
        offline_since=pull.moments.get("offline"),
        unanswered_since=pull.moments.get("unanswered"),
        why=pull.reasons.get("offline") or pull.reasons.get("unanswered") or "",
    )


def mail_of(jobs: Mapping[str, JobPulse], mail: MailState) -> MailState:
    job = jobs.get("deliver", JobPulse("deliver"))
    accepted = [moment for moment in (mail.accepted_at, job.moments.get("accepted")) if moment]
    return replace(
        mail,
        accepted_at=max(accepted, default=None),
        down_since=job.moments.get("down"),
        broken_since=job.moments.get("broken"),
        why=job.reasons.get("down") or job.reasons.get("broken", ""),
    )
