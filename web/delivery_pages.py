"""Deliveries: what was mailed, to whom, and what was not and why; and no more mails on a story."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from alerts.saved import SavedSearches
from delivery.feedback import apply_link
from delivery.links import Link
from delivery.listing import Deliveries, deliveries
from delivery.mailbox import Mailbox, Mailboxes
from jobs.context import Context
from jobs.parting import join, split
from newswatch.delivery import Delivery
from newswatch.errors import NewswatchError, StoreError
from search.query import MAX_WINDOW
from store.articles import ArticleStore
from store.audit import Deed, pseudonym
from web.mail_pages import caught_names
from web.render import pages, render
from web.security import Here, Posted, UserName
from web.zones import Days

PAGE = 50

router = APIRouter()
changes = APIRouter()


@router.get("/deliveries")
def list_deliveries(
    request: Request,
    here: Here,
    days: Annotated[Days, Depends()],
    state: Literal["", "pending", "sent", "failed", "suppressed"] = "",
    alert: Annotated[str, Query(max_length=100)] = "",
    to: Annotated[str, Query(max_length=300)] = "",
    offset: Annotated[int, Query(ge=0, le=MAX_WINDOW - PAGE)] = 0,
) -> Response:
    found = deliveries(
        here.es,
        here.names,
        state=state,
        alert_id=alert,
        recipient=to.strip(),
        since=days.begin,
        until=days.end,
        size=PAGE,
        offset=offset,
    )
    titles = ArticleStore(here.es, here.names).in_reach(d.article_id for d in found.page if d.article_id).articles
    caught = caught_names(here, (o.reference for d in found.page for o in d.outcomes if o.reference))
    values = {"found": found, "titles": titles, "caught": caught, "pages": pages(offset, PAGE, found.total, MAX_WINDOW)}
    chosen = {"state": state, "alert": alert, "to": to.strip(), **days.chosen}
    known = _searches(here, found, alert)
    return render(
        request,
        "deliveries.html.j2",
        chosen=chosen,
        searches=known,
        zone=days.zone,
        now=here.clock(),
        legs=legs,
        deepest=MAX_WINDOW,
        **values,
    )


def _searches(here: Context, found: Deliveries, alert: str) -> list[tuple[str, str]]:
    """Id and name of the saved searches to choose from: all there are, and those of the deliveries shown."""
    names = {d.alert_id: d.alert_name or d.alert_id for d in found.page}
    names |= {search.id: search.name for search in SavedSearches(here.es, here.names).all()}
    if alert:
        names.setdefault(alert, alert)
    return sorted(names.items(), key=lambda one: one[1].casefold())


@changes.post("/story/{story_id}/mails")
def stop_or_go_on(request: Request, here: Here, name: UserName, story_id: str, form: Posted) -> Response:
    """No more mails on the story to those who got one, or mails on it again; corrections are always mailed."""
    boxes = Mailboxes(here.es, here.names)
    for recipient in recipients_of(story_mails(here, story_id)):
        if form.text("do") == "stop":
            apply_link(here.es, here.names, Link("ack", recipient, "*", story_id), here.clock(), by=name)
        else:
            deed = Deed(name, "mails: go on", story_id, details=f"for {pseudonym(recipient)}")
            go_on = partial(_going_on, here, story_id)
            here.audit.change(deed, partial(boxes.change, recipient, go_on))
    return RedirectResponse(f"{request.scope.get('root_path', '')}/story/{story_id}?done={form.text('do')}", 303)


@changes.post("/story/{story_id}/reports")
def part_or_join(request: Request, here: Here, story_id: str, form: Posted) -> Response:
    """Part the chosen reports into a story of their own, or take in all reports of another story."""
    by, home = request.state.user_name, f"{request.scope.get('root_path', '')}/story"
    try:
        if form.text("do") == "join":
            done = join(here, story_id, form.text("other").strip().rpartition("/")[2], by)
        else:
            chosen = [str(one) for one in request.state.form.getlist("part")]
            done = split(here, story_id, chosen, by)
    except StoreError:
        raise
    except NewswatchError as error:
        raise HTTPException(400, str(error)) from error
    return RedirectResponse(f"{home}/{done.story_id}?done={'join' if form.text('do') == 'join' else 'split'}", 303)


def _going_on(here: Context, story_id: str, box: Mailbox) -> Mailbox:
    """The mailbox, to which the story is mailed again; so are those joined with it since, which would stop it again."""
    now = ArticleStore(here.es, here.names).stories_now(box.acknowledged)
    names = {story_id, *(name for name, at in now.items() if at == story_id)}
    return replace(box, acknowledged={s: at for s, at in box.acknowledged.items() if s not in names})


def story_mails(here: Context, story_id: str) -> Deliveries:
    """What was mailed, or is to be, on a story."""
    return deliveries(here.es, here.names, story_id=story_id, size=PAGE)


def recipients_of(found: Deliveries) -> list[str]:
    """Everybody the deliveries go to, each once. Pure."""
    return list(dict.fromkeys(recipient for d in found.page for recipient in d.recipients))


def stopped(here: Context, recipients: list[str], story_id: str) -> list[str]:
    """Those of the recipients who have had enough of the story."""
    known = [recipient for recipient in recipients if recipient]
    boxes = zip(known, Mailboxes(here.es, here.names).many(known), strict=True)
    return [recipient for recipient, box in boxes if box is not None and story_id in box.acknowledged]


def legs(delivery: Delivery) -> list[tuple[str, float]]:
    """How many seconds each leg of a mail's way took, as far as both its ends are known."""
    stations = (
        ("published → fetched", delivery.published, delivery.fetched_at),
        ("fetched → indexed", delivery.fetched_at, delivery.indexed_at),
        ("indexed → matched", delivery.indexed_at, delivery.created_at),
        ("matched → sent", delivery.created_at, delivery.sent_at),
    )
    return [(name, (end - start).total_seconds()) for name, start, end in stations if start and end]
