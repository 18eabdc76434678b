"""Reads what was watched in the last days and says it in words, for the News page and the command line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from alerts.coverage import coverage
from delivery.coverage_text import CoverageText, told
from newswatch.alert import SavedSearch
from store.elastic.client import Client
from store.names import Names
from store.watched import read_watched


def watching(
    es: Client, names: Names, searches: Iterable[SavedSearch], *, days: int, now: datetime, zone: tzinfo = UTC
) -> CoverageText:
    """What was watched for these searches in the last `days` days, in times of `zone`; no searches stand for all feeds.

    Raises:
        StoreError, elasticsearch's errors: an index can't be read.
    """
    return told(coverage(read_watched(es, names, now), searches, now - timedelta(days=days)), zone)
