"""Looks at an address before it is added to the list of feeds: what there is, and what would be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ingest.addresses import with_scheme
from ingest.discovery.discover import Discovery, discover
from ingest.discovery.preview import Preview, preview_live
from ingest.http.fetch import Fetcher
from newswatch.settings import Settings

MOST_SHOWN = 5
"""Maximum number of a site's feeds of which the items are shown, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at an address."""

    discovery: Discovery
    previews: tuple[Preview, ...]
    """What would be read of its feeds or list, in the order of `discovery.feeds`, at most `MOST_SHOWN`."""


async def look(settings: Settings, address: str, *, now: datetime) -> Look:
    """The feeds at `address`, else its sitemap or list, with their items; stores nothing, raises nothing.

    The page that adds feeds calls it. What is wrong stands in `discovery.failure`, `discovery.tried` and in each
    preview's `why_not` and `warnings`.
    """
    async with Fetcher(settings) as fetcher:
        discovery = await discover(fetcher, with_scheme(address), now=now)
        found = discovery.feeds[:MOST_SHOWN]
        previews = [await preview_live(fetcher, feed.url, now=now, read=feed.read) for feed in found]
    return Look(discovery, tuple(previews))
