"""Paces the requests to a host: their number at once, the time between two of them, pauses that the host asks for.

The time between two counts from the moment at which a request was sent, as that is what the host sees: one that has its
turn may still wait for a connection, a free slot, or an event loop that is held up.
"""

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
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from the wait for the pace until the request is sent, so that the next one knows when that was."""
    users: int = 0
    """Those who wait for a turn, or have one."""
    next_start: float = 0.0
    paused_until: float = field(default=float("-inf"))

    def is_over(self, now: float) -> bool:
        """Whether nothing is lost with it: a Crawl-delay is read again within the hour for which rules count."""
        return not self.users and max(self.next_start, self.paused_until) + IDLE_S < now


class Turn:
    """One request's turn at a host."""

    def __init__(self, lane: _Lane) -> None:
        self._lane, self._is_sent = lane, False

    def sent(self) -> None:
        """The request was sent now, or won't be; harmless if repeated."""
        if not self._is_sent:
            self._is_sent = True
            self._lane.next_start = asyncio.get_running_loop().time() + self._lane.delay_s
            self._lane.gate.release()


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
    async def turn(self, host: str, slots: asyncio.Semaphore) -> AsyncIterator[Turn]:
        """Wait until `host` may be asked, and hold one of its slots and one of `slots` until the block ends.

        The block calls `Turn.sent` when it has sent its request; the next one waits for that, or for the block's end.
        """
        lane, clock = self._lane(host), asyncio.get_running_loop().time
        lane.users += 1
        try:
            async with lane.slots:
                await lane.gate.acquire()
                turn = Turn(lane)
                try:
                    while (wait_s := lane.next_start - clock()) > 0:
                        await asyncio.sleep(wait_s)
                    async with slots:
                        yield turn
                finally:
                    turn.sent()
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
