"""The News page: a FastAPI app; the server that mounts it provides access rules and a context."""

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from delivery.links import ACCOUNT, PATH, STORY, STORY_KEY
from jobs.context import Context
from newswatch.errors import MissingIndexError, NewswatchError
from store.elastic.faults import REFUSALS, index_error
from web import (
    audit_pages,
    delivery_pages,
    desk_pages,
    entity_pages,
    export_pages,
    feed_changes,
    feed_pages,
    key_pages,
    mail_pages,
    problem_pages,
    pulse_pages,
    saved_pages,
    search_list,
    search_pages,
    situation_pages,
    subscriber_pages,
)
from web.api.app import PATH as PATH_OF_API
from web.api.app import create_api
from web.collector import Settling
from web.faults import Fault, fault_page, faults_of, phrase, told, wants_json
from web.feeds_out import pages as feed_out_pages
from web.http_rules import HttpRules
from web.mail_page import page
from web.pulse_now import PulseNow, Read, read_now
from web.render import STATIC, render
from web.security import TOKEN_FIELD, Access, StaleFormError, form_of, protect, shell_of
from web.taxii.app import PATH as PATH_OF_TAXII
from web.taxii.app import create_taxii

LOGGED_OUT = (
    "You are logged out, so nothing was changed. Log in in another tab and come back to this one; then go back one "
    "page, where what you typed still is, and send it again."
)
"""In place of a log-in page, from which there is no way back to a form that was sent."""
TOO_LONG = "This form was open for more than twelve hours, so nothing was changed."
NO_PAGE = "There is no page at this address."
"""What the server itself says of an address that no route has: "Not Found"."""


def create_app(context: Callable[[], Context], access: Access, *, read: Read = read_now) -> FastAPI:
    """The app. `context` is called for each request and may cache; each route but `/health` is behind one of `access`'s
    rules. `read` gives what is wrong now.
    """
    app = FastAPI(title="News", docs_url=None, redoc_url=None, openapi_url=None)
    app.middleware("http")(protect)
    app.add_middleware(Settling)

    pulse = PulseNow(read)
    pulse_pages.add(app, context, access, pulse)
    shell = shell_of(context, access, pulse)
    form, own_form = form_of(access.change, shell), form_of(access.read, shell)
    # Before the pages of single feeds, one of which "new" might be.
    app.include_router(feed_changes.private, dependencies=[Depends(shell), Depends(access.change)])
    overviews, searches = (situation_pages, entity_pages), (search_list, saved_pages)
    others = (
        feed_out_pages,
        feed_pages,
        delivery_pages,
        problem_pages,
        mail_pages,
        key_pages,
        subscriber_pages,
    )
    for pages in (search_pages, export_pages, *overviews, *searches, *others):
        app.include_router(pages.router, dependencies=[Depends(shell)])
    for private in (mail_pages.private, problem_pages.private, key_pages.private, audit_pages.private):
        app.include_router(private, dependencies=[Depends(shell), Depends(access.operate)])
    for pages in (feed_changes, feed_pages, delivery_pages, problem_pages, subscriber_pages):
        app.include_router(pages.changes, dependencies=[Depends(form)])
    app.include_router(key_pages.changes, dependencies=[Depends(form), Depends(access.operate)])
    # What is the reader's own; each change of a saved search asks besides whose it is.
    for own in (saved_pages, desk_pages, feed_out_pages):
        app.include_router(own.changes, dependencies=[Depends(own_form)])
    api = create_api(context)
    app.state.described = api.state.described
    app.mount(PATH_OF_API, api)
    app.mount(PATH_OF_TAXII, create_taxii(context))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(HttpRules, routes=app.router.routes)
    _add_error_pages(app, access, context)
    return app


def _is_for_people(request: Request) -> bool:
    return request.method == "GET" and not wants_json(request) and not pulse_pages.is_for_machines(request)


def _needs_account(login_url: str) -> Response:
    """In place of a login that a reader of mails may not have."""
    text = "It is on the saved searches and mails of this installation, which only people with an account see."
    return page("needs_account.html.j2", title="This page needs an account", text=text, login_url=login_url, status=401)


def _restored(context: Callable[[], Context], index: str) -> bool:
    with suppress(NewswatchError, *REFUSALS):
        return context().restore(index)
    return False


def _add_error_pages(app: FastAPI, access: Access, context: Callable[[], Context]) -> None:
    @app.exception_handler(StarletteHTTPException)
    def refused(request: Request, error: StarletteHTTPException) -> Response:
        if error.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and _is_for_people(request):
            if key := request.query_params.get(STORY_KEY):
                base = context().settings.public_url.rstrip("/") + PATH
                article = quote(str(request.path_params.get("article_id", "")), safe="")
                return RedirectResponse(f"{base}/{STORY}/{quote(key, safe='')}{article and f'#{article}'}", 303)
            if ACCOUNT in request.query_params:
                return _needs_account(access.login_url(str(request.url)))
        if error.status_code == HTTPStatus.UNAUTHORIZED and _is_for_people(request):
            return RedirectResponse(access.login_url(str(request.url)), 303)
        if error.status_code == HTTPStatus.UNAUTHORIZED and request.method == "POST":
            return told(request, Fault(error.status_code, "Logged out", LOGGED_OUT), error.headers)
        text = NO_PAGE if error.detail == phrase(HTTPStatus.NOT_FOUND) else str(error.detail)
        return told(request, Fault(error.status_code, phrase(error.status_code), text), error.headers)

    @app.exception_handler(StaleFormError)
    def stale(request: Request, error: StaleFormError) -> Response:
        if wants_json(request):
            return told(request, Fault(403, phrase(403), TOO_LONG))
        fields = [(name, value) for name, value in error.form.multi_items() if name != TOKEN_FIELD]
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        page = render(request, "form_again.html.j2", 403, text=TOO_LONG, action=path, fields=fields)
        page.headers["Cache-Control"] = "no-store"  # it holds what was typed
        return page

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, error: RequestValidationError) -> Response:
        return told(request, Fault(400, "This address can't be understood", faults_of(error)))

    def failed(request: Request, error: Exception) -> Response:
        """One sentence on what Elasticsearch refuses; a missing index is created again for the next request."""
        cause = index_error(error) or error
        if isinstance(cause, MissingIndexError) and _restored(context, cause.index):
            text = f"The index {cause.index} was missing and has been created again, empty. Try again."
            return told(request, Fault(503, "That did not work", text))
        return fault_page(request, cause)

    for kind in (NewswatchError, *REFUSALS):
        app.add_exception_handler(kind, failed)
