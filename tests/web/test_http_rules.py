"""HEAD, the header Allow, and the last slash of an address, on every app of the web server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import StreamingResponse

from jobs.context import Context
from tests.web.conftest import Visitor
from web import hub, links
from web.app import create_app
from web.feeds_out.app import create_app as create_feeds
from web.http_rules import HttpRules


def no_context() -> Context:
    raise AssertionError("no route of these needs one")


APPS: dict[str, tuple[Callable[[], FastAPI], str]] = {
    "the News page": (lambda: create_app(no_context, Visitor().access()), "/static/news.css"),
    "the API": (lambda: create_app(no_context, Visitor().access()), "/api/v1/openapi.json"),
    "links in mails": (lambda: links.create_app(no_context), "/a-token"),
    "feeds": (lambda: create_feeds(no_context), "/a-token/atom"),
    "hubs": (lambda: hub.create_app(no_context), "/feed/key"),
}
"""An app and an address that it has."""


def small() -> TestClient:
    """An app of two routes for one address, and one below."""
    app, below = FastAPI(), FastAPI()

    @app.get("/things")
    def things() -> StreamingResponse:
        return StreamingResponse(iter(["many ", "things"]), headers={"X-Things": "2"})

    @app.post("/things")
    def more() -> dict[str, str]:
        return {"made": "one"}

    @below.get("/inner")
    def inner() -> str:
        return "inner"

    below.add_middleware(HttpRules, routes=below.router.routes)
    app.mount("/below", below)
    app.add_middleware(HttpRules, routes=app.router.routes)
    return TestClient(app, follow_redirects=False)


def test_head_is_get_without_its_body() -> None:
    answer = small().head("/things")
    assert (answer.status_code, answer.headers["X-Things"], answer.content) == (200, "2", b"")
    below = small().head("/below/inner")
    assert (below.status_code, below.content) == (200, b"")


def test_405_names_every_method_of_the_address() -> None:
    assert small().put("/things").headers["allow"] == "GET, HEAD, POST"
    assert small().post("/below/inner").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("address", ["/things/", "/below/inner/"])
def test_a_slash_at_the_end_makes_no_other_address_and_no_redirect(address: str) -> None:
    assert small().get(address).status_code == 200
    assert small().get("/nothing/").status_code == 404


def test_what_is_posted_to_an_address_with_a_slash_is_taken() -> None:
    assert small().post("/things/").json() == {"made": "one"}


@pytest.mark.parametrize("name", APPS)
def test_every_app_keeps_to_them(name: str) -> None:
    made, address = APPS[name]
    client = TestClient(made(), follow_redirects=False, raise_server_exceptions=False)
    refused = client.request("PATCH", address)
    assert refused.status_code == 405
    assert {"GET", "HEAD"} <= set(refused.headers["allow"].split(", "))
    assert client.head(address).status_code == client.get(address).status_code
    assert client.get(f"{address}/").status_code not in (307, 308)


def test_the_taxii_server_is_found_without_its_last_slash_and_without_a_redirect() -> None:
    client = TestClient(create_app(no_context, Visitor().access()), follow_redirects=False)
    assert client.get("/taxii2").status_code == 401, "a key is asked for"
