"""When the page of an article is asked for again. Pure."""

from __future__ import annotations

from typing import Final

from ingest.http.fetched import FailureKind, FetchFailed
from ingest.polling.rhythm import WEEK_S

PAGE_WAITS_S: Final = (600, 3_600, 21_600, 86_400)
"""Seconds before each further try at an article page that failed temporarily; after the last it is given up."""
PAGE_REST_S: Final = 3_600
"""Minimum seconds between two reads of the page of an entry that its feed keeps changing; doubled by each."""
PAGE_REST_MOST_S: Final = 86_400


def page_retry_s(outcome: FetchFailed, tries: int) -> float | None:
    """Seconds until a page that failed `tries` times is tried again; None: never.

    Only temporary failures are tried again (no network, a time-out, a 5xx or 429), and not before the server allows it.
    """
    if outcome.kind is not FailureKind.TRANSIENT or tries > len(PAGE_WAITS_S):
        return None
    return max(PAGE_WAITS_S[tries - 1], min(outcome.retry_after_s or 0.0, WEEK_S))


def page_rest_s(changes: int) -> float:
    """Seconds for which the page of an entry is left alone after it was fetched `changes` times for a change.

    The first change is an edit, and the page is fetched at once; further changes by the same feed mean little.
    """
    return min(PAGE_REST_MOST_S, PAGE_REST_S * 2 ** min(changes - 1, 20)) if changes > 0 else 0.0
