"""Addresses that are permissions stand in no access log: of feeds, of links in mails, of what hubs call."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from web import inside_airflow
from web.unlogged import KeyUnlogged, Unlogged


def test_whoever_looks_at_a_request_after_it_finds_no_secret() -> None:
    app, server, seen = FastAPI(), FastAPI(), []

    @app.get("/{token}")
    def act(token: str, key: str) -> str:
        return token + key

    server.mount("/mail", Unlogged(app))

    async def logging(scope: Any, receive: Any, send: Any) -> None:
        await server(scope, receive, send)
        if scope["type"] == "http":
            seen.append(f"{scope['path']} {scope['raw_path']!r} {scope['query_string']!r}")

    assert TestClient(logging).get("/mail/s3cret?key=s3cret").json() == "s3crets3cret"
    assert seen
    assert "s3cret" not in "".join(seen)


@pytest.mark.parametrize("made", [inside_airflow.mail_links, inside_airflow.feeds_out, inside_airflow.hubs])
def test_each_app_whose_addresses_are_permissions_is_made_so(made: Any) -> None:
    assert isinstance(made(), Unlogged)


def test_the_key_of_a_shared_story_is_not_found_either() -> None:
    app, server, seen = FastAPI(), FastAPI(), []

    @app.get("/story")
    def story(k: str, mark: str) -> str:
        return k + mark

    server.mount("/news", KeyUnlogged(app))

    async def logging(scope: Any, receive: Any, send: Any) -> None:
        await server(scope, receive, send)
        seen.append(str(scope.get("query_string")))

    client = TestClient(logging)
    assert client.get("/news/story?k=s3cret&mark=1").json() == "s3cret1"
    assert client.get("/news/story?mark=1&k=s3cret").json() == "s3cret1"
    assert seen == ["b'&mark=1'", "b'mark=1&'"]
