"""`newswatch settings`: every setting with its variable, and no secret shown."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app
from newswatch.settings import Settings


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_SMTP_PASSWORD", "open sesame")
    monkeypatch.setenv("NEWSWATCH_FETCH_ALLOW_HOSTS", '["127.0.0.1:8088", "127.0.0.2:8088"]')


def test_every_setting_has_its_variable_and_says_what_it_is_for() -> None:
    told = [json.loads(line) for line in CliRunner().invoke(app, ["settings", "--json"]).stdout.splitlines()]
    assert [one["variable"] for one in told] == [f"NEWSWATCH_{name.upper()}" for name in Settings.model_fields]
    assert [one["variable"] for one in told if not one["description"]] == []


def test_a_secret_is_not_shown() -> None:
    for arguments in (["settings"], ["settings", "--json"]):
        shown = CliRunner().invoke(app, arguments).stdout
        assert "NEWSWATCH_SMTP_PASSWORD" in shown
        assert "sesame" not in shown


def test_only_what_is_set() -> None:
    shown = CliRunner().invoke(app, ["settings", "--set"]).stdout
    assert "NEWSWATCH_FETCH_ALLOW_HOSTS 127.0.0.1:8088, 127.0.0.2:8088" in shown
    assert "NEWSWATCH_SMTP_HOST" not in shown
