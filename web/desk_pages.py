"""What a reader does with articles: read, star, note, hand over; and that he has seen what is new.

His own marks need no right but to read. Scripts ask for JSON, forms are sent back to where they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from alerts.definitions import UsageError
from jobs.context import Context
from newswatch.desk import DEEDS, MAX_USER_CHARS, DeskError, Step
from newswatch.errors import ChangedMeanwhileError
from search.limits import shown
from search.story_view import read_article
from store.desk import DeskStore
from web import desk
from web.faults import wants_json
from web.result_pages import From
from web.search_pages import article_page
from web.security import Form, Here, Posted, UserName

changes = APIRouter()

Asked = Annotated[From, Depends()]


@changes.post("/looked")
def seen_all(request: Request, here: Here, user: UserName, form: Posted) -> Response:
    """Everything that came until the page was made has been seen."""
    until = _moment(form, "until")
    if until is None:
        raise UsageError(f"until: {shown(form.text('until'))} is no time")
    look = DeskStore(here.es, here.names).seen_all(user, until, here.clock())
    if wants_json(request):
        return JSONResponse({"since": look.since.isoformat()})
    return _back(request, form, "/")


@changes.post("/article/{article_id}/mark")
def mark(request: Request, here: Here, user: UserName, form: Posted, article_id: str) -> Response:
    deed = next((deed for deed in DEEDS if deed == form.text("do")), None)
    if deed is None:
        raise UsageError(f"do: {shown(form.text('do'))} is none of {', '.join(DEEDS)}")
    _require(here, article_id)
    made = DeskStore(here.es, here.names).do(user, article_id, deed, here.clock())
    if wants_json(request):
        return JSONResponse({"read": made.read_at is not None, "starred": made.starred_at is not None})
    return _back(request, form, f"/article/{article_id}", f"a-{article_id}")


@changes.post("/article/{article_id}/note")
def note(request: Request, here: Here, user: UserName, form: Posted, article_id: str, asked: Asked) -> Response:
    _require(here, article_id)
    text, before = form.text("note"), _moment(form, "shown")
    try:
        DeskStore(here.es, here.names).note(user, article_id, text, before, here.clock())
    except (DeskError, ChangedMeanwhileError) as error:
        return _again(request, here, user, article_id, asked, error, {"note": text})
    return _done(request, article_id, asked, "noted" if text else "unnoted")


@changes.post("/article/{article_id}/hand")
def hand(request: Request, here: Here, user: UserName, form: Posted, article_id: str, asked: Asked) -> Response:
    """Hand the article to a colleague, take it, or say that it is done."""
    _require(here, article_id)
    typed = {"to": form.text("to"), "message": form.text("message")}
    store = DeskStore(here.es, here.names)
    try:
        to = _receiver(store, user, form.text("do"), typed["to"])
        step = Step(user, to, here.clock(), typed["message"])
        store.hand(article_id, step, _number(form, "shown"))
    except (DeskError, ChangedMeanwhileError) as error:
        return _again(request, here, user, article_id, asked, error, typed)
    request.state.desks.forget()
    return _done(request, article_id, asked, "handed" if to else "closed")


def _receiver(store: DeskStore, user: str, do: str, to: str) -> str:
    """Who gets the article: nobody once it is done.

    Raises:
        DeskError: nobody of that name reads the news, so nobody would see it.
    """
    match do:
        case "done":
            return ""
        case "take":
            return user
        case "hand":
            pass
        case _:
            raise UsageError(f"do: {shown(do)} is none of hand, take, done")
    if not to:
        raise DeskError("Name the colleague who gets the article.")
    if len(to) > MAX_USER_CHARS or not (to == user or store.knows(to)):
        known = ", ".join(name for name in store.readers() if name != user) or "nobody else yet"
        raise DeskError(f"{shown(to)} has never opened the News page and would not see it. Those who have: {known}.")
    return to


def _require(here: Context, article_id: str) -> None:
    if read_article(here.es, here.names, article_id) is None:
        raise HTTPException(404, "There is no such article, or it is older than what is kept.")


def _moment(form: Form, name: str) -> datetime | None:
    """The time in a hidden field, None if it is empty."""
    if not form.text(name):
        return None
    try:
        moment = datetime.fromisoformat(form.text(name))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{name}: {shown(form.text(name))} is no time with its zone")
    return moment


def _number(form: Form, name: str) -> int:
    if not (form.text(name).isascii() and form.text(name).isdigit() and len(form.text(name)) < 6):
        raise UsageError(f"{name}: {shown(form.text(name))} is no number")
    return int(form.text(name))


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _again(
    request: Request,
    here: Context,
    user: str,
    article_id: str,
    asked: From,
    error: DeskError | ChangedMeanwhileError,
    typed: Mapping[str, str],
) -> Response:
    """The article's page with what was typed and why it was not taken."""
    status = 409 if isinstance(error, ChangedMeanwhileError) else 400
    return article_page(request, here, user, article_id, asked, status, fault=str(error), typed=typed)


def _done(request: Request, article_id: str, asked: From, done: str) -> Response:
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/article/{article_id}{asked.view.of(asked.at, done=done)}#desk", 303)


def _back(request: Request, form: Form, otherwise: str, anchor: str = "") -> Response:
    address: Any = urlsplit(desk.local(form.text("back"), otherwise))._replace(fragment=anchor)
    return RedirectResponse(f"{request.scope.get('root_path', '')}{address.geturl()}", 303)
