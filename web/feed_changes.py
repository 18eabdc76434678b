"""Feeds are added, edited and switched off; an address is looked at before it is listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from ingest.discovery.discover import Discovery
from ingest.feed_list.feeds import KINDS, FeedSpec
from ingest.urls import article_id
from jobs import feed_list
from jobs.context import Context
from jobs.feed_preview import look
from newswatch.errors import NewswatchError
from newswatch.feed import Feed
from newswatch.reliability import GRADES, meant
from store.feeds import FeedStore
from web.feed_forms import LABELS, TEXTS, FeedDraft
from web.fingerprint import changed, fingerprint, merged
from web.render import render
from web.security import Form, Here, Posted, UserName

private = APIRouter()
"""Only for who may change feeds."""
changes = APIRouter()


@dataclass(frozen=True, slots=True)
class Page:
    """What the form's page shows."""

    draft: FeedDraft
    feed: Feed | None = None
    """The feed that is edited; None: a new one."""
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Field → what is wrong with it."""
    fault: str = ""
    found: Discovery | None = None
    """What was found at the address, if it was looked at."""
    others: tuple[tuple[str, str, str], ...] = ()
    """What others have changed since the form was opened: field, before, after."""
    insists: bool = False
    """Whether it offers to save an address at which there is no feed now."""


@private.get("/feeds/new")
def new_feed(request: Request, url: Annotated[str, Query(max_length=8_000)] = "") -> Response:
    return _page(request, Page(FeedDraft(url=url)))


@private.get("/feeds/{feed_id}/edit")
def edit_feed(request: Request, here: Here, feed_id: str) -> Response:
    feed = _feed(here, feed_id)
    return _page(request, Page(FeedDraft.of(feed), feed))


@changes.post("/feeds/new")
def create(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    page = _judged(here, form, Page(FeedDraft.read(form)))
    spec = page.draft.spec()
    if _is_to_be_shown(page, form) or not isinstance(spec, FeedSpec):
        return _page(request, page)
    try:
        added, _ = feed_list.add(here, spec, by=name)
    except NewswatchError as error:
        return _page(request, replace(page, fault=str(error)))
    if added is None:
        return _page(request, replace(page, wrong={"url": "This address is listed already."}))
    return _to(request, f"/feeds/{added.id}?done=added")


@changes.post("/feeds/{feed_id}/edit")
def change(request: Request, here: Here, name: UserName, form: Posted, feed_id: str) -> Response:
    feed = _feed(here, feed_id)
    if fingerprint(feed) != form.text("was") and (overtaken := _overtaken(feed, form)).others:
        return _page(request, overtaken)
    page = _judged(here, form, Page(FeedDraft.read(form), feed))
    spec = page.draft.spec(enabled=feed.enabled, was=feed)
    if _is_to_be_shown(page, form) or not isinstance(spec, FeedSpec):
        return _page(request, page)
    try:
        feed_list.edit(here, feed, spec, by=name)
    except NewswatchError as error:
        return _page(request, replace(page, fault=str(error)))
    return _to(request, f"/feeds/{feed_id}?done=saved")


@changes.post("/feeds/{feed_id}/switch")
def switch(request: Request, here: Here, name: UserName, form: Posted, feed_id: str) -> Response:
    on = form.text("to") == "on"
    if form.text("to") not in ("on", "off"):
        raise HTTPException(400, "A feed is switched on or off.")
    feed = _feed(here, feed_id)
    spec = FeedDraft.of(feed).spec(enabled=on, was=feed)
    if not isinstance(spec, FeedSpec):
        raise HTTPException(409, f"Edit it first: {' '.join(spec.values())}")
    if on and (other := _other(here, spec.url, feed)):
        raise HTTPException(409, f"{other.title} has this address, and a feed is polled once.")
    if feed.enabled != on:
        feed_list.edit(here, feed, spec, by=name)
    return _to(request, f"/feeds/{feed_id}?done={'on' if on else 'off'}")


def _overtaken(feed: Feed, form: Form) -> Page:
    """The form again, as somebody has saved the feed since it was opened: what was typed, over what is in force now.

    Saving it again puts that in force; the page says what the others have changed.
    """
    now, typed = FeedDraft.of(feed), FeedDraft.read(form)
    base = FeedDraft.opened(form) or typed
    others = tuple((LABELS[name], getattr(base, name), getattr(now, name)) for name in changed(base, now))
    return Page(merged(base, typed, now) if base is not typed else typed, feed, others=others)


def _judged(here: Context, form: Form, page: Page) -> Page:
    """The page with what is wrong with the form, and with what is at its address if that has to be known."""
    is_saved = form.text("do") == "save"
    draft = replace(page.draft, url=form.text("choose") or page.draft.spec_url)
    page = replace(page, draft=draft, wrong=_wrong(draft, page.feed))
    if "url" in page.wrong:
        return page
    if other := _other(here, draft.url, page.feed):
        return replace(page, wrong={**page.wrong, "url": f"{other.title} has this address already."})
    is_known = page.feed is not None and article_id(page.feed.url) == article_id(draft.url)
    if is_saved and (is_known or "anyway" in form):
        return page
    page = _with_found(page, look(here, draft.url), is_saved=is_saved)
    # What was found may have filled in what was missing; and nothing is asked for before it is saved.
    wrong = {name: why for name, why in _wrong(page.draft, page.feed).items() if is_saved or name != "title"}
    return replace(page, wrong=wrong | ({"url": page.wrong["url"]} if "url" in page.wrong else {}))


def _wrong(draft: FeedDraft, feed: Feed | None) -> Mapping[str, str]:
    spec = draft.spec(was=feed)
    return {} if isinstance(spec, FeedSpec) else spec


def _with_found(page: Page, found: Discovery, *, is_saved: bool) -> Page:
    page = replace(page, found=found)
    if not found.feeds:
        why = f"There is no feed at this address: {found.failure or 'the site names none'}."
        return replace(page, wrong={"url": why}, insists=True)
    asked = next((one for one in found.feeds if one.url == page.draft.url), None)
    if asked is None and len(found.feeds) == 1 and not is_saved:
        asked = found.feeds[0]
    if asked is not None:
        return replace(page, draft=page.draft.filled_in(asked), wrong={})
    if len(found.feeds) > 1:
        return replace(page, wrong={"url": "Choose one of the feeds that were found."}, insists=is_saved)
    return replace(page, wrong={"url": f"The feed itself is at {found.feeds[0].url}."}, insists=is_saved)


def _is_to_be_shown(page: Page, form: Form) -> bool:
    return form.text("do") != "save" or bool(page.wrong)


def _other(here: Context, url: str, feed: Feed | None) -> Feed | None:
    """Another feed of the list with that address."""
    wanted = article_id(url)
    records = FeedStore(here.es, here.names).all()
    others = (record.feed for record in records if record.feed.enabled and (feed is None or record.feed.id != feed.id))
    return next((other for other in others if article_id(other.url) == wanted), None)


def _feed(here: Context, feed_id: str) -> Feed:
    record = FeedStore(here.es, here.names).get(feed_id)
    if record is None:
        raise HTTPException(404, f"There is no feed {feed_id[:100]!r}.")
    return record.feed


def _page(request: Request, page: Page) -> Response:
    was = fingerprint(page.feed) if page.feed else ""
    status = 400 if page.wrong or page.fault else 409 if page.others else 200
    opened = FeedDraft.of(page.feed).as_opened if page.feed else ""
    values = {"labels": LABELS, "kinds": KINDS, "texts": TEXTS, "was": was, "opened": opened}
    values |= {"grades": {"": "not rated"} | {grade: meant(grade) for grade in GRADES}}
    return render(request, "feed_form.html.j2", status, page=page, **values)


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", 303)
