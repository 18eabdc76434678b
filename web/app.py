"""The News page: a FastAPI app that whoever serves it gives access rules and a context."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from elasticsearch import ApiError, TransportError
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from alerts.saved import UsageError
from jobs.context import Context
from newswatch.errors import MissingIndexError, NewswatchError, QueryError, StoreError
from search.faults import store_error
from web import delivery_pages, feed_pages, mail_pages, saved_pages, search_pages
from web.render import STATIC, render
from web.security import Access, form_of, protect, shell_of


def create_app(context: Callable[[], Context], access: Access) -> FastAPI:
    """The app. `context` is called for each request and may cache; each route is behind one of `access`'s rules."""
    app = FastAPI(title="News", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(protect)

    shell = shell_of(context, access)
    form = form_of(access, shell)
    for pages in (search_pages, saved_pages, feed_pages, delivery_pages, mail_pages):
        app.include_router(pages.router, dependencies=[Depends(shell)])
    app.include_router(mail_pages.private, dependencies=[Depends(shell), Depends(access.change)])
    for pages in (saved_pages, feed_pages, delivery_pages):
        app.include_router(pages.changes, dependencies=[Depends(form)])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _add_error_pages(app, access)
    _add_store_errors(app, context)
    return app


def _add_store_errors(app: FastAPI, context: Callable[[], Context]) -> None:
    """What Elasticsearch refuses is told in one sentence; a missing index is made anew for the next request."""

    @app.exception_handler(MissingIndexError)
    @app.exception_handler(ApiError)
    @app.exception_handler(TransportError)
    def refused(request: Request, error: Exception) -> Response:
        told = store_error(error) if isinstance(error, ApiError | TransportError) else error
        text = str(told)
        if isinstance(told, MissingIndexError) and _restored(context, told.index):
            text = f"The index {told.index} was missing and has been made anew, empty. Try again."
        return render(request, "error.html.j2", 503, title="That did not work", text=text)


def _restored(context: Callable[[], Context], index: str) -> bool:
    with suppress(NewswatchError, ApiError, TransportError):
        return context().restore(index)
    return False


def _add_error_pages(app: FastAPI, access: Access) -> None:
    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> Response:
        if error.status_code == HTTPStatus.UNAUTHORIZED and request.method == "GET":
            return RedirectResponse(access.login_url(str(request.url)), 303)
        title = HTTPStatus(error.status_code).phrase
        return render(request, "error.html.j2", error.status_code, title=title, text=str(error.detail))

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
        return render(request, "error.html.j2", 400, title="This address can't be understood", text=faults)

    @app.exception_handler(NewswatchError)
    def failed(request: Request, error: Exception) -> Response:
        wrong = isinstance(error, QueryError | UsageError)
        status = 503 if isinstance(error, StoreError) else 400 if wrong else 404
        return render(request, "error.html.j2", status, title="That did not work", text=str(error))
