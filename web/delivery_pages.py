"""Deliveries: what was mailed, to whom, and what was not and why."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from alerts.listing import deliveries
from newswatch.model import Delivery
from search.articles import ArticleStore
from search.query import MAX_WINDOW
from web.render import pages, render
from web.security import Here

PAGE = 50

router = APIRouter()


@router.get("/deliveries")
def list_deliveries(
    request: Request,
    here: Here,
    state: Literal["", "pending", "sent", "failed", "suppressed"] = "",
    alert: Annotated[str, Query(max_length=100)] = "",
    to: Annotated[str, Query(max_length=300)] = "",
    offset: Annotated[int, Query(ge=0, le=MAX_WINDOW - PAGE)] = 0,
) -> Response:
    found = deliveries(here.es, here.names, state=state, alert_id=alert, recipient=to, size=PAGE, offset=offset)
    titles = ArticleStore(here.es, here.names).get(d.article_id for d in found.page if d.article_id)
    values = {"found": found, "titles": titles, "pages": pages(offset, PAGE, found.total, MAX_WINDOW)}
    return render(request, "deliveries.html.j2", state=state, alert=alert, to=to, now=here.clock(), legs=legs, **values)


def legs(delivery: Delivery) -> list[tuple[str, float]]:
    """How many seconds each leg of a mail's way took, as far as both its ends are known."""
    stations = (
        ("published → fetched", delivery.published, delivery.fetched_at),
        ("fetched → indexed", delivery.fetched_at, delivery.indexed_at),
        ("indexed → matched", delivery.indexed_at, delivery.created_at),
        ("matched → sent", delivery.created_at, delivery.sent_at),
    )
    return [(name, (end - start).total_seconds()) for name, start, end in stations if start and end]
