"""Measures the latency from the publisher to the reader, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from delivery.outbox import read_delivery
from newswatch.delivery import Delivery, DeliveryState
from store.client import Client
from store.documents import values
from store.names import Names
from store.reading import every

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


def latency(es: Client, names: Names, since: datetime) -> list[Leg]:
    """The legs over all mails sent since `since`, without legs that no mail has."""
    es.indices.refresh(index=names.deliveries)
    sent = {"range": {"sent_at": {"gte": since.isoformat()}}}
    return legs(values(every(es, names.deliveries, sent), read_delivery))


def legs(deliveries: Iterable[Delivery]) -> list[Leg]:
    """The legs over these deliveries, in the order of `LEGS`. Pure."""
    taken: dict[str, list[float]] = {name: [] for name in LEGS}
    for sent in deliveries:
        for name, seconds in _legs(sent):
            taken[name].append(seconds)
    return [_leg(name, sorted(seconds)) for name, seconds in taken.items() if seconds]


def _legs(sent: Delivery) -> Iterator[tuple[str, float]]:
    """The seconds of each leg, once per recipient for the sending legs. Digests wait on purpose, so they lack those."""
    moments = (sent.published, sent.fetched_at, sent.indexed_at, sent.created_at)
    for name, start, end in zip(LEGS, moments, moments[1:], strict=False):
        if start and end:
            yield name, (end - start).total_seconds()
    for outcome in sent.outcomes:
        if outcome.state is DeliveryState.SENT and outcome.at and sent.schedule == "instant":
            yield LEGS[3], (outcome.at - sent.created_at).total_seconds()
            if sent.fetched_at:
                yield LEGS[4], (outcome.at - sent.fetched_at).total_seconds()


def _leg(name: str, seconds: list[float]) -> Leg:
    p50, p95, p99 = (percentile(seconds, p) for p in (50, 95, 99))
    return Leg(name, len(seconds), p50, p95, p99, seconds[-1])


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest value that at least `percent` of the values don't exceed (nearest rank)."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]
