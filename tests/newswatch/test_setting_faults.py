"""Variables that nobody reads, and settings that don't agree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from newswatch.setting_faults import _RULES, OTHER_VARIABLES, disagreements, is_here, mistyped
from newswatch.settings import Settings

SOUND: dict[str, Any] = {"operator": "ops@example.org"}
ELSEWHERE: dict[str, Any] = {
    "smtp_host": "mail.example.org",
    "smtp_port": 587,
    "smtp_security": "starttls",
    "mail_from": "news@example.org",
    "contact": "news@example.org",
    "operator": "ops@example.org",
    "operator_url": SecretStr("https://chat.example.org/hook"),
    "public_url": "https://news.example.org",
    "elasticsearch_url": "https://es.example.org:9200",
    "secret_key": SecretStr("0123456789abcdef"),
}
"""Settings of a cluster without a fault."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("NEWSWATCH_"):
            monkeypatch.delenv(name)


def said(**stated: Any) -> list[tuple[tuple[str, ...], bool]]:
    return [(finding.variables, finding.is_error) for finding in disagreements(Settings(**{**ELSEWHERE, **stated}))]


def variables(*names: str) -> tuple[str, ...]:
    return tuple(f"NEWSWATCH_{name.upper()}" for name in names)


def test_a_cluster_as_it_should_be_has_no_fault() -> None:
    assert said() == []


def test_the_embedded_stack_is_only_told_that_nobody_is_told() -> None:
    assert [finding.is_error for finding in disagreements(Settings())] == [False]
    assert disagreements(Settings())[0].variables == variables("operator", "operator_url")


PEM = Path(f"-----BEGIN CERTIFICATE-----\n{'A' * 64}\n" * 30)
"""Longer than a file's name may be."""
OAUTH: dict[str, Any] = {
    "smtp_username": "news@ministry.example",
    "smtp_oauth_url": "https://login.example.org/token",
    "smtp_oauth_client_id": "newswatch",
    "smtp_oauth_client_secret": SecretStr("x"),
}
BOUNCES: dict[str, Any] = {
    "mail_bounces": "bounces@example.org",
    "bounce_mailbox": "imaps://imap.example.org/INBOX",
    "bounce_username": "bounces",
    "bounce_password": SecretStr("x"),
}
BROKEN: dict[str, tuple[dict[str, Any], tuple[str, ...], bool]] = {
    "poll": ({"poll_min_interval_s": 90_000}, ("poll_min_interval_s", "poll_max_interval_s"), True),
    "short lease": ({"lease_s": 60}, ("lease_s", "fetch_total_timeout_s"), True),
    "tight lease": ({"lease_s": 500}, ("lease_s", "fetch_total_timeout_s"), False),
    "long lease": ({"lease_s": 1_000}, ("lease_s",), False),
    "connect": ({"fetch_connect_timeout_s": 61}, ("fetch_connect_timeout_s", "fetch_total_timeout_s"), False),
    "read": ({"fetch_read_timeout_s": 61}, ("fetch_read_timeout_s", "fetch_total_timeout_s"), False),
    "fast": (
        {"fast_interval_s": 20, "poll_min_interval_s": 20},
        ("fast_interval_s", "poll_min_interval_s"),
        False,
    ),
    "hosts": ({"fetch_host_concurrency": 33}, ("fetch_host_concurrency", "fetch_concurrency"), False),
    "proxy login": ({"fetch_proxy_password": "x"}, ("fetch_proxy_username", "fetch_proxy_password"), True),
    "no proxy": ({"fetch_no_proxy": "a.example"}, ("fetch_no_proxy", "fetch_proxy"), False),
    "allowed": ({"fetch_allow_hosts": ("news.internal",)}, ("fetch_allow_hosts",), True),
    "allowed v6": ({"fetch_allow_hosts": ("::1",)}, (), True),
    "contact": ({"contact": "newswatch@localhost"}, ("contact",), False),
    "retention": ({"retention_days": 6}, ("retention_days", "story_window_days"), False),
    "465": ({"smtp_port": 465}, ("smtp_security", "smtp_port"), True),
    "587": ({"smtp_security": "tls"}, ("smtp_security", "smtp_port"), False),
    "user alone": ({"smtp_username": "me"}, ("smtp_username", "smtp_password"), True),
    "password alone": ({"smtp_password": SecretStr("x")}, ("smtp_username", "smtp_password"), True),
    "in the clear": (
        {"smtp_username": "me", "smtp_password": SecretStr("x"), "smtp_security": "none"},
        ("smtp_security", "smtp_password"),
        False,
    ),
    "oauth alone": (
        OAUTH | {"smtp_username": None},
        ("smtp_oauth_url", "smtp_username", "smtp_oauth_client_id"),
        True,
    ),
    "oauth without a secret": (
        OAUTH | {"smtp_oauth_client_secret": None},
        ("smtp_oauth_url", "smtp_oauth_refresh_token", "smtp_oauth_client_secret"),
        True,
    ),
    "oauth and password": (OAUTH | {"smtp_password": SecretStr("x")}, ("smtp_oauth_url", "smtp_password"), False),
    "oauth in the clear": (OAUTH | {"smtp_oauth_url": "http://login.example.org/token"}, ("smtp_oauth_url",), True),
    "token in the clear": (OAUTH | {"smtp_security": "none"}, ("smtp_security", "smtp_oauth_url"), True),
    "no mail authority": ({"smtp_ca_certs": Path("/nowhere/ca.crt")}, ("smtp_ca_certs",), True),
    "a mail authority in place of its file": ({"smtp_ca_certs": PEM}, ("smtp_ca_certs",), True),
    "an authority in place of its file": ({"elasticsearch_ca_certs": PEM}, ("elasticsearch_ca_certs",), True),
    "no client's certificate": ({"smtp_client_cert": Path("/nowhere/me.pem")}, ("smtp_client_cert",), True),
    "useless certificate": (
        {"smtp_client_cert": Path(__file__), "smtp_security": "none"},
        ("smtp_security", "smtp_client_cert"),
        True,
    ),
    "bounces elsewhere": (BOUNCES | {"mail_bounces": None}, ("bounce_mailbox", "mail_bounces"), True),
    "bounces unread": (BOUNCES | {"bounce_mailbox": None}, ("mail_bounces", "bounce_mailbox"), False),
    "mailbox alone": (
        BOUNCES | {"bounce_password": None},
        ("bounce_mailbox", "bounce_username", "bounce_password"),
        True,
    ),
    "mailbox in the clear": (BOUNCES | {"bounce_mailbox": "imap://imap.example.org/INBOX"}, ("bounce_mailbox",), True),
    "answer": ({"smtp_timeout_s": 151}, ("smtp_timeout_s", "smtp_deadline_s"), False),
    "run": ({"mail_run_s": 100}, ("smtp_deadline_s", "mail_run_s"), False),
    "given up": ({"mail_group_s": 60, "mail_give_up_s": 60}, ("mail_group_s", "mail_give_up_s"), True),
    "sender": ({"mail_from": "News <newswatch@localhost>"}, ("mail_from",), False),
    "es user": ({"elasticsearch_username": "me"}, ("elasticsearch_username", "elasticsearch_password"), True),
    "es password": (
        {"elasticsearch_password": SecretStr("x")},
        ("elasticsearch_username", "elasticsearch_password"),
        True,
    ),
    "key and user": (
        {"elasticsearch_api_key": SecretStr("x"), "elasticsearch_username": "me"},
        ("elasticsearch_api_key", "elasticsearch_username", "elasticsearch_password"),
        False,
    ),
    "no authority": ({"elasticsearch_ca_certs": Path("/nowhere/ca.crt")}, ("elasticsearch_ca_certs",), True),
    "useless authority": (
        {"elasticsearch_ca_certs": Path(__file__), "elasticsearch_url": "http://es.example.org:9200"},
        ("elasticsearch_ca_certs", "elasticsearch_url"),
        False,
    ),
    "es in the clear": (
        {"elasticsearch_url": "http://es.example.org:9200", "elasticsearch_api_key": SecretStr("x")},
        ("elasticsearch_url",),
        False,
    ),
    "links": ({"public_url": "http://127.0.0.1:8080"}, ("public_url",), False),
    "page in the clear": ({"public_url": "http://news.example.org"}, ("public_url",), False),
    "kibana": ({"kibana_url": "http://localhost:5601"}, ("kibana_url", "public_url"), False),
    "no key": ({"secret_key": None}, ("secret_key",), False),
    "short key": ({"secret_key": SecretStr("abc")}, ("secret_key",), False),
    "nobody": ({"operator": None, "operator_url": None}, ("operator", "operator_url"), False),
    "second way": ({"operator_url": None}, ("operator_url",), False),
    "catcher": ({"smtp_host": "127.0.0.1", "smtp_port": 1025, "operator_url": None}, ("operator", "smtp_host"), False),
    "folder": ({"config_dir": Path("/nowhere")}, ("config_dir",), True),
    "a folder that can be no name": ({"config_dir": PEM}, ("config_dir",), True),
    "an outlets' authority in place of its file": ({"fetch_ca_certs": PEM}, ("fetch_ca_certs",), True),
}


@pytest.mark.parametrize(("stated", "names", "is_error"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_agree_is_told(stated: dict[str, Any], names: tuple[str, ...], is_error: bool) -> None:
    if names:
        assert (variables(*names), is_error) in said(**stated)
    else:
        assert not [found for found, error in said(**stated) if error and "FETCH_ALLOW_HOSTS" not in found[0]]


def test_every_rule_is_broken_by_a_test() -> None:
    told = {
        finding.message
        for stated, _, _ in BROKEN.values()
        for finding in disagreements(Settings(**{**ELSEWHERE, **stated}))
    }
    assert {rule.message for rule in _RULES} <= told


def test_no_message_repeats_a_secret() -> None:
    settings = Settings(smtp_password=SecretStr("Gehe1m"), elasticsearch_password=SecretStr("Gehe1m"))
    assert all("Gehe1m" not in str(finding) for finding in disagreements(settings))


@pytest.mark.parametrize(
    ("replicas", "nodes", "told"),
    [(0, 1, 0), (1, 1, 1), (1, 2, 0), (2, 2, 1), (0, 3, 1), (0, None, 0), (5, None, 0)],
)
def test_replicas_fit_the_nodes(replicas: int, nodes: int | None, told: int) -> None:
    settings = Settings(**ELSEWHERE, number_of_replicas=replicas)
    assert len(disagreements(settings, nodes=nodes)) == told


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NEWSWATCH_ELASTIC_SEARCH_URL", "NEWSWATCH_ELASTICSEARCH_URL"),
        ("NEWSWATCH_SMPT_HOST", "NEWSWATCH_SMTP_HOST"),
        ("newswatch_operater", "NEWSWATCH_OPERATOR"),
        ("NEWSWATCH_LEASE", "NEWSWATCH_LEASE_S"),
    ],
)
def test_a_mistyped_variable_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    (finding,) = mistyped({name: "x", "PATH": "/", "NEWSWATCH_LEASE_S": "1"})
    assert finding.variables == (name,)
    assert f"did you mean {meant!r}?" in finding.message


def test_settings_and_other_variables_are_known() -> None:
    known = [f"NEWSWATCH_{name.upper()}" for name in Settings.model_fields]
    assert mistyped([*known, *OTHER_VARIABLES, "newswatch_smtp_host", "AIRFLOW_CONN_NEWSWATCH_SMTP"]) == ()


def test_a_variable_unlike_any_has_no_suggestion() -> None:
    (finding,) = mistyped(["NEWSWATCH_QQQQQQQQQQQQQQQQQQQQQQQQQ"])
    assert "did you mean" not in finding.message


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.9", "[::1]", "::1", "a.localhost"])
def test_this_machine_has_many_names(host: str) -> None:
    assert is_here(host)
    assert not is_here("localhost.example.org")
