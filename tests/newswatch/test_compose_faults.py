"""The check of docker-compose.yml's .env: every fault is one sentence with the next step, and shows no secret."""

from __future__ import annotations

import pytest

from newswatch.compose_faults import FERNET_KEY, SECRETS, compose_faults, interpolated

GOOD = {
    **{name: f"{number:064x}" for number, name in enumerate(SECRETS)},
    FERNET_KEY: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "COMPOSE_PROFILES": "mailpit",
    "AIRFLOW_URL": "http://127.0.0.1:8080",
}


def told(**changes: str) -> list[str]:
    return [str(finding) for finding in compose_faults({**GOOD, **changes})]


def test_a_good_one_has_none() -> None:
    assert told() == []
    https = told(AIRFLOW_URL="https://news.example.org", AIRFLOW_PATH="/airflow", TRUSTED_PROXIES="172.18.0.1")
    assert https == []
    assert told(KIBANA_URL="") == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"SMTP_HOST": "mail.example.org"}, "it is called NEWSWATCH_SMTP_HOST now"),
        ({"SMTP_DISABLE_TLS": "true"}, "it is called NEWSWATCH_SMTP_SECURITY now"),
        ({"NEWSWATCH_RETENTION_DAY": "9"}, "did you mean 'NEWSWATCH_RETENTION_DAYS'?"),
        ({"KIBANA_URI": "x"}, "did you mean 'KIBANA_URL'?"),
        ({"NEWSWATCH_PUBLIC_URL": "https://x.example"}, "taken from AIRFLOW_URL and AIRFLOW_PATH"),
        ({"NEWSWATCH_ELASTICSEARCH_URL": "https://x.example"}, "taken from docker-compose.yml itself"),
        ({"NEWSWATCH_INDEX_PREFIX": "second-"}, "may use indices without a prefix only"),
        ({"POSTGRES_PASSWORD": "p@ss/word"}, "8 or more letters and digits"),
        ({"AIRFLOW_JWT_SECRET": "short1"}, "64 or more letters and digits"),
        ({"VALKEY_PASSWORD": ""}, "8 or more letters and digits"),
        ({FERNET_KEY: "not base64 é"}, "32 bytes in URL-safe Base64"),
        ({FERNET_KEY: "c2hvcnQ="}, "32 bytes in URL-safe Base64"),
        ({"KIBANA_PASSWORD": GOOD["ELASTIC_PASSWORD"]}, "they are the same"),
        (
            {"AIRFLOW_URL": "https://x.example/airflow/", "TRUSTED_PROXIES": "10.0.0.1"},
            "put /airflow into AIRFLOW_PATH",
        ),
        ({"KIBANA_URL": "http://127.0.0.1:5601/"}, "leave out what follows the host"),
        ({"KIBANA_URL": "news.example.org"}, "it must be an address, such as"),
        ({"AIRFLOW_URL": "https://[::1", "TRUSTED_PROXIES": "10.0.0.1"}, "it must be an address, such as"),
        ({"AIRFLOW_PATH": "airflow"}, "it must begin with a slash"),
        ({"KIBANA_PATH": "/kibana/"}, "it must begin with a slash and not end with one"),
        ({"AIRFLOW_URL": "http://news.example.org"}, "cross the network in the clear"),
        ({"AIRFLOW_URL": "https://news.example.org"}, "a proxy's word that users came by HTTPS is not believed"),
        ({"COMPOSE_PROFILES": ""}, "mailpit, which is not started"),
        ({"AIRFLOW_EXECUTOR": "CeleryExecutor"}, "Add the profile celery"),
        ({"COMPOSE_PROFILES": "celery, mailpit"}, "no task is given to them"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_each_fault_is_told(changes: dict[str, str], says: str) -> None:
    (fault,) = told(**changes)
    assert says in fault
    for name in (*SECRETS, FERNET_KEY):
        value = {**GOOD, **changes}[name]
        assert not value or value not in fault


def test_what_compose_would_replace_in_a_value_is_told() -> None:
    told = interpolated("# $A\nA=pa$word\nB='pa$word'\nC=pa\\$word\nD=5$\nE=\"x${Y}\"\n")
    assert [finding.variables for finding in told] == [("A",), ("E",)]


def test_errors_come_first_and_somebody_elses_variable_is_only_a_warning() -> None:
    found = compose_faults({**GOOD, "MY_OWN_THING": "1", "SMTP_HOST": "x"})
    assert [finding.is_error for finding in found] == [True, False]
    assert str(found[1]) == "MY_OWN_THING: docker-compose.yml reads no such variable"
