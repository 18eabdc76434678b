"""Percentiles by nearest rank, and what a delivery says of its delay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from delivery.documents import outcome_document
from delivery.latency import percentile
from newswatch.delivery import Delivery, DeliveryState, Outcome
from tests.factories import NOW


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [([7.0], 50, 7.0), ([7.0], 99, 7.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0], 51, 2.0)],
)
def test_percentile(values: list[float], percent: int, value: float) -> None:
    assert percentile(values, percent) == value


def test_percentile_of_a_hundred() -> None:
    hundred = [float(n) for n in range(1, 101)]
    assert [percentile(hundred, p) for p in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]


def test_an_instant_mail_says_how_long_it_took_and_a_digest_does_not() -> None:
    owed = Delivery(
        "nato",
        "NATO",
        "s",
        "a",
        ("a@example.org",),
        DeliveryState.PENDING,
        NOW,
        published=NOW - timedelta(minutes=3),
        fetched_at=NOW - timedelta(minutes=1),
    )
    sent = Outcome("a@example.org", DeliveryState.SENT, at=NOW + timedelta(seconds=30))
    told = outcome_document(owed, sent)
    assert (told["lag_s"], told["own_lag_s"]) == (210, 90)
    assert "lag_s" not in outcome_document(replace(owed, published=None), sent)
    for delivery, outcome in (
        (owed, replace(sent, state=DeliveryState.PENDING)),
        (replace(owed, schedule="hourly"), sent),
        (replace(owed, kind="update"), sent),
    ):
        assert not {"lag_s", "own_lag_s"} & outcome_document(delivery, outcome).keys()
