"""Asking Elasticsearch what a user typed: within a time, and with a sentence for whatever it answers.

A query that is within the limits (`search.limits`) may still be refused, take too long or need more memory than there
is. That is the query's own fault as long as Elasticsearch answers the simplest of all searches; it is told as a
`QueryError`, which costs the one who asked. Where it does not answer that one either, it is trouble: a `StoreError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from elasticsearch import ApiError, BadRequestError, ConnectionTimeout, Elasticsearch, NotFoundError, TransportError

from newswatch.errors import NewswatchError, QueryError, StoreError
from newswatch.texts import cut_short
from search.limits import shown
from search.syntax import pointed_at

SEARCH_S: Final = 10
"""Seconds that Elasticsearch may search for one request of a user."""
ANSWER_S: Final = 2 * SEARCH_S
"""Seconds after which the client stops waiting for the answer; Elasticsearch then ends the search by itself."""
PROBE_S: Final = 5
"""Seconds that Elasticsearch has for the simplest of all searches, to show that it is well."""
TIMEOUT: Final = f"{SEARCH_S}s"
"""The `timeout` of a search's body."""

Answer = Mapping[str, Any]


class SlowSearchError(QueryError):
    """A search took longer than it may."""


class HeavySearchError(QueryError):
    """A search needs more of Elasticsearch than it has to give."""


def impatient(es: Elasticsearch, seconds: float = ANSWER_S) -> Elasticsearch:
    """The client for a user's question: it waits that long, and asks once."""
    return es.options(request_timeout=seconds, max_retries=0, retry_on_timeout=False, retry_on_status=())


def ask(es: Elasticsearch, index: str, typed: str, /, **body: Any) -> Answer:
    """What Elasticsearch answers to a search for what a user typed, which the sentences name.

    Raises:
        QueryError: it can't be run, takes too long or needs too much.
        NotFoundError: there is no such index.
        StoreError: Elasticsearch is in trouble of its own.
    """
    with answering(es, index, typed):
        answer: Answer = impatient(es).search(index=index, timeout=TIMEOUT, **body).body
    if answer.get("timed_out"):
        raise too_slow(typed)
    return answer


def count(es: Elasticsearch, index: str, typed: str, query: Mapping[str, Any]) -> int:
    """How many documents a query finds; raises what `ask` does."""
    answer = ask(es, index, typed, query=query, size=0, track_total_hits=True)
    return int(answer["hits"]["total"]["value"])


@contextmanager
def answering(es: Elasticsearch, index: str, typed: str) -> Iterator[None]:
    """Tells what Elasticsearch says to a user's question as `ask` does."""
    try:
        yield
    except NotFoundError:
        raise
    except BadRequestError as error:
        raise QueryError(explain_refusal(typed, error)) from error
    except (ApiError, TransportError) as error:
        raise verdict(es, index, typed, error) from error


def verdict(es: Elasticsearch, index: str, query: str, error: Exception) -> NewswatchError:
    """Whose fault an error is: the query's while the simplest search is answered, else Elasticsearch's own."""
    if not _well(es, index):
        return StoreError(f"Elasticsearch can't search now: {first_line(error)}. See `newswatch status`.")
    if isinstance(error, ConnectionTimeout):
        return too_slow(query)
    return too_heavy(query, error)


def _well(es: Elasticsearch, index: str) -> bool:
    try:
        impatient(es, PROBE_S).search(index=index, size=0, terminate_after=1, track_total_hits=False)
    except NotFoundError:
        return True
    except (ApiError, TransportError):
        return False
    return True


def too_slow(query: str) -> SlowSearchError:
    """The sentence for a search that was given up."""
    told = f"The search {shown(query, 100)} took Elasticsearch more than {SEARCH_S} seconds and was given up"
    return SlowSearchError(f"{told}: use fewer wildcards, fuzzy words and ranges, or narrow it by since:7d or tag:….")


def too_heavy(query: str, error: Exception) -> HeavySearchError:
    """The sentence for a search that Elasticsearch refused as it is."""
    told = f"The search {shown(query, 100)} asks for more than Elasticsearch can give now"
    return HeavySearchError(f"{told}: use fewer words, wildcards and fuzzy words. It says: {first_line(error)}")


def first_line(error: Exception) -> str:
    """The first line of an error, of at most 300 characters."""
    return _line(str(error) or type(error).__name__)


# ── what it refuses ──────────────────────────────────────────────────────────────────────────────────────────────────

_PLACE = re.compile(r"line (\d+), column (\d+)")
_TOO_MANY = re.compile(r"too many (?:nested )?clauses|maxClauseCount", re.IGNORECASE)
_TOLD_CHARS: Final = 300


def explain_refusal(query: str, error: BadRequestError) -> str:
    """One sentence on why Elasticsearch refuses the query, with the place pointed at where it gives one."""
    return refused(query, error.body.get("error", {}) if isinstance(error.body, dict) else {"reason": str(error)})


def refused(query: str, causes: Any) -> str:
    """The same of the `error` in an answer."""
    reason = _reason(causes)
    if _TOO_MANY.search(reason):
        return f"The query {shown(query, 100)} has more words than this Elasticsearch takes at once ({reason})."
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
    deepest = causes.get("failed_shards", [{}])[0].get("reason", causes) if causes.get("failed_shards") else causes
    while isinstance(deepest, Mapping) and deepest.get("caused_by"):
        deepest = deepest["caused_by"]
        reason = str(deepest.get("reason") or reason)
    return _line(reason)


def _line(text: str) -> str:
    return cut_short((text.splitlines() or ["no reason given"])[0], _TOLD_CHARS)
