"""API keys: those that there are, a new one, which is shown once, and revoking one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from newswatch import api_key
from newswatch.api_key import SCOPES, ApiKey
from store.keys import KeyRequestError, KeyStore, NewKey
from store.keys import Request as KeyRequest
from web.render import render
from web.security import Form, Here, Posted, UserName

PERIODS: Final = (30, 90, 180, 365, 730)
"""Days for which the form offers a key."""

router = APIRouter()
private = APIRouter()
"""For those who may change what is mailed."""
changes = APIRouter()


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into the form."""

    name: str = ""
    scopes: tuple[str, ...] = ()
    days: str = str(api_key.DEFAULT_DAYS)
    per_minute: str = str(api_key.PER_MINUTE)


@router.get("/api")
def show_api(request: Request) -> Response:
    """The API's description, to be read."""
    described = request.app.state.described()
    operations = [
        (method.upper(), path, told) for path, methods in described["paths"].items() for method, told in methods.items()
    ]
    return render(request, "api.html.j2", described=described, operations=operations)


@private.get("/keys")
def list_keys(request: Request, here: Here, done: Annotated[str, Query(max_length=100)] = "") -> Response:
    return _page(request, here, Typed(), done=done)


@changes.post("/keys")
def create_key(request: Request, here: Here, user: UserName, form: Posted) -> Response:
    """The new key stands in this answer only."""
    typed = _typed(form)
    try:
        asked = KeyRequest(
            typed.name, user, typed.scopes, _number("days", typed.days), _number("per_minute", typed.per_minute)
        )
        made = KeyStore(here.es, here.names).create(asked, by=user, now=here.clock())
    except KeyRequestError as error:
        return _page(request, here, typed, fault=str(error))
    return _page(request, here, Typed(), made=made)


@changes.post("/keys/{key_id}/revoke")
def revoke_key(request: Request, here: Here, user: UserName, key_id: str) -> Response:
    if KeyStore(here.es, here.names).revoke(key_id, by=user, now=here.clock()) is None:
        raise HTTPException(404, "There is no such key.")
    return RedirectResponse(f"{request.scope.get('root_path', '')}/keys?done=revoked", 303)


def _typed(form: Form) -> Typed:
    scopes = tuple(scope.value for scope in SCOPES if f"scope-{scope.value}" in form)
    return Typed(form.text("name"), scopes, form.text("days"), form.text("per_minute"))


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise KeyRequestError(f"{name}: a whole number.")
    return int(text)


def _page(
    request: Request, here: Here, typed: Typed, *, done: str = "", fault: str = "", made: NewKey | None = None
) -> Response:
    now = here.clock()
    keys: list[ApiKey] = KeyStore(here.es, here.names).all()
    values = {"keys": keys, "typed": typed, "done": done, "fault": fault, "made": made}
    shown = {"scopes": SCOPES, "periods": PERIODS, "most_per_minute": api_key.MOST_PER_MINUTE}
    page = render(request, "keys.html.j2", 400 if fault else 200, now=now, **values, **shown)
    if made:  # neither a cache nor the browser's history keeps it
        page.headers["Cache-Control"] = "no-store"
    return page
