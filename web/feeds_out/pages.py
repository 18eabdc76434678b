"""Readers' feed addresses on the News page: making one, the list, revoking one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated, Final, get_args

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from delivery.feeds_out import Addresses
from jobs.context import Context
from newswatch.errors import NewswatchError
from newswatch.feed_address import FeedAddress, Shows, Target
from search.limits import MAX_CHARS, shown
from store.elastic.faults import REFUSALS, our_error
from store.feed_addresses import FeedAddressStore
from web.feeds_out.reading import check
from web.render import query_string, render
from web.security import Here, Posted, UserName

SHOWN: Final = 500
"""Addresses that the page lists."""
_WORDS: Final = {"search": "Search", "saved-search": "Saved search", "story": "Story"}

router = APIRouter()
changes = APIRouter()
"""For everybody who may read: an address is its reader's own."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """What a page offers of a feed: a button that makes an address, or the addresses."""

    target: Target
    atom: str = ""
    json: str = ""


def offered(here: Context, user: str, target: Target) -> Offered:
    """The reader's addresses for the target, if he has some; where they can't be read, the button."""
    try:
        known = FeedAddressStore(here.es, here.names).of(user, target)
        return _with_urls(here, known) if known and not known.revoked_at else Offered(target)
    except (NewswatchError, *REFUSALS) as error:
        log.warning("A reader's feed address can't be read: %s", our_error(error))
        return Offered(target)


def _with_urls(here: Context, address: FeedAddress) -> Offered:
    addresses = Addresses(here.settings)
    return Offered(address.target, addresses.url(address, "atom"), addresses.url(address, "json"))


@router.get("/feed-addresses")
def list_addresses(
    request: Request,
    here: Here,
    user: UserName,
    made: Annotated[str, Query(max_length=64)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """A reader's own; who may change what is mailed sees those of others too, but not what opens them."""
    sees_all = request.state.shell["may_change"]
    listed = FeedAddressStore(here.es, here.names).all(None if sees_all else user)
    mine = {one.id: _with_urls(here, one) for one in listed if one.owner == user and not one.revoked_at}
    values = {"addresses": listed[:SHOWN], "left_out": max(0, len(listed) - SHOWN), "mine": mine, "words": _WORDS}
    return render(request, "feed_addresses.html.j2", now=here.clock(), made=made, done=done, **values)


@changes.post("/feed-addresses")
def make_address(request: Request, here: Here, user: UserName, form: Posted) -> Response:
    shows, of = form.text("shows"), form.text("of")
    if shows not in get_args(Shows) or len(of) > MAX_CHARS:
        raise HTTPException(400, f"shows: {shown(shows)} is none of {', '.join(get_args(Shows))}.")
    kind: Shows = shows  # type: ignore[assignment]
    target = Target(kind, of)
    check(here, target)
    made = FeedAddressStore(here.es, here.names).make(user, target, here.clock())
    return _back(request, made=made.id)


@changes.post("/feed-addresses/{address_id}/revoke")
def revoke_address(request: Request, here: Here, user: UserName, address_id: str) -> Response:
    own = not request.state.shell["may_change"]
    revoked = FeedAddressStore(here.es, here.names).revoke(address_id, by=user, only_own=own, now=here.clock())
    if revoked is None:
        raise HTTPException(404, "There is no such feed address.")
    return _back(request, done="revoked")


def _back(request: Request, **told: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/feed-addresses{query_string(**told)}", 303)
