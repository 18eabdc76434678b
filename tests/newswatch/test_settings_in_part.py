"""Settings some of which are wrong: who needs one of those is told, and everybody else works."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from newswatch.errors import ConfigError
from newswatch.setting_faults import disagreements
from newswatch.settings import Settings
from newswatch.settings_in_part import settings_in_part, settings_or_defaults, wrong_settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("NEWSWATCH_"):
            monkeypatch.delenv(name)


def test_without_a_fault_they_are_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "25")
    assert settings_in_part(smtp_host="mail.example.org") == Settings(smtp_host="mail.example.org")
    assert wrong_settings(settings_in_part()) == {}


WRONG = {
    "smtp_port": "abc",
    "smtp_security": "ssl",
    "contact": "a\nBcc: b@c.example",
    "fetch_allow_hosts": "127.0.0.1:8088",
    "elasticsearch_url": "ftp://es.example.org",
    "metrics_token": "short",
    "index_prefix": "Desk*",
    "poll_min_interval_s": "0",
    "kibana_url": "no address",
    "operator_url": "Gehe1m",
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_setting_has_no_value_and_the_others_have_theirs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NEWSWATCH_{name.upper()}", WRONG[name])
    monkeypatch.setenv("NEWSWATCH_LEASE_S", "61")
    settings = settings_in_part(mail_name="Desk")
    with pytest.raises(ConfigError, match=f"^NEWSWATCH_{name.upper()}: ") as error:
        getattr(settings, name)
    assert WRONG[name] not in str(error.value) or len(WRONG[name]) < 4, "values may be secrets"
    assert (settings.lease_s, settings.mail_name) == (61, "Desk")
    defaults = Settings.model_construct()
    for other in Settings.model_fields.keys() - {name, "lease_s", "mail_name", "data_dir"}:
        assert getattr(settings, other) == getattr(defaults, other)
    assert list(wrong_settings(settings)) == [f"NEWSWATCH_{name.upper()}"]
    assert f"NEWSWATCH_{name.upper()}" not in settings.environment()


def test_the_watchman_goes_on_with_defaults_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "26")
    assert settings_or_defaults() == (Settings(smtp_port=26), {})
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "abc")
    monkeypatch.setenv("NEWSWATCH_HEARTBEAT_URL", "Gehe1m")
    settings, wrong = settings_or_defaults()
    assert (settings.smtp_port, settings.heartbeat_url) == (1025, None)
    assert wrong["NEWSWATCH_SMTP_PORT"] == "must be a whole number; its default is used: 1025"
    assert wrong["NEWSWATCH_HEARTBEAT_URL"].endswith("its default is used: nothing")
    assert "Gehe1m" not in str(wrong)


def test_every_wrong_setting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WRONG.items():
        monkeypatch.setenv(f"NEWSWATCH_{name.upper()}", value)
    settings = settings_in_part()
    assert set(wrong_settings(settings)) == {f"NEWSWATCH_{name.upper()}" for name in WRONG}
    assert all(rule.is_error in (True, False) for rule in disagreements(settings, nodes=2))


def test_a_wrong_value_of_airflows_connection_counts_like_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "25")
    settings = settings_in_part(smtp_port="many")
    with pytest.raises(ConfigError, match="NEWSWATCH_SMTP_PORT"):
        _ = settings.smtp_port


def test_copies_lack_the_same_and_may_state_it() -> None:
    settings = settings_in_part(smtp_port="many")
    copy = settings.model_copy(update={"lease_s": 99})
    assert copy.lease_s == 99
    with pytest.raises(ConfigError):
        _ = copy.smtp_port
    assert settings.model_copy(update={"smtp_port": 26}).smtp_port == 26
    assert settings_in_part(smtp_port="many") == settings != settings_in_part()


def test_what_is_no_setting_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValidationError, match="smpt_port"):
        settings_in_part(smpt_port=25)
    with pytest.raises(AttributeError):
        _ = settings_in_part(smtp_port="many").smpt_port  # type: ignore[attr-defined]
