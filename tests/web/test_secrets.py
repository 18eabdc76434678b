"""A page that can't reach Elasticsearch shows neither where it is nor who logs in to it; the log has the former."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from jobs.context import open_context
from newswatch.settings import Settings
from tests.web.conftest import Visitor
from web.app import create_app

SECRET = "Gehe1m"


def test_an_elasticsearch_that_is_away_is_told_without_its_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = Settings(
        data_dir=tmp_path, elasticsearch_url=f"http://elastic:{SECRET}@127.0.0.1:9,http://elastic:{SECRET}@127.0.0.1:10"
    )
    airflow = FastAPI()
    airflow.mount("/news", create_app(lambda: open_context(settings), Visitor().access()))
    client = TestClient(airflow, follow_redirects=False)
    for path in ("/news/", "/news/problems"):
        shown = client.get(path)
        assert shown.status_code == 503
        assert "127.0.0.1" not in shown.text
        assert "http://127.0.0.1:9" in caplog.text
        assert SECRET not in shown.text + caplog.text
        assert "elastic:" not in shown.text
