"""What is remembered of hosts has a bound, however many a process meets."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import pairwise

import pytest

from ingest.http import fetch, pace
from ingest.http.fetch import Fetcher
from ingest.http.pace import Pacer
from newswatch.settings import Settings


def test_hosts_that_were_left_alone_are_forgotten_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LANES", 3)
    monkeypatch.setattr(pace, "IDLE_S", -1.0)

    async def met() -> set[str]:
        pacer, slots = Pacer(at_once=1, delay_s=0), asyncio.Semaphore(9)
        pacer.pause("resting", 100)
        async with pacer.turn("busy", slots):
            for number in range(20):
                async with pacer.turn(f"{number}.example", slots):
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


def test_the_pace_counts_from_what_was_sent_however_long_the_loop_or_a_slot_held_it_up() -> None:
    sent: list[float] = []

    async def ask(pacer: Pacer, slots: asyncio.Semaphore, held_up_s: float) -> None:
        async with pacer.turn("one.example", slots) as turn:
            await asyncio.sleep(0)  # it connects
            time.sleep(held_up_s)
            sent.append(asyncio.get_running_loop().time())
            turn.sent()
            await asyncio.sleep(0.3)  # its answer comes later, and others may be asked meanwhile

    async def met() -> None:
        pacer, slots = Pacer(at_once=3, delay_s=0.05), asyncio.Semaphore(2)
        async with slots:  # others have it, so the second request waits for the first to end
            await asyncio.gather(*(ask(pacer, slots, held_up_s) for held_up_s in (0.2, 0.0, 0.0)))

    asyncio.run(met())
    assert min(after - before for before, after in pairwise(sent)) >= 0.05


def test_a_request_that_fails_before_it_is_sent_lets_the_next_one_go() -> None:
    async def met() -> bool:
        pacer, slots = Pacer(at_once=1, delay_s=0), asyncio.Semaphore(1)
        with suppress(OSError):
            async with pacer.turn("one.example", slots):
                raise OSError
        async with asyncio.timeout(5), pacer.turn("one.example", slots):
            return True

    assert asyncio.run(met())
