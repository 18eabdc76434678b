"""Measures the latency from the publisher to the reader, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from store.elastic.client import Client
from store.elastic.documents import load, values
from store.elastic.reading import every
from store.names import Names

LEGS = ("published → fetched", "fetched → indexed", "indexed → matched", "matched → sent", "fetched → sent")


@dataclass(frozen=True, slots=True)
class Leg:
    """Percentiles of the seconds that one leg took, over all mails of the period."""

    name: str
    mails: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class Timed:
    """When a mail and its article passed each station on the way to one recipient."""

    delivery_id: str
    schedule: str
    created_at: datetime
    sent_at: datetime
    published: datetime | None = None
    fetched_at: datetime | None = None
    indexed_at: datetime | None = None


def latency(es: Client, names: Names, since: datetime) -> list[Leg]:
    """The legs over all mails sent since `since`, without legs that no mail has."""
    es.indices.refresh(index=names.outcomes)
    sent = {"range": {"sent_at": {"gte": since.isoformat()}}}
    return legs(values(every(es, names.outcomes, sent, source=list(_STATIONS)), _timed))


_STATIONS: Final = tuple(Timed.__dataclass_fields__)


def _timed(_id: str, document: Mapping[str, Any]) -> Timed:
    return load(Timed, document)


def legs(mails: Iterable[Timed]) -> list[Leg]:
    """The legs over these mails, in the order of `LEGS`. Pure.

    The way to the match is counted once for a delivery, the way from there once for each recipient.
    """
    taken: dict[str, list[float]] = {name: [] for name in LEGS}
    matched: set[str] = set()
    for mail in mails:
        if mail.delivery_id not in matched:
            matched.add(mail.delivery_id)
            for name, seconds in _to_the_match(mail):
                taken[name].append(seconds)
        if mail.schedule == "instant":  # digests wait on purpose
            taken[LEGS[3]].append((mail.sent_at - mail.created_at).total_seconds())
            if mail.fetched_at:
                taken[LEGS[4]].append((mail.sent_at - mail.fetched_at).total_seconds())
    return [_leg(name, sorted(seconds)) for name, seconds in taken.items() if seconds]


def _to_the_match(mail: Timed) -> Iterator[tuple[str, float]]:
    moments = (mail.published, mail.fetched_at, mail.indexed_at, mail.created_at)
    for name, start, end in zip(LEGS, moments, moments[1:], strict=False):
        if start and end:
            yield name, (end - start).total_seconds()


def _leg(name: str, seconds: list[float]) -> Leg:
    p50, p95, p99 = (percentile(seconds, p) for p in (50, 95, 99))
    return Leg(name, len(seconds), p50, p95, p99, seconds[-1])


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest value that at least `percent` of the values don't exceed (nearest rank)."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]
