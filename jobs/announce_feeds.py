"""Tells the operator's WebSub hub which feeds that newswatch offers have news; the hub then gets and pushes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

import requests

from delivery.feeds_out import FORMS, Addresses, NoSuchFeedError, shown_by
from jobs.context import Context
from newswatch.errors import QueryError
from newswatch.feed_address import FeedAddress
from newswatch.problems import Problem
from search.ingest_pages import page_before
from store.feed_addresses import FeedAddressStore
from store.ingest_order import Horizons

USED_WITHIN: Final = timedelta(days=7)
"""Feeds that nobody has got for longer are not announced."""
MOST: Final = 500
"""Addresses looked at in one run; the latest made come first."""
TIMEOUT_S: Final = 10

log = logging.getLogger(__name__)

Post = Callable[[str, list[tuple[str, str]]], int]
"""Sends a form to an address; the status of the answer."""


def post(url: str, form: list[tuple[str, str]]) -> int:
    """Send the form; the status.

    Raises:
        requests.RequestException: there was no answer.
    """
    return requests.post(url, data=form, timeout=TIMEOUT_S, allow_redirects=False).status_code


def announce_feeds(context: Context, *, send: Post = post) -> int:
    """The number of feeds with news, of which the hub was told.

    What fails costs no mail: the hub, which is then asked no more in this run, is a problem until it works again; a
    feed that can't be read says so to its reader. If it dies after the hub's yes, the hub is told again, which costs
    it one request.

    Raises:
        StoreError, elasticsearch's errors: the addresses can't be read.
    """
    walls, told = context.bulkhead("tell hub"), 0
    for address, seq in _with_news(context):
        if fault := _tell(context, address, send):
            walls.note(Problem("hub", str(context.settings.websub_hub), fault, "tell hub"))
            break
        FeedAddressStore(context.es, context.names).announced(address.id, seq)
        told += 1
    context.replace_problems(walls)
    return told


def _with_news(context: Context) -> Iterator[tuple[FeedAddress, int]]:
    """The addresses in use whose feeds have news, each with the newest's ingest number."""
    es, names, now, horizons = context.es, context.names, context.clock(), Horizons()
    used = (
        one for one in FeedAddressStore(es, names).all() if one.last_used_at and now - one.last_used_at < USED_WITHIN
    )
    for address in islice((one for one in used if not one.revoked_at), MOST):
        try:
            shown = shown_by(es, names, address.target, now)
            newest, _ = page_before(es, names, shown.query, None, typed=shown.typed, size=1, horizons=horizons, now=now)
        except (QueryError, NoSuchFeedError) as error:
            log.info("A feed has nothing to announce: %s", error)
            continue
        if newest and newest[0].seq > address.announced:
            yield address, newest[0].seq


def _tell(context: Context, address: FeedAddress, send: Post) -> str:
    """Why the hub could not be told; empty if it was."""
    addresses = Addresses(context.settings)
    form = [("hub.mode", "publish"), *(("hub.url", addresses.url(address, one)) for one in FORMS)]
    try:
        status = send(str(context.settings.websub_hub), form)
    except requests.RequestException as error:
        return f"It can't be reached: {type(error).__name__}."
    return "" if 200 <= status < 300 else f"It refuses to be told of a feed, with status {status}."
