"""Paces the requests to a host: their number at once, the time between two starts, pauses that the host asks for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    delay_s: float
    next_start: float = 0.0
    paused_until: float = field(default=float("-inf"))


class Pacer:
    """Gives out turns at hosts, within one process; a plan gives all feeds of a host to one process.

    All times are in seconds of the running loop's clock.
    """

    def __init__(self, *, at_once: int, delay_s: float) -> None:
        self._lanes: defaultdict[str, _Lane] = defaultdict(lambda: _Lane(asyncio.Semaphore(at_once), delay_s))

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until `host` may be asked, and hold one of its slots until the block ends."""
        lane = self._lanes[host]
        async with lane.slots:
            now = asyncio.get_running_loop().time()
            start = max(now, lane.next_start)
            lane.next_start = start + lane.delay_s
            await asyncio.sleep(start - now)
            yield

    def slow_down(self, host: str, delay_s: float) -> None:
        """Keep at least `delay_s` between two starts from now on (a robots.txt's Crawl-delay)."""
        lane = self._lanes[host]
        lane.delay_s = max(lane.delay_s, delay_s)

    def pause(self, host: str, seconds: float) -> None:
        """Note that the host asked for a pause of `seconds`."""
        lane = self._lanes[host]
        lane.paused_until = max(lane.paused_until, asyncio.get_running_loop().time() + seconds)

    def resting_s(self, host: str) -> float:
        """Seconds for which `host` must still be left alone; 0 if it may be asked."""
        lane = self._lanes.get(host)
        return max(0.0, lane.paused_until - asyncio.get_running_loop().time()) if lane else 0.0
