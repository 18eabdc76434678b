"""Admits whoever shows an API key that opens what is asked for: `Depends(requires_key(Scope.READ))`.

A key stands in the header `Authorization: Bearer …`, never in an address, which servers log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated, Final

from fastapi import Depends, Request

from jobs.context import Context
from newswatch.api_key import ApiKey, Scope
from store.keys import KeyStore, Refusal
from web.problem_json import Door, TroubleError, address_of, network_of
from web.security import Dependency

MAX_CHARS: Final = 1_000
"""Of the header; a longer one is no key."""
_SHOW: Final = "Send a key in the header `Authorization: Bearer nwk_…`; `newswatch api-keys create` makes one."


def requires_key(scope: Scope, *, basic: bool = False) -> Dependency:
    """The dependency of a route of a `machine_app`: lets through a key with this scope; its value is the `ApiKey`.

    With `basic` also as the password of HTTP's basic authentication, for clients that know nothing else.
    """

    def key(request: Request) -> ApiKey:
        door: Door = request.app.state.door
        text, network = _shown(request, basic=basic), network_of(address_of(request))
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in door.admitted and (wait := door.refusals.spent_s(network)):
            raise _too_many("Too many keys that are none came from your address.", wait)
        here = door.context()
        found = KeyStore(here.es, here.names).admitted(text, here.clock())
        if isinstance(found, Refusal):
            door.refusals.wait_s(network)
            door.admitted.discard(digest)
            raise _unauthorised(found.reason, basic=basic)
        door.admitted.add(digest)
        if wait := door.budget.wait_s(found.id, found.per_minute):
            raise _too_many(f"This key may send {found.per_minute:,} requests a minute.", wait)
        if scope not in found.scopes:
            detail = f"This key opens {', '.join(found.scopes)}; this address asks for {scope.value}."
            raise TroubleError(403, "scope", detail, "Use a key with this scope.")
        request.state.context, request.state.key = here, found
        return found

    return key


def _shown(request: Request, *, basic: bool) -> str:
    """The text of the key that a request shows.

    Raises:
        TroubleError: it shows none.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) != 1 or len(headers[0]) > MAX_CHARS:
        raise _unauthorised("This address needs an API key." if not headers else "One key is enough.", basic=basic)
    kind, _, text = headers[0].partition(" ")
    if kind.lower() == "bearer":
        return text.strip()
    if basic and kind.lower() == "basic":
        return _password(text)
    raise _unauthorised("This address needs an API key, sent as a bearer token.", basic=basic)


def _password(text: str) -> str:
    try:
        return base64.b64decode(text.strip(), validate=True).decode().partition(":")[2].strip()
    except (binascii.Error, ValueError) as error:
        raise _unauthorised("The header Authorization can't be read.", basic=True) from error


def _unauthorised(reason: str, *, basic: bool) -> TroubleError:
    offered = 'Bearer realm="newswatch"' + (', Basic realm="newswatch", charset="UTF-8"' if basic else "")
    return TroubleError(401, "unauthorised", reason, _SHOW, headers={"WWW-Authenticate": offered})


def _too_many(detail: str, wait_s: int) -> TroubleError:
    step = f"Come again in {wait_s} seconds."
    return TroubleError(429, "rate-limited", detail, step, headers={"Retry-After": str(wait_s)})


def key_of(request: Request) -> ApiKey:
    """The key that a request behind `requires_key` has shown."""
    key: ApiKey = request.state.key
    return key


def _here(request: Request) -> Context:
    context: Context = request.state.context
    return context


Opened = Annotated[Context, Depends(_here)]
"""The context, in a route behind `requires_key`."""
Held = Annotated[ApiKey, Depends(key_of)]
"""The key, likewise."""
