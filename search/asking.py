"""Runs users' queries, with a time limit and a one-sentence message for every error.

A query within the limits (`search.limits`) may still be refused, take too long or need too much memory. As long as
Elasticsearch answers a trivial search, the query is at fault: a `QueryError`, which concerns only its user. Otherwise
Elasticsearch is unavailable: a `StoreError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from elastic_transport import ApiResponseMeta
from elasticsearch import ApiError, BadRequestError, ConnectionTimeout, Elasticsearch, NotFoundError, TransportError

from newswatch.errors import NewswatchError, QueryError, StoreError
from newswatch.texts import cut_short
from search.limits import shown
from search.missing import Missing, cant_be_run, missing_by, missing_in, refused_part
from search.syntax_error import pointed_at

SEARCH_S: Final = 10
"""Seconds that Elasticsearch may search for one user request."""
ANSWER_S: Final = 2 * SEARCH_S
"""Seconds after which the client stops waiting for the answer; Elasticsearch then ends the search by itself."""
PROBE_S: Final = 5
"""Seconds that Elasticsearch has for the trivial search that shows whether it is available."""
TIMEOUT: Final = f"{SEARCH_S}s"
"""The `timeout` in the body of a search."""

WHOLE: Final = "_whole"
"""In the body of a search for `ask_all`: a slice that fails makes it an error, as optional searches must be."""

Answer = Mapping[str, Any]
Request = tuple[str | Sequence[str], Mapping[str, Any]]
"""The index or indices to search, and the body."""


class SlowSearchError(QueryError):
    """A search exceeded the time limit."""


class HeavySearchError(QueryError):
    """A search needs more resources than Elasticsearch has."""


def impatient(es: Elasticsearch, seconds: float = ANSWER_S) -> Elasticsearch:
    """The client for a user's query: it waits `seconds`, without retries."""
    return es.options(request_timeout=seconds, max_retries=0, retry_on_timeout=False, retry_on_status=())


def ask(es: Elasticsearch, index: str, typed: str, /, *, lacking: list[Missing] | None = None, **body: Any) -> Answer:
    """Elasticsearch's answer to a search for the user's query `typed`, which error messages quote.

    What the answer lacks is added to `lacking`, if that is given.

    Raises:
        QueryError: it can't be run, takes too long or needs too much memory.
        NotFoundError: the index does not exist.
        IncompleteError: a slice could not be searched.
        StoreError: Elasticsearch is unavailable.
    """
    return ask_within(SEARCH_S, es, index, typed, lacking=lacking, **body)


def ask_within(
    seconds: float,
    es: Elasticsearch,
    index: str,
    typed: str,
    /,
    *,
    lacking: list[Missing] | None = None,
    **body: Any,
) -> Answer:
    """`ask`, for a search that Elasticsearch stops after `seconds`; the client waits twice as long."""
    with answering(es, index, typed):
        waiting = impatient(es, seconds * ANSWER_S / SEARCH_S)
        answer: Answer = waiting.search(index=index, timeout=f"{seconds * 1000:.0f}ms", **body).body
    if answer.get("timed_out"):
        raise too_slow(typed)
    _check_whole(typed, answer, lacking)
    return answer


def _check_whole(typed: str, answer: Answer, lacking: list[Missing] | None) -> None:
    if causes := cant_be_run(answer):
        raise QueryError(refused(typed, causes))
    if missing := missing_in(answer):
        if lacking is None:
            raise refused_part(missing)
        lacking.append(missing)


def ask_all(
    es: Elasticsearch,
    index: str,
    typed: str,
    requests: Sequence[Request],
    *,
    optional: int = 0,
    lacking: list[Missing] | None = None,
) -> list[Answer]:
    """The answers to several searches for the user's query, in one round trip. The first `optional` may be errors.

    What the answers lack is added to `lacking`, if that is given.

    Raises:
        QueryError, NotFoundError, StoreError: those of `ask`, for the first other request that failed.
    """
    lines = [line for request in requests for line in _lines(request)]
    with answering(es, index, typed):
        response = impatient(es).msearch(searches=lines)
    answers = [_complete(answer) for answer in response["responses"]]
    if len(answers) != len(requests):
        raise AssertionError(f"{len(requests)} questions to _msearch, {len(answers)} answers")
    for answer in answers[optional:]:
        if "error" in answer:
            raise _refusal(es, index, typed, answer, response.meta)
    for answer in answers[optional:]:
        _check_whole(typed, answer, lacking)
    return answers


def _lines(request: Request) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What `_msearch` takes for a search: its header and its body."""
    index, body = request
    header = {"index": index} | ({"allow_partial_search_results": False} if body.get(WHOLE) else {})
    return header, {**{name: part for name, part in body.items() if name != WHOLE}, "timeout": TIMEOUT}


def _complete(answer: Answer) -> Answer:
    """The answer; an error instead if the time-out has cut it."""
    if not answer.get("timed_out"):
        return answer
    return {"status": int(HTTPStatus.GATEWAY_TIMEOUT), "error": {"type": "timeout", "reason": "it took too long"}}


def _refusal(es: Elasticsearch, index: str, typed: str, answer: Answer, meta: ApiResponseMeta) -> Exception:
    """The error that a single search would have raised for the answer."""
    status = int(answer["status"])
    if missing := missing_by(answer["error"]):
        return refused_part(missing)
    if status == HTTPStatus.BAD_REQUEST:
        return QueryError(refused(typed, answer["error"]))
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return too_slow(typed)
    told = str(answer["error"].get("reason") or answer["error"].get("type"))
    kind = NotFoundError if status == HTTPStatus.NOT_FOUND else ApiError
    error = kind(told, replace(meta, status=status), dict(answer))
    return error if status == HTTPStatus.NOT_FOUND else verdict(es, index, typed, error)


def reason(answer: Answer) -> str:
    """Why a search of `ask_all` failed, in one line."""
    return _reason(answer["error"])


def count(es: Elasticsearch, index: str, typed: str, query: Mapping[str, Any]) -> int:
    """The number of documents that match a query; raises the errors of `ask`."""
    answer = ask(es, index, typed, query=query, size=0, track_total_hits=True)
    return int(answer["hits"]["total"]["value"])


@contextmanager
def answering(es: Elasticsearch, index: str, typed: str) -> Iterator[None]:
    """Converts Elasticsearch's errors within the block to those of `ask`."""
    try:
        yield
    except NotFoundError:
        raise
    except (ApiError, TransportError) as error:
        if isinstance(error, ApiError) and (missing := missing_by(_error_of(error))):
            raise refused_part(missing) from error
        if isinstance(error, BadRequestError):
            raise QueryError(explain_refusal(typed, error)) from error
        raise verdict(es, index, typed, error) from error


def _error_of(error: ApiError) -> Any:
    return error.body.get("error") if isinstance(error.body, Mapping) else None


def verdict(es: Elasticsearch, index: str, query: str, error: Exception) -> NewswatchError:
    """The error to raise: a QueryError if Elasticsearch answers a trivial search, otherwise a StoreError."""
    if not _available(es, index):
        return StoreError(f"Elasticsearch can't search now: {first_line(error)}. See `newswatch status`.")
    if isinstance(error, ConnectionTimeout):
        return too_slow(query)
    return too_heavy(query, error)


def _available(es: Elasticsearch, index: str) -> bool:
    try:
        impatient(es, PROBE_S).search(index=index, size=0, terminate_after=1, track_total_hits=False)
    except NotFoundError:
        return True
    except (ApiError, TransportError):
        return False
    return True


def too_slow(query: str) -> SlowSearchError:
    """The error for a search that exceeded the time limit."""
    fault = f"The search {shown(query, 100)} took Elasticsearch more than {SEARCH_S} seconds and was stopped"
    return SlowSearchError(f"{fault}: use fewer wildcards, fuzzy words and ranges, or narrow it by since:7d or tag:….")


def too_heavy(query: str, error: Exception) -> HeavySearchError:
    """The error for a search that needs too many resources."""
    fault = f"The search {shown(query, 100)} needs more resources than Elasticsearch has now"
    return HeavySearchError(f"{fault}: use fewer words, wildcards and fuzzy words. It says: {first_line(error)}")


def first_line(error: Exception) -> str:
    """The first line of an error, cut to 300 characters."""
    return _line(str(error) or type(error).__name__)


# ── refused queries ──────────────────────────────────────────────────────────────────────────────────────────────────

_PLACE = re.compile(r"line (\d+), column (\d+)")
_TOO_MANY = re.compile(r"too many (?:nested )?clauses|maxClauseCount", re.IGNORECASE)
_LINE_CHARS: Final = 300


def explain_refusal(query: str, error: BadRequestError) -> str:
    """Why Elasticsearch refuses the query, as one sentence; it points at the place if Elasticsearch names one."""
    if isinstance(error.body, dict):
        return refused(query, error.body.get("error", {}))
    return refused(query, {"reason": str(error)})


def refused(query: str, causes: Any) -> str:
    """`explain_refusal` for the `error` in an answer."""
    reason = _reason(causes)
    if _TOO_MANY.search(reason):
        fault = f"The query {shown(query, 100)} has more words than this Elasticsearch accepts ({reason.rstrip('.')})"
        return f"{fault}: each counts once for each field in which it is looked for. Make several searches of it."
    place = _PLACE.search(reason)
    if place is None:
        return f"The query {shown(query, 200)} can't be run: {reason}"
    lines = query.splitlines(keepends=True)
    start = sum(len(line) for line in lines[: int(place[1]) - 1]) + int(place[2])
    return f"The query can't be parsed at column {int(place[2]) + 1}:\n{pointed_at(query, start, start + 1)}"


def _reason(causes: Any) -> str:
    """The deepest cause that Elasticsearch names, in one line."""
    if not isinstance(causes, Mapping):
        return _line(str(causes))
    reason = str((causes.get("root_cause") or [causes])[0].get("reason") or causes)
    shards = causes.get("failed_shards")
    deepest = shards[0].get("reason", causes) if shards else causes
    while isinstance(deepest, Mapping) and deepest.get("caused_by"):
        deepest = deepest["caused_by"]
        reason = str(deepest.get("reason") or reason)
    return _line(reason)


def _line(text: str) -> str:
    return cut_short((text.splitlines() or ["no reason given"])[0], _LINE_CHARS)
