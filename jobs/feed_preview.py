"""Looks at an address for feeds before one is listed, for a user who waits: within a budget, few at once.

The requests pass the same guard, caps and pace as a poll's.
"""

from __future__ import annotations

import asyncio
from threading import BoundedSemaphore
from typing import Final

from ingest.discovery.discover import Discovery, discover
from ingest.http.fetch import Fetcher
from jobs.context import Context

LOOK_S: Final = 30.0
"""Seconds for one look."""
AT_ONCE: Final = 2
"""Looks at the same time in one process; each keeps a thread of the web server."""
_BUSY: Final = "other addresses are being looked at just now: try again in a moment"
_SLOW: Final = f"looking there took more than {LOOK_S:.0f} seconds"

_room = BoundedSemaphore(AT_ONCE)


def look(context: Context, url: str) -> Discovery:
    """The feeds at the address; `failure` says why there is none, also that the budget was exceeded."""
    if not _room.acquire(blocking=False):
        return Discovery(failure=_BUSY)
    try:
        return asyncio.run(_looked(context, url))
    finally:
        _room.release()


async def _looked(context: Context, url: str) -> Discovery:
    try:
        async with asyncio.timeout(LOOK_S), Fetcher(context.settings) as fetcher:
            return await discover(fetcher, url, now=context.clock())
    except TimeoutError:
        return Discovery(failure=_SLOW)
