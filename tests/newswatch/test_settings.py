"""Settings, and handing them to another process."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from newswatch.settings import Settings


def test_another_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        elasticsearch_url="http://127.0.0.1:9999",
        elasticsearch_password=SecretStr("s€cret"),
        fetch_allow_hosts=("127.0.0.1:80", "localhost:81"),
        number_of_replicas=2,
        kibana_url=None,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_defaults_are_left_to_the_other_process() -> None:
    assert set(Settings(smtp_port=26).environment()) == {"NEWSWATCH_SMTP_PORT"}
