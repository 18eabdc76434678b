"""The API as an app, which the News page has under `/api/v1`; its keys alone admit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response

from jobs.context import Context
from store.ingest_order import Horizons
from web.api import feedback, push
from web.api.answers import answer
from web.api.routes import routes
from web.problem_json import machine_app

VERSION: Final = "1.0"
PATH: Final = "/api/v1"
"""Below the News page."""
OVERALL: Final = 30_000
"""Requests a minute of all keys, in each process of the web server."""
_ABOUT: Final = (
    "What newswatch has, for programs. Show a key: `Authorization: Bearer nwk_…`. "
    "Faults are problem details (RFC 9457). Answers have ETags. "
    "Fields are added within version 1, never renamed or taken away."
)


def create_api(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request and may cache."""
    routers = (routes(Horizons()), feedback.router, push.router)
    app = machine_app(context, routers, title="newswatch API", overall=OVERALL)

    @cache
    def described() -> Mapping[str, Any]:
        return _described(app)

    app.state.described = described

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        """The description of the API, which needs no key."""
        return JSONResponse(dict(described()))

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        """Where to go on."""
        return answer(request, {"version": VERSION, "openapi": f"{request.scope.get('root_path', '')}/openapi.json"})

    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, with the key that every route asks for."""
    told = get_openapi(title=app.title, version=VERSION, description=_ABOUT, routes=app.routes)
    scheme = {"type": "http", "scheme": "bearer", "description": "An API key."}
    told.setdefault("components", {})["securitySchemes"] = {"key": scheme}
    told["security"] = [{"key": []}]
    told["servers"] = [{"url": f"/news{PATH}"}]
    return told
