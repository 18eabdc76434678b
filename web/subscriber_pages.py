"""Subscribers: people, groups, and the addresses of webhooks and chats. No page shows a key, save a new secret once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from delivery.address_book import AddressError
from delivery.channels.chats.registry import SERVICES
from delivery.erasure import Erasure
from delivery.replaying import MOST, replay
from delivery.subscribers import overview, route_text, subscriber_of
from delivery.verification import Registrar
from jobs.context import Context
from newswatch.as_json import json_line
from newswatch.errors import ChangedMeanwhileError, NewswatchError
from newswatch.subscriber import Address, Subscriber
from web.fingerprint import fingerprint
from web.render import render
from web.security import Form, Here, Posted, Role, UserName

DONE = {
    "confirmed": "The address is confirmed: saved searches may name it as a recipient.",
    "sent": "A code was sent there. Enter it below.",
    "saved": "Saved.",
    "unasked": "Saved, but a new mail address could not be asked to confirm, and gets nothing: ask again in the list.",
    "removed": "Removed.",
    "erased": "Erased. Backups and logs keep it until they expire.",
}
"""What a page says after a change."""
_ID = Query(max_length=300)

router = APIRouter()
changes = APIRouter()


@router.get("/subscribers")
def list_subscribers(request: Request, here: Here, name: UserName, done: Annotated[str, _ID] = "") -> Response:
    return _page(request, here, name, done=DONE.get(done, ""))


@changes.post("/subscribers/webhook")
def add_webhook(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    registrar = registrar_of(here, name, trusted=request.state.role >= Role.OPERATOR)
    try:
        address, secret = registrar.add_webhook(form.text("name"), form.text("url"), name)
    except NewswatchError as error:
        return _page(request, here, name, fault=str(error))
    return _sent(request, here, name, registrar, address.id, secret=secret)


@changes.post("/subscribers/chat")
def add_chat(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    registrar = registrar_of(here, name, trusted=request.state.role >= Role.OPERATOR)
    try:
        address = registrar.add_chat(form.text("name"), form.text("url"), name)
    except NewswatchError as error:
        return _page(request, here, name, fault=str(error))
    return _sent(request, here, name, registrar, address.id)


def _sent(
    request: Request, here: Context, user: str, registrar: Registrar, address_id: str, *, secret: str = ""
) -> Response:
    """The page after a code was sent to a new address, or could not be; a secret is shown on it and never again."""
    try:
        done = DONE["confirmed" if registrar.send_code(address_id).is_open else "sent"]
    except NewswatchError as error:
        return _page(request, here, user, fault=f"{address_id} was added. {error}", secret=secret)
    return _page(request, here, user, done=done, secret=secret)


@changes.post("/subscribers/address")
def change_address(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    """Confirm, send a code again, change the secret, share, switch on or remove one of the user's own addresses."""
    registrar, address_id = registrar_of(here, name), form.text("id")
    try:
        address = _own(registrar, address_id, name)
        match form.text("do"):
            case "confirm":
                registrar.confirm(address_id, form.text("code"))
                return _back(request, "confirmed")
            case "send" if address.kind == "mail":
                registrar.send_link(address_id, name)
                return _back(request, "sent")
            case "send":
                return _back(request, "confirmed" if registrar.send_code(address_id).is_open else "sent")
            case "secret":
                return _page(request, here, name, done=DONE["saved"], secret=registrar.new_key(address_id))
            case "drop":
                registrar.drop_former_key(address_id)
            case "share":
                registrar.share(address_id, shared=not address.shared)
            case "replay" if address.kind != "mail":
                last = form.text("last")
                count = int(last) if last.isascii() and last.isdigit() and len(last) < 4 else 0
                if not 1 <= count <= MOST:
                    raise AddressError(f"1 to {MOST} messages can be sent again at once.")
                again = replay(here.es, here.names, here.settings, registrar.book, address_id, count, here.clock)
                if again.failed:
                    raise AddressError(f"{again.sent} sent again; the next was not: {again.failed[0]}.")
                return _page(request, here, name, done=f"{again.sent} sent again.")
            case "on":
                registrar.switch_on(address_id)
            case "remove" if address.kind != "mail":  # it could be asked again and again
                registrar.book.delete(address_id)
                return _back(request, "removed")
            case _:
                raise HTTPException(400, "do: it must be a button of the page.")
    except NewswatchError as error:
        return _page(request, here, name, fault=str(error))
    return _back(request, "saved")


@changes.post("/subscribers/people")
def save_subscriber(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    """Create, change or remove a person or group of the user's own."""
    registrar = registrar_of(here, name, trusted=request.state.role >= Role.OPERATOR)

    def save() -> str:
        subscriber_id = form.text("id")
        if form.text("do") == "remove":
            was = registrar.book.subscriber(subscriber_id)
            if was is None:
                raise AddressError("There is no such person or group.")
            _require_own(was, name)
            registrar.book.delete(was.id)
            return "removed"
        routes = [line for line in form.text("routes").split("\n") if line.strip()]
        made = subscriber_of(
            subscriber_id,
            routes,
            registrar.book,
            topics=here.names.shown_topics().paths,
            name=form.text("name"),
            zone=form.text("zone") or "UTC",
            owner=name,
            now=here.clock(),
        )
        _require_own(made, name)  # one that is there keeps its owner, however its name was typed
        was = registrar.book.subscriber(made.id)
        _check_seen(was, made.id, form.text("was"))
        if was is None:
            registrar.check_name(made.id, name)
        to = [route.to for route in made.routes]
        check_recipients(here, to, name)
        unasked = ask_new_mails(here, to, name, "")  # first, so that nothing is sent before they are held
        if was is None:
            registrar.book.create(made)
        else:
            registrar.book.replace(was, made)
        return "unasked" if unasked else "saved"

    return _after(request, here, name, save, form)


def _check_seen(was: Subscriber | None, subscriber_id: str, seen: str) -> None:
    """Refuse a form that was opened before the person or group was made, changed or removed by another one."""
    if was is not None and not seen:
        raise AddressError(f"There is {subscriber_id} already: change that one, or give this one another name.")
    if seen and (was is None or fingerprint(was) != seen):
        what = "removed" if was is None else "changed"
        now = f"; its routes are now: {'; '.join(map(route_text, was.routes))}" if was else ""
        raise ChangedMeanwhileError(
            f"{subscriber_id} was {what} in another window{now}. What you typed is below: look at it, and save again."
        )


@changes.post("/subscribers/export")
def export(here: Here, name: UserName, form: Posted) -> Response:
    """All that is stored of one of the user's own people, as a file."""
    registrar = registrar_of(here, name)
    person = _own_person(registrar, form.text("id"), name)
    text = json_line(Erasure(here.es, here.names, registrar.book).export(person.id))
    disposition = f'attachment; filename="{person.id.replace(":", "-")}.json"'
    return Response(text.encode(), media_type="application/json", headers={"Content-Disposition": disposition})


@changes.post("/subscribers/erase")
def erase(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    """Erase one of the user's own people, once the name was typed again."""
    registrar = registrar_of(here, name)

    def erased() -> str:
        person = _own_person(registrar, form.text("id"), name)
        if form.text("again") != person.id:
            raise AddressError(f"Type {person.id} to erase this person.")
        Erasure(here.es, here.names, registrar.book).erase(person.id, here.clock(), by=name)
        return "erased"

    return _after(request, here, name, erased)


def _after(request: Request, here: Context, user: str, change: Callable[[], str], form: Form | None = None) -> Response:
    """The page after a change; after one that was refused, with what the `form` has."""
    try:
        done = change()
    except NewswatchError as error:
        return _page(request, here, user, fault=str(error), form=form)
    return _back(request, done)


# ── recipients of saved searches ─────────────────────────────────────────────────────────────────────────────────────


def registrar_of(here: Context, by: str = "newswatch", *, trusted: bool = False) -> Registrar:
    """What adds, confirms and changes addresses in the name of a user (see `Registrar`)."""
    return Registrar(here.es, here.names, here.settings, here.clock, by=by, trusted=trusted)


def check_recipients(here: Context, recipients: list[str], user: str) -> None:
    """Refuse recipients that are not in the address book, or that belong to another user alone.

    Raises:
        AddressError: names the first of them.
    """
    named = [recipient for recipient in recipients if ":" in recipient]
    known = registrar_of(here).book.many(named)
    for recipient in named:
        entry = known.get(recipient)
        if entry is None:
            raise AddressError(f"{recipient} is not in the address book: add it under Subscribers first.")
        if isinstance(entry, Address) and entry.owner != user and not entry.shared:
            raise AddressError(f"{recipient} belongs to {entry.owner}, who does not share it.")


def ask_new_mails(here: Context, recipients: list[str], user: str, own: str) -> list[str]:
    """Hold mail addresses that newswatch does not know yet, and ask their owners; those that could not be asked.

    The user's own address, `own`, needs no asking: Airflow vouches for it.

    Raises:
        AddressError: the user would have too many addresses; none was held.
    """
    from web.catcher import catches

    if not here.settings.verify_addresses or catches(here.settings):
        return []
    registrar, unasked = registrar_of(here, user), []
    new = registrar.unknown_mails([one for one in recipients if one.casefold() != own.casefold()])
    if new:
        registrar.check_number(user, len(new))
    for address in new:
        try:
            registrar.add_mail(address, user)
        except NewswatchError:
            unasked.append(address)
    return unasked


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _page(
    request: Request,
    here: Context,
    user: str,
    *,
    done: str = "",
    fault: str = "",
    secret: str = "",
    form: Form | None = None,
) -> Response:
    entries = registrar_of(here).book.all()
    values = {
        "addresses": overview(entry for entry in entries if isinstance(entry, Address)),
        "kinds": {entry.id: entry.kind for entry in entries},
        "people": [entry for entry in entries if isinstance(entry, Subscriber)],
        "route_text": route_text,
        "fingerprint": fingerprint,
        "typed": {name: form.text(name) if form else "" for name in ("id", "name", "zone", "routes")},
        "services": [service for service in SERVICES if service.schemes[0] in ("slack", "matrixs", "ntfys")],
        "others": sorted(
            {service.name for service in SERVICES if service.schemes[0] not in ("slack", "matrixs", "ntfys")}
        ),
        "done": done,
        "fault": fault,
        "secret": secret,
        "me": user,
    }
    page = render(request, "subscribers.html.j2", 400 if fault else 200, now=here.clock(), **values)
    if secret:  # neither a cache nor the browser's history keeps it
        page.headers["Cache-Control"] = "no-store"
    return page


def _own(registrar: Registrar, address_id: str, user: str) -> Address:
    address = registrar.book.address(address_id)
    if address is None:
        raise AddressError("There is no such address.")
    _require_own(address, user)
    return address


def _own_person(registrar: Registrar, person_id: str, user: str) -> Subscriber:
    person = registrar.book.subscriber(person_id)
    if person is None or person.kind != "person":
        raise AddressError("There is no such person.")
    _require_own(person, user)
    return person


def _require_own(entry: Address | Subscriber, user: str) -> None:
    if entry.owner != user:
        raise AddressError(f"{entry.id} belongs to {entry.owner}.")


def _back(request: Request, done: str) -> Response:
    path = request.scope.get("root_path", "")
    return RedirectResponse(f"{path}/subscribers?{urlencode({'done': done})}", 303)
