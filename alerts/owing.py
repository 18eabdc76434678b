"""Owing what saved searches match, each search behind a wall of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from alerts.outbox import Outbox, OweReport, owed
from newswatch.errors import StoreError
from newswatch.model import Match, SavedSearch
from newswatch.problems import Bulkhead, Problem, reason_of

_OWN = re.compile(r"document_parsing_exception|mapper_parsing_exception|illegal_argument_exception|strict_dynamic")
"""What Elasticsearch says of a document that can't be stored, whoever asks and whenever."""


def owe_each(
    outbox: Outbox, matches: Sequence[Match], searches: Iterable[SavedSearch], now: datetime, bulkhead: Bulkhead
) -> OweReport:
    """Owe each match's story as `Outbox.owe` does; a search whose mails can't be owed is set aside in `bulkhead`.

    Raises:
        StoreError: Elasticsearch can't take them, whichever search they are of; owe the same matches again.
    """
    by_id = {search.id: search for search in searches}
    of_search: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        of_search[match.alert_id].append(match)
    for search_id, found in list(of_search.items()):
        if bulkhead.attempt("search", search_id, partial(owed, found[0], by_id[search_id], now)) is None:
            del of_search[search_id]
    kept = [match for match in matches if match.alert_id in of_search]
    try:
        return outbox.owe(kept, by_id.values(), now)
    except StoreError as error:
        return _one_by_one(outbox, of_search, by_id, now, bulkhead, error)


def _one_by_one(
    outbox: Outbox,
    of_search: dict[str, list[Match]],
    by_id: dict[str, SavedSearch],
    now: datetime,
    bulkhead: Bulkhead,
    whole: StoreError,
) -> OweReport:
    """Search by search, as together they were refused; if that says nothing of a search, it is trouble."""
    created = existing = 0
    failed: dict[str, StoreError] = {}
    for search_id, found in of_search.items():
        try:
            report = outbox.owe(found, [by_id[search_id]], now)
        except StoreError as error:
            failed[search_id] = error
        else:
            created, existing = created + report.created, existing + report.existing
    if len(failed) == len(of_search) and not all(_OWN.search(str(error)) for error in failed.values()):
        raise whole
    for search_id, refusal in failed.items():
        bulkhead.note(Problem("search", search_id, reason_of(refusal), "match"))
    return OweReport(created, existing)
