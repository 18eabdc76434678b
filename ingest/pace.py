"""Paces the requests to a host: their number at once, the time between two starts, pauses that the host asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

LANES: Final = 2_000
"""Hosts that are remembered before those left alone are forgotten; the fast lane's process meets ever new ones."""
IDLE_S: Final = 3_600.0


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    delay_s: float
    users: int = 0
    """Those who wait for a turn, or have one."""
    next_start: float = 0.0
    paused_until: float = field(default=float("-inf"))

    def is_over(self, now: float) -> bool:
        """Whether nothing is lost with it: a Crawl-delay is read again within the hour for which rules count."""
        return not self.users and max(self.next_start, self.paused_until) + IDLE_S < now


class Pacer:
    """Gives out turns at hosts, within one process; a plan gives all feeds of a host to one process.

    All times are in seconds of the running loop's clock.
    """

    def __init__(self, *, at_once: int, delay_s: float) -> None:
        self._at_once, self._delay_s = at_once, delay_s
        self._lanes: dict[str, _Lane] = {}
        self._tidy_at = LANES

    def _lane(self, host: str) -> _Lane:
        """The lane of a host. Those of hosts that were left alone for an hour go once there are too many."""
        if host not in self._lanes:
            if len(self._lanes) >= self._tidy_at:
                now = asyncio.get_running_loop().time()
                self._lanes = {name: lane for name, lane in self._lanes.items() if not lane.is_over(now)}
                self._tidy_at = max(LANES, 2 * len(self._lanes))
            self._lanes[host] = _Lane(asyncio.Semaphore(self._at_once), self._delay_s)
        return self._lanes[host]

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait until `host` may be asked, and hold one of its slots until the block ends."""
        lane = self._lane(host)
        lane.users += 1
        try:
            async with lane.slots:
                now = asyncio.get_running_loop().time()
                start = max(now, lane.next_start)
                lane.next_start = start + lane.delay_s
                await asyncio.sleep(start - now)
                yield
        finally:
            lane.users -= 1

    def slow_down(self, host: str, delay_s: float) -> None:
        """Keep at least `delay_s` between two starts from now on (a robots.txt's Crawl-delay)."""
        lane = self._lane(host)
        lane.delay_s = max(lane.delay_s, delay_s)

    def pause(self, host: str, seconds: float) -> None:
        """Note that the host asked for a pause of `seconds`."""
        lane = self._lane(host)
        lane.paused_until = max(lane.paused_until, asyncio.get_running_loop().time() + seconds)

    def resting_s(self, host: str) -> float:
        """Seconds for which `host` must still be left alone; 0 if it may be asked."""
        lane = self._lanes.get(host)
        return max(0.0, lane.paused_until - asyncio.get_running_loop().time()) if lane else 0.0
