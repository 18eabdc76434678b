"""What is wrong with the variables of an Airflow of one's own."""

from __future__ import annotations

import pytest

from newswatch.airflow_faults import DATABASE, airflow_faults
from newswatch.sign_on import FAB

RIGHT = {
    DATABASE: "postgresql+psycopg2:///airflow?host=/var/run/postgresql",
    "NEWSWATCH_PUBLIC_URL": "https://news.ministry.example/airflow",
    "NEWSWATCH_AIRFLOW_URL": "http://127.0.0.1:8080/airflow",
    "AIRFLOW__API__BASE_URL": "https://news.ministry.example/airflow/",
    "AIRFLOW__API__HOST": "127.0.0.1",
    "AIRFLOW__API__SECRET_KEY": "s" * 64,
    "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:8080/airflow/execution/",
    "AIRFLOW__CORE__FERNET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
}
SSO = {
    "AIRFLOW__CORE__AUTH_MANAGER": FAB,
    "AIRFLOW__FAB__CONFIG_FILE": "/opt/newswatch/packages/web/webserver_config.py",
    "SSO_KIND": "ldap",
    "SSO_LDAP_URL": "ldaps://ldap.ministry.example",
    "SSO_LDAP_SEARCH": "dc=example",
    "SSO_LDAP_USER_DN": "uid=%s,dc=example",
    "SSO_OPERATORS": "cn=it,dc=example",
}


def test_what_is_right_has_no_fault_nor_has_a_machine_without_airflow() -> None:
    assert airflow_faults(RIGHT) == airflow_faults(RIGHT | SSO) == airflow_faults({}) == ()
    rotated = {"AIRFLOW__CORE__FERNET_KEY": ",".join([RIGHT["AIRFLOW__CORE__FERNET_KEY"]] * 2)}
    assert airflow_faults(RIGHT | rotated) == ()


SECRETS = (
    DATABASE,
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
)


@pytest.mark.parametrize("ending", ["_CMD", "_SECRET"])
def test_a_secret_that_a_command_or_a_backend_gives_is_not_missing(ending: str) -> None:
    elsewhere = {f"{name}{ending}": "cat /run/secrets/x" for name in SECRETS}
    rest = {name: value for name, value in RIGHT.items() if name not in SECRETS}
    assert airflow_faults(rest | elsewhere) == ()
    assert airflow_faults(rest | elsewhere | {"AIRFLOW__CORE__FERNET_KEY": "short"}), "what is stated comes first"


def test_tokens_may_be_signed_by_a_private_key() -> None:
    keyed = {name: value for name, value in RIGHT.items() if name != "AIRFLOW__API_AUTH__JWT_SECRET"}
    assert airflow_faults(keyed | {"AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH": "/etc/newswatch/jwt.key"}) == ()


@pytest.mark.parametrize(
    ("wrong", "is_error"),
    [
        ({DATABASE: "postgresql://airflow@db/airflow"}, True),
        ({DATABASE: "sqlite:////tmp/airflow.db"}, False),
        ({"AIRFLOW__CORE__FERNET_KEY": "short"}, True),
        ({"AIRFLOW__CORE__FERNET_KEY": ""}, True),
        ({"AIRFLOW__API_AUTH__JWT_SECRET": "short"}, True),
        ({"AIRFLOW__API__SECRET_KEY": ""}, True),
        ({"NEWSWATCH_PUBLIC_URL": "https://news.ministry.example"}, True),
        ({"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:8080/execution/"}, True),
        ({"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:[8080/"}, True),
        ({"NEWSWATCH_AIRFLOW_URL": "http://127.0.0.1:8080"}, True),
        ({"NEWSWATCH_AIRFLOW_URL": "http://127.0.0.1:8080/airflow/"}, True),
        ({"AIRFLOW__API__HOST": "0.0.0.0"}, False),
        ({"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "true"}, False),
        ({"AIRFLOW__CORE__LOAD_EXAMPLES": "True"}, False),
        ({"AIRFLOW__CORE__PARALLELISM": "4"}, False),
        ({"AIRFLOW__CORE__AUTH_MANAGER": FAB}, True),
        (SSO | {"AIRFLOW__CORE__AUTH_MANAGER": ""}, True),
        (SSO | {"AIRFLOW__FAB__CONFIG_FILE": ""}, True),
        (SSO | {"SSO_LDAP_URL": "ldap.ministry.example"}, True),
    ],
    ids=str,
)
def test_a_fault_is_told_with_its_variable_and_no_secret(wrong: dict[str, str], is_error: bool) -> None:
    told = airflow_faults(RIGHT | wrong)
    assert [each.is_error for each in told[:1]] == [is_error]
    assert {name for each in told for name in each.variables} & ({*wrong} | {"SSO_KIND"})
    assert not any(secret in str(each) for each in told for secret in ("sss", "jjj", "short", "MDEy"))


@pytest.mark.parametrize("missing", sorted({*RIGHT} - {DATABASE, "NEWSWATCH_AIRFLOW_URL"}))
def test_what_is_missing_is_told(missing: str) -> None:
    assert airflow_faults({name: value for name, value in RIGHT.items() if name != missing})
