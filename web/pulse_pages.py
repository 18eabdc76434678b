"""For machines that watch: `/health` says in one word whether all is well, `/metrics` in numbers.

`/health` asks for no log-in, as probes have none, and tells states only. `/metrics` tells how much is read and mailed,
so it needs the token of `NEWSWATCH_METRICS_TOKEN` as a bearer token, or a log-in that may read the News page.
"""

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from jobs.context import Context
from newswatch.errors import ConfigError, NewswatchError
from newswatch.settings_in_part import settings_in_part
from observe.health import states, worst
from observe.metrics import Reading, exposition
from store.elastic.faults import REFUSALS
from web.pulse_now import PulseNow, away
from web.security import Access

METRICS = "/metrics"
HEALTH = "/health"
_NO_STORE = {"Cache-Control": "no-store"}


def add(app: FastAPI, context: Callable[[], Context], access: Access, pulse: PulseNow) -> None:
    """Add both routes to the app."""

    def reading() -> Reading:
        try:
            return pulse.now(context())
        except (NewswatchError, *REFUSALS):  # it was away when this server started, and still is
            return away()

    def health(read: Annotated[Reading, Depends(reading)]) -> Response:
        return health_answer(read)

    def metrics(request: Request, read: Annotated[Reading, Depends(reading)]) -> Response:
        body, media_type = exposition(read, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": media_type, **_NO_STORE})

    for_holders = APIRouter(route_class=_behind_token(lambda: _token(context)))
    for router, needed in ((for_holders, []), (APIRouter(), [Depends(access.read)])):
        router.add_api_route(METRICS, metrics, methods=["GET", "HEAD"], dependencies=needed)
        app.include_router(router)
    app.add_api_route(HEALTH, health, methods=["GET", "HEAD"])


def health_answer(reading: Reading) -> Response:
    """200 while all is well or only warnings stand, 503 once something is critical. Pure."""
    status = worst(reading.conditions)
    code = HTTPStatus.SERVICE_UNAVAILABLE if status == "critical" else HTTPStatus.OK
    checks = states(reading.conditions, reading.pulse)
    return JSONResponse({"status": status, "checks": checks}, code, headers=_NO_STORE)


def is_for_machines(request: Request) -> bool:
    """Whether the answer to this request is no page: then it is refused by a status, not by a log-in form."""
    return request.url.path.endswith(METRICS) and "text/html" not in request.headers.get("accept", "")


def _token(context: Callable[[], Context]) -> str:
    """The token that admits; empty if there is none. It must also be known while Elasticsearch is away."""
    try:
        settings = context().settings
    except (NewswatchError, *REFUSALS):
        settings = settings_in_part()
    try:
        token = settings.metrics_token
    except ConfigError:  # a token that is wrong admits nobody
        return ""
    return token.get_secret_value() if token else ""


def _behind_token(token: Callable[[], str]) -> type[APIRoute]:
    """A kind of route that exists only for requests with the token; for all others the next route of that path does."""

    class Route(APIRoute):
        def matches(self, scope: Scope) -> tuple[Match, Any]:
            match, child = super().matches(scope)
            if match is Match.NONE or not has_token(scope, token):
                return Match.NONE, {}
            return match, child

    return Route


def has_token(scope: Scope, token: Callable[[], str]) -> bool:
    """Whether the request carries the token. The comparison takes the same time wherever it fails."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, credentials = given.partition(b" ")
    if scheme.lower() != b"bearer" or not credentials:
        return False
    wanted = token().encode()
    return bool(wanted) and hmac.compare_digest(credentials.strip(), wanted)
