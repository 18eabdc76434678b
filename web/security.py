"""Who may see and change what, and what keeps others from doing it in their name.

The server that mounts the page says who asks and in what role (`Access`): inside Airflow its auth manager. What a role
may do is decided here, whatever the auth manager:

- an analyst reads everything, marks and notes articles, and keeps saved searches of his own, which mail to him alone;
- an editor changes every saved search, the feeds and what is mailed, and deals with problems;
- an operator also sees kept documents and caught mails, which hold the links of others.

A change needs a form of ours besides: a token that is signed for the user, and a request that no other site caused.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import FormData

from delivery.links import signing_keys
from jobs.context import Context
from newswatch.clock import utc_now
from newswatch.origin import came_from
from observe.condition import worst_first
from web.catcher import catches
from web.desk import DeskCounts
from web.faults import fault_page
from web.pulse_now import PulseNow

TOKEN_FIELD = "csrf"  # noqa: S105 - the field's name
TOKEN_AGE_S = 12 * 3_600
MAX_FORM_BYTES = 200_000
"""Of a posted form, whether its length is announced or not."""
MAX_FORM_FIELDS = 500
FORM_S = 30
"""Seconds within which a form must have come."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that no keyboard gives, and that a mail or a YAML file may not hold."""
FORM_TYPE = "application/x-www-form-urlencoded"

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "frame-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    # Outlets need not learn what an analyst was searching for when he followed a link.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
"""Of every answer. Nothing is loaded from elsewhere, and no script or style stands in a page."""

Dependency = Callable[..., Any]


class Role(IntEnum):
    """What a user may do: each role may also do what those before it may."""

    ANALYST = 1
    EDITOR = 2
    OPERATOR = 3


@dataclass(frozen=True, slots=True)
class Access:
    """Answers of the surrounding server, as FastAPI dependencies; each may refuse with an `HTTPException`."""

    read: Dependency
    """Lets through who may see articles, saved searches, feeds and deliveries."""
    role: Dependency
    """The `Role` of a user whom `read` lets through."""
    user_name: Dependency
    """The user's name."""
    address: Dependency
    """The user's mail address, empty where it isn't known."""
    login_url: Callable[[str], str]
    """Where to log in, coming back to the address given."""

    @property
    def change(self) -> Dependency:
        """Lets through editors and operators."""
        return _at_least(self.role, Role.EDITOR)

    @property
    def operate(self) -> Dependency:
        """Lets through operators."""
        return _at_least(self.role, Role.OPERATOR)


def _at_least(role: Dependency, least: Role) -> Dependency:
    def check(has: Annotated[Role, Depends(role)]) -> None:
        if has < least:
            raise HTTPException(403, f"Your role is {has.name.lower()}; this takes an {least.name.lower()}.")

    return check


async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """The middleware that adds the headers, says how long the answer took, and answers what nothing else has caught."""
    started = time.perf_counter()
    came_from(f"the News page, from {request.client.host if request.client else 'nowhere'}")
    try:
        response = await call_next(request)
    except Exception as error:
        response = fault_page(request, error)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server-Timing"] = f"page;dur={(time.perf_counter() - started) * 1000:.1f}"
    return response


def new_token(context: Context, user: str) -> str:
    """What a form of ours carries for this user."""
    return _signer(context).dumps(user)


class StaleFormError(Exception):
    """A form of ours that was made for the user who sends it, but too long ago: he is asked whether he means it."""

    def __init__(self, form: FormData) -> None:
        super().__init__("This form was open for too long.")
        self.form = form


def is_fresh(context: Context, user: str, token: str) -> bool:
    """Whether a form of ours that was made for this user is young enough to be acted on.

    Raises:
        HTTPException: 403, with a sentence for the user: it was made by nobody, or for somebody else.
    """
    try:
        owner, signed = _signer(context).loads(token, return_timestamp=True)
    except BadData as error:
        raise HTTPException(403, "This form can't be verified: go back, load the page again and repeat it.") from error
    if owner != user:
        raise HTTPException(403, "This form was made for somebody else: load the page again.")
    age: timedelta = utc_now() - signed
    return age <= timedelta(seconds=TOKEN_AGE_S)


def _signer(context: Context) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_keys(context.settings), salt="newswatch news page forms")


# ── what routes ask for ──────────────────────────────────────────────────────────────────────────────────────────────


def shell_of(context: Callable[[], Context], access: Access, pulse: PulseNow) -> Dependency:
    """The dependency of every route: lets through who may see, and notes what every page shows."""
    desks = DeskCounts()

    def shell(
        request: Request,
        _allowed: Annotated[Any, Depends(access.read)],
        name: Annotated[str, Depends(access.user_name)],
        address: Annotated[str, Depends(access.address)],
        role: Annotated[Role, Depends(access.role)],
    ) -> None:
        request.state.context = context()
        request.state.user_name = name
        request.state.user_address = address
        request.state.role = role
        token = new_token(request.state.context, name)
        operates = role >= Role.OPERATOR
        request.state.pulse, request.state.desks = pulse, desks
        reading = pulse.now(request.state.context)
        request.state.shell = {
            "user": name,
            "may_change": role >= Role.EDITOR,
            "may_operate": operates,
            "may_save": may_save(role, address),
            "token": token,
            "catches": operates and catches(request.state.context.settings),
            "problem_count": reading.pulse.problems if reading.pulse else None,
            "held": desks.held(request.state.context, name),
            "topics": request.state.context.names.shown_topics(),
            "wrong": worst_first(reading.conditions),
            "looked_at": reading.pulse.at if reading.pulse else utc_now(),
        }

    return shell


def form_of(allowed: Dependency, shell: Dependency) -> Dependency:
    """The dependency of every route that changes something: lets through who is `allowed`, with a form of ours."""

    async def form(
        request: Request, _shown: Annotated[Any, Depends(shell)], _allowed: Annotated[Any, Depends(allowed)]
    ) -> None:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "This request came from another site and was not carried out.")
        found = await read_form(request)
        token = found.get(TOKEN_FIELD)
        if not is_fresh(request.state.context, request.state.user_name, token if isinstance(token, str) else ""):
            raise StaleFormError(found)
        request.state.form = found

    return form


async def read_form(request: Request) -> FormData:
    """The fields of a posted form; no more of it is read than a form may have.

    Raises:
        HTTPException: it is no form of ours (415), too large (413), too slow (408), or can't be read (400).
    """
    kind = request.headers.get("content-type", FORM_TYPE).partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise HTTPException(415, f"A form is sent as {FORM_TYPE}, without files; this one came as {kind[:100]!r}.")
    try:
        async with asyncio.timeout(FORM_S):
            body = await _read(request)
    except TimeoutError as error:
        raise HTTPException(408, f"This form took more than {FORM_S} seconds to come: send it again.") from error
    try:
        text = body.decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        told = f"at most {MAX_FORM_FIELDS} fields, in UTF-8, as a browser sends them"
        raise HTTPException(400, f"This form can't be read: it may have {told}.") from error
    for name, value in fields:
        if _UNPRINTABLE.search(value):
            raise HTTPException(
                400, f"{name[:100]} holds a control character: type the text again instead of pasting it."
            )
    return FormData([*fields])


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, f"This form is too large: {MAX_FORM_BYTES:,} bytes are the most.")
    return bytes(body)


# ── saved searches of one's own ──────────────────────────────────────────────────────────────────────────────────────


def may_save(role: Role, address: str) -> bool:
    """Whether a user may have saved searches of his own: an analyst needs an address for their mails."""
    return role >= Role.EDITOR or bool(address)


def may_alter(request: Request, owner: str) -> bool:
    """Whether the user may change a saved search of this owner."""
    role, address = request.state.role, request.state.user_address
    return role >= Role.EDITOR or (may_save(role, address) and bool(owner) and owner == request.state.user_name)


def require_alter(request: Request, owner: str) -> None:
    """Refuse who may not change a saved search of this owner.

    Raises:
        HTTPException: 403, with a sentence for the user.
    """
    if may_alter(request, owner):
        return
    if not may_save(request.state.role, request.state.user_address):
        raise HTTPException(
            403, "Your account has no mail address, so your searches could not be mailed: ask an editor."
        )
    raise HTTPException(403, "This saved search is somebody else's: an editor may change it, an analyst only his own.")


def recipients_allowed(request: Request, recipients: Iterable[str], known: Iterable[str]) -> None:
    """Refuse recipients whom an analyst may not have mailed: all but himself, and those who are there (`known`).

    Raises:
        HTTPException: 403, with a sentence for the user.
    """
    if request.state.role >= Role.EDITOR:
        return
    allowed = {address.casefold() for address in (*known, request.state.user_address)}
    strangers = [recipient for recipient in recipients if recipient.casefold() not in allowed]
    if strangers:
        others = ", ".join(strangers[:3])
        raise HTTPException(
            403, f"Your searches mail to you alone, {request.state.user_address}; an editor may add {others}."
        )


def _here(request: Request) -> Context:
    context: Context = request.state.context
    return context


def _form(request: Request) -> "Form":
    return Form(request.state.form)


def _user_name(request: Request) -> str:
    return str(request.state.user_name)


def _user_address(request: Request) -> str:
    return str(request.state.user_address)


class Form:
    """The text fields of a posted form."""

    def __init__(self, data: FormData) -> None:
        self._data = data

    def text(self, name: str) -> str:
        """The field's text without space around it, empty where there is none; browsers send lines with CR LF."""
        value = self._data.get(name)
        return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""

    def beginning(self, start: str) -> dict[str, str]:
        """The fields whose names begin so, without that beginning."""
        return {name.removeprefix(start): self.text(name) for name in self._data if name.startswith(start)}

    def __contains__(self, name: str) -> bool:
        """Whether the field was sent; for a box, whether it was ticked."""
        return name in self._data


Here = Annotated[Context, Depends(_here)]
Posted = Annotated[Form, Depends(_form)]
UserName = Annotated[str, Depends(_user_name)]
UserAddress = Annotated[str, Depends(_user_address)]
