"""Addresses that are permissions stand in no access log: of feeds, of links in mails, of what hubs call."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from web import inside_airflow
from web.unlogged import Unlogged


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
