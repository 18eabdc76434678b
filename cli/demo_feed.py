"""The demo's feed of a saved search, as a reader's program gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.output import out

if TYPE_CHECKING:
    from cli.demo_steps import Checks
    from jobs.context import Context

READER = "demo"
"""In whose name the address is made."""


def check_feed(checks: Checks, context: Context, alert_id: str, url: str) -> None:
    """Check that the saved search is a valid feed, got without a log-in, with the article at `url` in it."""
    import feedparser
    import requests

    from delivery.feeds_out import Addresses
    from newswatch.feed_address import Target
    from store.feed_addresses import FeedAddressStore

    out.print("\n[bold]A feed for readers’ programs[/]")
    store = FeedAddressStore(context.es, context.names)
    address = store.make(READER, Target("saved-search", alert_id), context.clock())
    answer = requests.get(Addresses(context.settings).url(address, "atom"), timeout=30)
    feed = feedparser.parse(answer.content)
    links = [entry.get("link") for entry in feed.entries]
    claim = f"the saved search {alert_id} is a feed of {len(links)} entries, the canonical story among them"
    ids = {entry.get("id") for entry in feed.entries}
    is_whole = answer.ok and not feed.bozo and url in links and len(ids) == len(links)
    checks.that(is_whole, claim, f"status {answer.status_code}; its links: {links}")
