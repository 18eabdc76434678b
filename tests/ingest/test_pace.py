"""What is remembered of hosts has a bound, however many a process meets."""

from __future__ import annotations

import asyncio

import pytest

from ingest import fetch, pace
from ingest.fetch import Fetcher
from ingest.pace import Pacer
from newswatch.settings import Settings


def test_hosts_that_were_left_alone_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LANES", 3)
    monkeypatch.setattr(pace, "IDLE_S", -1.0)

    async def met() -> set[str]:
        pacer = Pacer(at_once=1, delay_s=0)
        pacer.pause("resting", 100)
        async with pacer.turn("busy"):
            for number in range(20):
                async with pacer.turn(f"{number}.example"):
                    pass
            assert pacer.resting_s("resting") > 90
            return set(pacer._lanes)

    left = asyncio.run(met())
    assert {"busy", "resting"} < left
    assert len(left) <= 6


def test_the_rules_of_the_latest_hosts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RULES_KEPT", 2)

    async def asked() -> list[str]:
        async with Fetcher(Settings()) as fetcher:
            for number in range(5):
                await fetcher.sitemaps(f"http://10.0.0.{number}/")  # refused without a request
            return list(fetcher._robots)

    assert asyncio.run(asked()) == ["http://10.0.0.3", "http://10.0.0.4"]
